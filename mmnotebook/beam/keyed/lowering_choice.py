"""The choice of lowering and grouping for a model per key, and the reasons for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmnotebook.beam.inference import handlers
from mmnotebook.beam.inference.inference import batching
from mmnotebook.beam.keyed.keys import ElementKeys
from mmnotebook.beam.lowering.sources import carry
from mmnotebook.beam.lowering.step import BoundStep, Objects
from mmnotebook.compat.beam import environment_variables
from mmnotebook.elements.block import Block
from mmnotebook.elements.elements import pick
from mmnotebook.elements.user_code import ENDS_RUN, is_raised
from mmnotebook.errors import ModelError, RunError, counted, one_line
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.graph.models import ModelSpec
from mmnotebook.results import memory

SAMPLE = 8192
"""The number of elements whose keys are examined before the run."""


@dataclass(frozen=True)
class Decision:
    """How a keyed node is run.

    Attributes
    ----------
    lowering
        "blocks" or "beam".
    grouped
        Whether elements are grouped by model before the inference.
    rows
        The number of elements processed together: a window of the lowering "blocks", a batch of
        the lowering "beam".
    why
        The reason for the lowering and the reason for the grouping.
    """

    lowering: str
    grouped: bool
    rows: int
    why: tuple[str, str]


@dataclass(frozen=True)
class Known:
    """The keys that are known before the run.

    Attributes
    ----------
    keys
        The keys of the first elements.
    models
        The model of each key.
    is_complete
        Whether these are the keys of all elements.
    """

    keys: Sequence[str]
    models: Sequence[str]
    is_complete: bool

    def __str__(self) -> str:
        return f"{'' if self.is_complete else 'the first '}{counted(len(self.keys), 'element')}"


def decision(graph: Graph, step: BoundStep, objects: Objects) -> Decision:
    """Decide how a keyed node is run; raise ModelError if one step cannot run all its models."""
    specs = {name: step.models[name] for name in step.node.models}
    function = step.function_or_none("by_function")
    return decide(step.node, specs, known(graph, step.node, objects, function))


def decide(node: Node, specs: Mapping[str, ModelSpec], seen: Known | None) -> Decision:
    """Decide how one keyed node is run, from the keys that are known."""
    bases = {name: handlers.base_handler(spec) for name, spec in specs.items()}
    check(node, specs, bases)
    sizes = {name: batching(spec, bases[name]) for name, spec in specs.items()}
    batches = {name: rows for name, (rows, _) in sizes.items()}
    common = next(iter(batches.values())) if len(set(batches.values())) == 1 else None
    if any(size_of is not None for _, size_of in sizes.values()):
        common = None
    window = memory.window_rows(batches.values())
    lowering, reason = _lowering(node, seen, batches, common, window)
    rows = window if lowering == "blocks" else common or 1
    grouped, why = _grouping(node, seen, rows)
    return Decision(lowering, grouped, rows, (reason, why))


def _lowering(
    node: Node, seen: Known | None, batches: Mapping[str, int], common: int | None, window: int
) -> tuple[str, str]:
    """Choose the lowering; return it with the reason."""
    chosen = node["lowering"]
    if common is None:
        if chosen == "beam":
            raise _batch_sizes_differ(node, batches)
        return "blocks", f"{_asked(chosen)}KeyedModelHandler uses one batch size for all models"
    if chosen != "auto":
        return str(chosen), f"lowering={chosen!r} was given"
    if seen is None or not seen.keys:
        reason = "the keys are not known in advance; KeyedModelHandler calls a model once per key"
        return "blocks", reason
    here = memory.calls_by_model(seen.models, batches, window)
    beam = memory.calls_by_key(seen.keys, common)
    held = beam / -(-len(seen.keys) // common)
    reason = (
        f"{seen} take {counted(here, 'model call')} as blocks and {beam:,} with "
        f"KeyedModelHandler, whose batches of {common} elements have {held:.3g} keys on average"
    )
    return ("beam" if beam < here else "blocks"), reason


def _asked(chosen: str) -> str:
    return "" if chosen == "auto" else f"lowering={chosen!r} was given; "


def _grouping(node: Node, seen: Known | None, rows: int) -> tuple[bool, str]:
    """Decide whether to group the elements by model; return the decision and the reason."""
    count, most, group = len(node.models), node["max_models"], node["group"]
    limited = most is not None and most < count
    numbers = counted(count, "model") + (f", max_models={most}" if most is not None else "")
    as_is = None
    if limited and seen is not None and seen.keys:
        as_is = memory.loads(memory.uses(seen.models, rows), most)
        once = len(set(seen.models))
        numbers += f": {seen} take {counted(as_is, 'load')} in arrival order, {once:,} if grouped"
    if group != "auto":
        return bool(group), f"group={group} was given; {numbers}"
    if not limited:
        return False, f"{numbers}: all can stay loaded"
    if as_is is None or seen is None:
        return True, f"{numbers}: the keys are not known in advance; grouping loads each model once"
    return as_is > len(set(seen.models)) or not seen.is_complete, numbers


def _batch_sizes_differ(node: Node, batches: Mapping[str, int]) -> ModelError:
    listed = ", ".join(f"{name}: {rows}" for name, rows in batches.items())
    return ModelError(
        f"node {node.name!r}: Beam's keyed handler ignores the batch sizes of its models, and "
        f"these differ or are not counted in elements: {listed}",
        remedy='lowering="blocks" uses the batch size of each model; '
        "or register all with the same batch_size=",
    )


def check(node: Node, specs: Mapping[str, ModelSpec], bases: Mapping[str, Any]) -> None:
    """Raise ModelError if the models need different settings of the workers that they share."""
    hints = {name: base.get_resource_hints() for name, base in bases.items()}
    variables = {
        name: {**environment_variables(spec.target), **spec.env_vars}
        for name, spec in specs.items()
    }
    for words, every in (("environment variables", variables), ("resource hints", hints)):
        first_uses: dict[str, tuple[str, Any]] = {}
        for name, given in every.items():
            for key, value in given.items():
                first, before = first_uses.setdefault(key, (name, value))
                if before != value:
                    raise ModelError(
                        f"node {node.name!r}: models of one keyed step share their workers, but "
                        f"the {words} of {first!r} and {name!r} differ: "
                        f"{key}={before!r} and {key}={value!r}",
                        remedy="set the same for both, or use switch with a branch for each",
                    )
    for name, base in bases.items():
        if base.model_copies() != 1:
            raise ModelError(
                f"node {node.name!r}: the model {name!r} is registered with "
                f"{base.model_copies()} copies; a keyed step loads each model once",
                remedy="register it without model_copies=",
            )


def known(
    graph: Graph,
    node: Node,
    objects: Objects,
    function: Callable[[Any], Any] | None,
) -> Known | None:
    """Return the keys of the source's first elements, if its elements are in the notebook.

    Return None if the node has several inputs, if its source reads files, or if the key depends on
    the output of an earlier step.
    """
    if len(node.inputs) != 1:
        return None
    above = [one for one in graph.upto(node.name) if not one.inputs]
    direct = node.inputs[0].node == above[0].name
    if len(above) > 1 or above[0].name not in objects or not (node["by"] or direct):
        return None
    blocks = objects[above[0].name]
    keys = ElementKeys(node, function)
    found: list[str] = []
    for block in blocks:
        found += _keys(block.take(range(min(len(block), SAMPLE - len(found)))), node, keys)
        if len(found) >= SAMPLE:
            break
    whole = sum(map(len, blocks)) <= SAMPLE
    return Known(found, [keys.routes.model(key) for key in found], whole)


def _keys(block: Block, node: Node, keys: ElementKeys) -> Iterator[str]:
    """Yield the keys of a source's elements; elements without a key are left out."""
    fields = carry(block.values, (node["by"],)) if node["by"] else None
    select = node.inputs[0].select
    for key, value in replace(block, fields=fields).elements():
        try:
            yield keys.of((key, value if node["by"] else pick(value, select)))
        except ENDS_RUN as error:
            if not is_raised(error):  # the user's Ctrl-C
                raise
            raise RunError(
                f"node {node.name!r}: {one_line(error)}",
                remedy="this is not the failure of a single element, so it stopped the run",
                node=node.name,
            ) from error
        except BaseException:  # noqa: BLE001 - the run reports this failure of the element
            continue
