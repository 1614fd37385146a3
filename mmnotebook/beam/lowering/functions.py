"""The lowering of steps that call a function with each value: map, flat_map and filter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from mmnotebook.beam.dofns.call_fn import CallFn
from mmnotebook.beam.dofns.tracking import CallOutcome
from mmnotebook.beam.lowering.step import Lowering
from mmnotebook.elements.block import Block, in_parts
from mmnotebook.elements.columns import Column
from mmnotebook.elements.packing import pack
from mmnotebook.elements.user_code import not_storable
from mmnotebook.graph.names import is_a


class _Filter(CallFn):
    """Keeps the elements for which the function is true."""

    def blocks(self, block: Block) -> Iterable[Block]:
        values, function = self.calls(block)
        outcome = self.track.each(block.ids, values, lambda value: bool(function(value)))
        kept = [place for place, yes in zip(outcome.places, outcome.results, strict=True) if yes]
        passed = block.take(kept)
        return [passed.with_values(passed.values, [*block.failed, *outcome.failed])]


class _FlatMap(CallFn):
    """Creates a child of the element for each item that the function returns."""

    def blocks(self, block: Block) -> Iterable[Block]:
        # An error that a generator raises later is also a failure of its element.
        given, function = self.calls(block)
        outcome = self.track.each(block.ids, given, lambda value: list(children(function(value))))
        parents, values = _children(outcome)
        if errors := not_storable(values):
            by_parent = {parents[place]: error for place, error in errors.items()}
            outcome = self.track.fail_places(block.ids, outcome, by_parent)
            parents, values = _children(outcome)
        made = block.take([outcome.places[parent] for parent in parents])
        origins = made.ids if made.origins is None else made.origins
        numbers = (number for some in outcome.results for number in range(len(some)))
        ids = [f"{parent}/{number}" for parent, number in zip(made.ids, numbers, strict=True)]
        failed = [*block.failed, *outcome.failed]
        return in_parts(replace(made, ids=ids, values=values, origins=origins, failed=failed))


def _children(outcome: CallOutcome) -> tuple[list[int], Column]:
    """Return, for each child, the place of its parent among the results, and its value."""
    parents = [place for place, some in enumerate(outcome.results) for _ in some]
    return parents, pack([child for some in outcome.results for child in some])


def children(made: Any) -> Iterable[Any]:
    """Return a flat_map function's result if its items are the element's children.

    Raises
    ------
    TypeError
        If iterating over the result has another meaning (as for text), or has no order.
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


MAP = Lowering(each=lambda step: step.function())
FLAT_MAP = Lowering(
    dofn=lambda step: _FlatMap(step.node.name, step.run_id, step.select, step.function())
)
FILTER = Lowering(
    dofn=lambda step: _Filter(step.node.name, step.run_id, step.select, step.function())
)
