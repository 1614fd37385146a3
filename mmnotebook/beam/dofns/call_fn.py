"""The DoFn of a step that calls a function with each value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mmnotebook.beam.dofns.node_fn import NodeFn
from mmnotebook.elements.block import Block, in_parts
from mmnotebook.elements.elements import Select, own, own_rows


class CallFn(NodeFn):
    """Calls a function with each value; outputs the results."""

    def __init__(
        self, node: str, run_id: str, select: Select, function: Callable[[Any], Any]
    ) -> None:
        super().__init__(node, run_id, select)
        self.function = function

    def blocks(self, block: Block) -> Iterable[Block]:
        """Yield a block with the result of the function for each value."""
        values, function = self.calls(block)
        outcome = self.track.each(block.ids, values, function, counts_output=True)
        return in_parts(self.track.stored(block, outcome))

    def calls(self, block: Block) -> tuple[Iterable[Any], Callable[[Any], Any]]:
        """Return the values of a block, and what to call with each of them.

        The function receives copies, which it may change.
        """
        rows = own_rows(block.values)
        return (block.values, self.called) if rows is None else (rows, self.function)

    def called(self, value: Any) -> Any:
        """Call the function with one value."""
        return self.function(own(value))
