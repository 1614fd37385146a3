"""Functions: effects, changed variables, large values, and modules that workers lack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mmnotebook import sizes
from mmnotebook.beam.prepare import Prepared
from mmnotebook.beam.readiness.finding import Finding, Findings, Severity, Target
from mmnotebook.compat import cloudpickle as compat
from mmnotebook.elements import pickling
from mmnotebook.fingerprint import changes, declared, impure
from mmnotebook.fingerprint.effects import effects
from mmnotebook.fingerprint.reached import Reached, reached
from mmnotebook.graph.graph import Node
from mmnotebook.graph.models import ModelSpec

LARGE = 1 << 20
"""From this size in bytes on, what a function brings along is reported."""

_AGAIN = "a bundle that is retried, and each run, computes other values"
_EFFECTS: dict[str, tuple[str, str, Severity]] = {
    impure.CLOCK: (_AGAIN, "pass the time in as data, or declare the function @mm.pure", "warning"),
    impure.RANDOM: (
        _AGAIN,
        "compute the seed from the value: numpy.random.default_rng(seed); or declare the function "
        "@mm.pure",
        "warning",
    ),
    impure.FILES: (
        "a worker elsewhere does not see the files of this machine",
        "read the file here and use its content, or read it from an address that workers see",
        "warning",
    ),
    impure.ENVIRONMENT: (
        "workers have other environment variables",
        "read the variable here, into a global variable, and use that",
        "warning",
    ),
    impure.NETWORK: (
        "workers need access to the same network, and credentials of their own",
        "check that the workers reach it",
        "warning",
    ),
    impure.PROCESSES: (
        "workers may not have the same programs",
        "check that the image of the workers has them",
        "warning",
    ),
    impure.KERNEL: (
        "each worker process has another value",
        "use a value that does not depend on the process, for example hashlib.blake2b",
        "warning",
    ),
    impure.USER: ("a worker has no user", "pass the input in as data", "error"),
}
_ON_THE_WORKER = ("(tempfile.",)
"""What creates its own files works on every machine."""
_INTO_MEMORY = (".save)", ".savez)", ".savez_compressed)", ".savetxt)", ".dump)")
"""Functions that write a file, or a buffer if the code uses one."""


def findings(prepared: Prepared, target: Target) -> Findings:
    """Yield the findings about the functions of all nodes and models, each once."""
    done: set[int] = set()
    for node in prepared.graph.order():
        for label, function in _functions(prepared, node):
            if id(function) not in done:
                done.add(id(function))
                yield from of_function(node.name, label, function, target)


def _functions(prepared: Prepared, node: Node) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in node.functions:
        yield name, prepared.functions[name]
    for name in node.models:
        for label, function in of_model(prepared.models[name]):
            yield f"{label} of model {name}", function


def of_model(spec: ModelSpec) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the functions of a model, with the names of their options."""
    for label in ("preprocess", "output", "collate", "reset"):
        function = getattr(spec, label)
        if callable(function):
            yield label, function


def of_function(node: str, label: str, function: Any, target: Target) -> Findings:
    """Yield the findings about one function."""
    used = reached(function)
    yield from _effects(node, function, used)
    yield from _changes(node, function, used)
    yield from _sizes(node, label, function, used)
    yield from modules(node, used.modules, target)


def _effects(node: str, function: Any, used: Reached) -> Findings:
    harmless = (*_ON_THE_WORKER, *(_INTO_MEMORY if used.has_buffers else ()))
    for one in effects(function):
        known = _EFFECTS.get(one.does)
        if known is not None and not any(part in one.words for part in harmless):
            why, remedy, severity = known
            yield Finding(node, f"{one.words}: {why}", remedy, severity)
    named = vars(function).get("__mmnotebook_depends__") if declared.is_stated(function) else None
    for path in getattr(named, "paths", ()):
        why, remedy, severity = _EFFECTS[impure.FILES]
        yield Finding(node, f"depends on the file {path}: {why}", remedy, severity)


def _changes(node: str, function: Any, used: Reached) -> Findings:
    own = getattr(function, "__func__", None) or vars(type(function)).get("__call__")
    for one in used.functions:
        if declared.is_stated(one):
            continue
        for name in changes.changed(one, own_state=one is own):
            yield Finding(
                node,
                f"{one.__name__} changes {name!r}: each worker has a copy of its own, and the "
                "changes do not come back",
                "return the values instead, and count or collect them from the result",
            )


def _sizes(node: str, label: str, function: Any, used: Reached) -> Findings:
    size = _pickled(function)
    if size < LARGE:
        return
    parts = {name: _pickled(held) for name, held in used.values.items()}
    large = {name: part for name, part in parts.items() if part >= LARGE // 2}
    named = ", ".join(f"{name} ({sizes.text(part)})" for name, part in large.items())
    yield Finding(
        node,
        f"{label} brings {sizes.text(size)} into the pipeline{named and ': ' + named}",
        "register it as a model, or let the function load it from an address that workers see",
    )


def _pickled(value: Any) -> int:
    """Return the size of a value's pickle in bytes; 0 if it cannot be pickled."""
    counter = _Counter()
    try:
        pickling.dump(value, counter)
    except Exception:  # noqa: BLE001 - another check reports it
        return 0
    return counter.size


class _Counter(pickling.Nowhere):
    def __init__(self) -> None:
        self.size = 0

    def write(self, data: Any) -> int:
        written = super().write(data)
        self.size += int(written)
        return int(written)


def modules(node: str, names: Any, target: Target) -> Findings:
    """Yield a finding for each module of the user that workers would have to import."""
    if target.ships_modules or target.install_packages:
        return
    for name in names:
        if name.partition(".")[0] not in {one.partition(".")[0] for one in compat.by_value_names()}:
            yield Finding(
                node,
                f"uses the module {name!r}, which is not installed: workers cannot import it",
                "define the function in the notebook; or make the module a package and name it in "
                "Beam's option extra_packages, or install it in the image of the workers",
                "error",
            )
