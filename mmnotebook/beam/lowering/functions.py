"""The transforms of steps without a model; labels are node names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import apache_beam as beam
from apache_beam.typehints import KV

from mmnotebook.beam.dofns.node_fn import NodeFn, apply
from mmnotebook.beam.dofns.reuse import Reuse
from mmnotebook.beam.dofns.tracking import CallOutcome, weight
from mmnotebook.beam.lowering import cascade
from mmnotebook.beam.lowering.branches import Arms
from mmnotebook.beam.lowering.combine import Combine
from mmnotebook.elements.block import Block, in_parts
from mmnotebook.elements.coders import Element
from mmnotebook.elements.columns import Column
from mmnotebook.elements.elements import Select, own
from mmnotebook.elements.packing import pack
from mmnotebook.elements.user_code import not_storable
from mmnotebook.errors import RunError
from mmnotebook.graph.graph import Node
from mmnotebook.graph.names import is_a
from mmnotebook.sources import writers
from mmnotebook.state import live


class _Map(NodeFn):
    """A function of each value alone: map and the steps that combine several outputs."""

    def __init__(
        self, node: str, run_id: str, select: Select, function: Callable[[Any], Any]
    ) -> None:
        super().__init__(node, run_id, select)
        self.function = function

    def blocks(self, block: Block) -> Iterable[Block]:
        outcome = self.track.each(block.ids, block.values, self.called, gives=True)
        return in_parts(self.track.stored(block, outcome))

    def called(self, value: Any) -> Any:
        return self.function(own(value))


class _Filter(_Map):
    """Keeps the elements of which the function says yes."""

    def blocks(self, block: Block) -> Iterable[Block]:
        outcome = self.track.each(block.ids, block.values, lambda value: bool(self.called(value)))
        kept = [place for place, yes in zip(outcome.places, outcome.results, strict=True) if yes]
        passed = block.take(kept)
        return [passed.giving(passed.values, [*block.failed, *outcome.failed])]


class _FlatMap(_Map):
    """A child of the element for each item that the function gives."""

    def blocks(self, block: Block) -> Iterable[Block]:
        # What a generator raises later on is its element's failure too.
        outcome = self.track.each(
            block.ids, block.values, lambda value: list(children(self.called(value)))
        )
        parents, values = _children(outcome)
        if errors := not_storable(values):
            by_parent = {parents[place]: error for place, error in errors.items()}
            outcome = self.track.refused(block.ids, outcome, by_parent)
            parents, values = _children(outcome)
        made = block.take([outcome.places[parent] for parent in parents])
        origins = made.ids if made.origins is None else made.origins
        numbers = (number for some in outcome.results for number in range(len(some)))
        ids = [f"{parent}/{number}" for parent, number in zip(made.ids, numbers, strict=True)]
        failed = [*block.failed, *outcome.failed]
        return in_parts(replace(made, ids=ids, values=values, origins=origins, failed=failed))


def _children(outcome: CallOutcome) -> tuple[list[int], Column]:
    """Of each child the place of its parent among the results, and its value."""
    parents = [place for place, some in enumerate(outcome.results) for _ in some]
    return parents, pack([child for some in outcome.results for child in some])


def children(made: Any) -> Iterable[Any]:
    """What a flat_map's function returned, if its items are what it makes of the element.

    Raises
    ------
    TypeError
        For what can be iterated over but means something else, or has no order.
    """
    if isinstance(made, (str, bytes, bytearray, memoryview)):
        remedy = "return a list, [text] for a single item"
    elif isinstance(made, Mapping) or hasattr(made, "_fields"):
        remedy = "return a list, [record] for a single item"
    elif hasattr(made, "columns"):
        remedy = 'return a list, frame.to_dict("records") for its rows'
    elif is_a(made, {("pandas", "Series")}):
        remedy = "return a list, series.tolist() for its values"
    elif isinstance(made, (set, frozenset)):
        remedy = "return a list, sorted(items): a set has no order"
    elif not isinstance(made, Iterable):
        remedy = "return a list, [] for no elements"
    else:
        return made
    kind = "None" if made is None else f"one {type(made).__name__}"
    raise TypeError(f"flat_map takes a list; the function returned {kind}: {remedy}")


class _Combine(_Map):
    """Several outputs for an element as one; of all elements at once where they are numbers."""

    def __init__(self, node: str, run_id: str, how: Combine) -> None:
        super().__init__(node, run_id, None, how.one)
        self.how = how

    def blocks(self, block: Block) -> Iterable[Block]:
        made = self.how.column(block.values)
        if made is None:
            return super().blocks(block)
        self.track.check()
        self.track.came(len(block))
        return in_parts(block.giving(made, block.failed))


def combine(node: Node, pcoll: Any, how: Combine, run_id: str) -> Arms:
    """A step that combines what several models gave."""
    return {None: apply(node.name, pcoll, combiner(node, how, run_id))}


def combiner(node: Node, how: Combine, run_id: str) -> NodeFn:
    """The DoFn of a step that combines what several models gave."""
    return _Combine(node.name, run_id, how)


_CALLS = {"filter": _Filter, "flat_map": _FlatMap}


def call(
    node: Node,
    pcoll: Any,
    select: Select,
    function: Callable[[Any], Any],
    run_id: str,
    reuse: Reuse | None = None,
) -> Arms:
    """A step that calls a function once per element."""
    step = caller(node, select, function, run_id)
    step.reuse = reuse
    return {None: apply(node.name, pcoll, step)}


def caller(node: Node, select: Select, function: Callable[[Any], Any], run_id: str) -> NodeFn:
    """The DoFn of a step that calls a function once per element."""
    return _CALLS.get(node.kind, _Map)(node.name, run_id, select, function)


class _Rows(NodeFn):
    """Blocks, all under one key."""

    leaves = False
    step = "rows"

    def blocks(self, block: Block) -> Iterable[Any]:
        self.track.came(len(block))
        self.track.flow.given += weight(block)
        return [(0, block)]


class _Write(NodeFn):
    """All elements into one file, at once or not at all.

    Parameters
    ----------
    above
        The nodes that the elements come from; they are done when there is something to write.
    """

    enters = False

    def __init__(self, node: str, run_id: str, path: str, above: Sequence[str]) -> None:
        super().__init__(node, run_id)
        self.path, self.above = path, above

    def blocks(self, element: tuple[int, Iterable[Any]]) -> Iterable[Block]:
        if self.track.run is not None:
            self.track.run.judge(self.above)
        blocks = [block for block in element[1] if block is not None]
        try:
            writers.write(self.path, blocks)
        except Exception as error:
            # No element's failure: without its file the run has not done what it was for.
            what, remedy = writers.told(error)
            cause = RunError(
                f"node {self.node!r} cannot write {self.path!r}: {what}",
                remedy=remedy,
                node=self.node,
            )
            raise live.stop(self.run_id, cause) from error
        return blocks

    def weight(self, element: tuple[int, Iterable[Any]]) -> int:
        return sum(weight(block) for block in element[1] if block is not None)


def steps(node: Node) -> tuple[str, ...]:
    """The names of the steps through which elements come in a node, once they are gathered."""
    own = {"write": (_Rows.step, _Write.step), "cascade": cascade.STEPS}
    return own.get(node.kind, (NodeFn.step,))


def write(node: Node, pcoll: Any, select: Select, run_id: str, above: Sequence[str]) -> Arms:
    """The elements, which come from the nodes `above`, as one file; they leave as they came."""
    rows = pcoll | f"{node.name}: rows" >> beam.ParDo(_Rows(node.name, run_id, select))
    # One that is always there, so that a file is also written when no element comes.
    none = pcoll.pipeline | f"{node.name}: always" >> beam.Create([(0, None)])
    rows.element_type = none.element_type = KV[int, Element]
    whole = (rows, none) | f"{node.name}: all" >> beam.Flatten()
    whole = whole | f"{node.name}: together" >> beam.GroupByKey()
    step = _Write(node.name, run_id, node["path"], above)
    return {None: apply(node.name, whole, step)}
