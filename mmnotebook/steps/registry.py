"""Find the step kinds: the modules of `steps.kinds`, and those that other packages bring."""

from __future__ import annotations

import pkgutil
import warnings
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from mmnotebook.errors import one_line
from mmnotebook.graph.kinds import StepKind
from mmnotebook.steps import kinds

GROUP = "mmnotebook.steps"
"""The entry points of a package with step kinds: `name = "module:KIND"`."""


def own_kinds() -> list[StepKind]:
    """Return the kinds of this package: `KIND` of each module that has one."""
    found = (one.name for one in pkgutil.iter_modules(kinds.__path__))
    modules = [import_module(f"{kinds.__name__}.{name}") for name in found]
    return [module.KIND for module in modules if hasattr(module, "KIND")]


def installed_kinds() -> list[StepKind]:
    """Return the kinds of other installed packages; one that cannot be used is warned of."""
    taken = {kind.name for kind in own_kinds()}
    found = []
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            kind = entry.load()
            problem = next(_problems(kind, taken), None)
        except Exception as error:  # noqa: BLE001 - whatever another's package raises
            problem = one_line(error)
        if problem is None:
            taken.add(kind.name)
            found.append(kind)
        else:
            warnings.warn(_refusal(entry, problem), RuntimeWarning, stacklevel=2)
    return found


def _problems(kind: object, taken: set[str]) -> Iterator[str]:
    if not isinstance(kind, StepKind):
        yield f"it is a {type(kind).__name__}, not a StepKind"
    elif kind.name in taken:
        yield f"there is a step kind {kind.name!r} already"
    elif not kind.name.isidentifier():
        yield f"the name {kind.name!r} cannot be written in a pipeline"
    elif kind.inputs == "none":
        yield "a source cannot be added: data enters as a variable or as a Beam transform"
    elif not kind.lowering:
        yield "it has no lowering"


def _refusal(entry: EntryPoint, problem: str) -> str:
    package = "a package" if entry.dist is None else entry.dist.name
    return f"the step kind {entry.name!r} ({entry.value}) of {package} is not available: {problem}"
