"""The lowering of a step that applies a Beam transform of the user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
from apache_beam import typehints

from mmnotebook.beam.dofns.node_fn import NodeFn, apply
from mmnotebook.beam.dofns.tracking import weight
from mmnotebook.beam.dofns.windows import InWindows
from mmnotebook.beam.lowering.step import Arms, BoundStep, Lowering
from mmnotebook.beam.transforms import expansion, ids
from mmnotebook.beam.transforms.chain import ChainFn
from mmnotebook.beam.transforms.expansion import ChainPart, Expansion
from mmnotebook.beam.transforms.pairs import Apart, IntoWindowsFn, ItemsFn, PairFn, rows_of
from mmnotebook.compat.beam import takes_values_only
from mmnotebook.elements.block import Block
from mmnotebook.elements.coders import Element
from mmnotebook.elements.packing import pack
from mmnotebook.errors import RunError
from mmnotebook.graph.graph import Graph, Node


class _Values(ItemsFn):
    """Yields a copy of each value of a block; the failures have an output of their own."""

    step = "values"

    def blocks(self, block: Block) -> Iterator[Any]:
        self.track.count_inputs(len(block))
        self.track.flow.given += weight(block)
        if block.failed:
            yield beam.pvalue.TaggedOutput("failed", Block([], pack([]), failed=block.failed))
        yield from rows_of(block)


def _decide(graph: Graph, step: BoundStep, objects: Mapping[str, Sequence[Block]]) -> Expansion:
    node = step.node
    found = expansion.of(node.name, step.function("transform"))
    later = next((one for one in graph if any(w.node == node.name for w in one.inputs)), None)
    if found.output and later is not None:
        raise _no_pcollection(node.name, found.output, repr(later.name))
    return found


def _no_pcollection(node: str, output: str, later: str) -> RunError:
    return RunError(
        f"node {node!r}: its transform returns a {output}, not a PCollection, so {later} cannot "
        "follow it",
        remedy="let the transform return one PCollection, or end the line with it",
        node=node,
    )


def _transforms(step: BoundStep, pcoll: Any) -> Arms:
    made: Expansion = step.decision
    if made.others - {pcoll.pipeline}:
        raise RunError(
            f"node {step.node.name!r}: its transform uses a PCollection of another pipeline "
            "than the one that runs",
            remedy="mm.compile_graph(graph, pipeline) with the pipeline of that PCollection; "
            "mm.run runs a pipeline of its own",
            node=step.node.name,
        )
    if made.parts is None:
        return {None: _whole(step, pcoll)}
    return {None: _by_element(step, pcoll, made.parts)}


def _by_element(step: BoundStep, pcoll: Any, parts: Sequence[ChainPart]) -> Any:
    """Apply a chain of ParDos to pairs of a key and a value."""
    name, run_id = step.node.name, step.run_id
    if _is_plain(parts):
        pardos = [part.transform for part in parts]
        return apply(name, pcoll, ChainFn(name, run_id, step.select, pardos))
    apart = beam.ParDo(Apart(name, run_id, step.select))
    pairs = _typed(pcoll | f"{name}: apart" >> apart)
    for place, part in enumerate(parts):
        pairs = _typed(
            pairs | f"{name}: {place}, {part.transform.label}" >> _paired(step, place, part)
        )
    return ids.together(name, pairs, name, run_id)


def _is_plain(parts: Sequence[ChainPart]) -> bool:
    """Return whether a chain can run over blocks: it needs no windows, times or side inputs."""
    return all(part.windowing is None and takes_values_only(part.transform) for part in parts)


def _paired(step: BoundStep, place: int, part: ChainPart) -> Any:
    arguments = step.node.name, step.run_id, f"transform {place}", part.transform.dofn
    if part.windowing is not None:
        made: Any = InWindows(IntoWindowsFn(*arguments), part.windowing)
    else:
        given, named = part.transform.raw_side_inputs
        made = beam.ParDo(PairFn(*arguments), *given, **named)
    made.get_resource_hints().update(part.transform.get_resource_hints())
    return made


def _typed(pcoll: Any) -> Any:
    pcoll.element_type = Element
    return pcoll


def _whole(step: BoundStep, pcoll: Any) -> Any:
    """Apply a transform to the values; the elements of its output get new ids."""
    name, run_id = step.node.name, step.run_id
    values = beam.ParDo(_Values(name, run_id, step.select))
    outputs = pcoll | f"{name}: values" >> values.with_outputs("failed", main="main")
    given, failed = outputs["main"], outputs["failed"]
    given.element_type, failed.element_type = typehints.Any, Block
    made = expansion.applied(name, given, step.function("transform"))
    if not isinstance(made, beam.PCollection):
        if not step.decision.output:
            raise _no_pcollection(name, type(made).__name__, "a step")
        return failed
    blocks = ids.enter(name, made, name, run_id)
    if made.windowing.windowfn != failed.windowing.windowfn:
        failed = failed | f"{name}: failed" >> beam.WindowInto(made.windowing.windowfn)
        failed.element_type = Block
    whole = (blocks, failed) | f"{name}: all" >> beam.Flatten()
    whole.element_type = Block
    return whole


def _entered(node: Node, made: Expansion) -> tuple[str, ...] | None:
    return (NodeFn.step,) if made.parts is not None and _is_plain(made.parts) else None


def _uncacheable(made: Expansion) -> str:
    if made.parts is not None:
        return ""
    return f"its transform may do more than compute its output: {made.reason}"


def _explained(step: BoundStep) -> str:
    made: Expansion = step.decision
    kind = type(step.function("transform")).__name__
    if made.output:
        return f"a Beam transform ({kind}) that ends the line: it returns a {made.output}"
    if made.parts is None:
        return f"a Beam transform ({kind}) of all values; ids start anew, because {made.reason}"
    return f"a Beam transform ({kind}) of each value, which keeps ids"


LOWERING = Lowering(
    transforms=_transforms,
    decide=_decide,
    uncacheable=_uncacheable,
    explain=_explained,
    entered=_entered,
)
