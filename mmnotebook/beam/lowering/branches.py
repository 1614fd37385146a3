"""Steps with branches: split by a hash, switch by a function."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apache_beam as beam

from mmnotebook.beam.dofns.node_fn import NodeFn
from mmnotebook.beam.lowering.step import Lowering, tag
from mmnotebook.elements import routing
from mmnotebook.elements.block import Block
from mmnotebook.elements.elements import Key, Select, by_value, own
from mmnotebook.graph.graph import Node


class _Branch(NodeFn):
    """Routes each element to one of the branches."""

    def blocks(self, block: Block) -> Iterator[Any]:
        outcome = self.track.each(block.ids, self.elements(block), self.branch)
        made = block.take(outcome.places).with_choices(branches=outcome.results)
        made.failed = [*block.failed, *outcome.failed]
        yield made
        for name, part in by_branch(made):
            self.track.tally.branches[name] += len(part)
            yield beam.pvalue.TaggedOutput(tag(name), part)

    def elements(self, block: Block) -> Iterable[Any]:
        """Return the argument of `branch` for each element."""
        return block.elements()

    @abstractmethod
    def branch(self, element: Any) -> str:
        """Return the branch of an element."""


class _Split(_Branch):
    def __init__(
        self, node: Node, run_id: str, select: Select, function: Callable[[Any], Any] | None
    ) -> None:
        super().__init__(node.name, run_id, select)
        self.branches, self.by, self.salt = node["arms"], node["by"], node["salt"]
        self.function = function
        pin = node["pin"] or ()
        self.pinned: dict[str, str] = {key: branch for keys, branch in pin for key in keys}

    def elements(self, block: Block) -> Iterable[Any]:
        if self.by is None and self.function is None:  # the values are not needed
            return zip(block.keys(), itertools.repeat(None))
        return block.elements()

    def branch(self, element: tuple[Key, Any]) -> str:
        key, value = element
        if key.id in self.pinned:
            return self.pinned[key.id]
        token = self._token(key, value)
        pinned = self.pinned.get(token)
        return pinned or routing.branch(routing.fraction(token, self.salt), self.branches)

    def _token(self, key: Key, value: Any) -> str:
        if self.function is not None:
            return routing.token(self.function(own(value)))
        return key.id if self.by is None else routing.token(by_value(key, value, self.by))


class _Switch(_Branch):
    def __init__(
        self, node: Node, run_id: str, select: Select, function: Callable[[Any], Any]
    ) -> None:
        super().__init__(node.name, run_id, select)
        self.branches, self.function = node.arms, function

    def elements(self, block: Block) -> Iterable[Any]:
        return block.values

    def branch(self, element: Any) -> str:
        return routing.named(self.function(own(element)), self.branches)


def by_branch(block: Block) -> Iterator[tuple[str, Block]]:
    """Yield the elements of each branch."""
    places: dict[str, list[int]] = {}
    for place, branch in enumerate(block.branches or ()):
        places.setdefault(str(branch), []).append(place)
    for name, chosen in places.items():
        yield name, block.take(chosen)


SPLIT = Lowering(
    dofn=lambda step: _Split(
        step.node, step.run_id, step.select, step.function_or_none("by_function")
    )
)
SWITCH = Lowering(dofn=lambda step: _Switch(step.node, step.run_id, step.select, step.function()))
