"""The DoFn of all steps: blocks in, blocks out, with tracking."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam

from mmnotebook.beam.dofns.reuse import Reuse
from mmnotebook.beam.dofns.tracking import Tracker, weight
from mmnotebook.compat.beam import INSPECTS, arguments_and_defaults
from mmnotebook.elements import pickling
from mmnotebook.elements.block import Block
from mmnotebook.elements.elements import Select


class PlainFn(beam.DoFn):
    """A DoFn without state and timers."""

    # Beam inspects the signatures of all methods dozens of times in a run, and all names that
    # `dir` lists when it looks for state and timers. Without this method, these inspections are
    # half of a run's fixed cost.

    def __dir__(self) -> list[str]:
        return []

    def __getattr__(self, name: str) -> Any:
        if name.startswith(INSPECTS):  # Beam looks up the signature here first
            return functools.partial(_arguments, type(self), name.removeprefix(INSPECTS))
        raise AttributeError(name)


def _arguments(kind: Any, method: str) -> tuple[list[str], list[Any]]:
    """Return the names of a method's arguments, and the defaults of those that have one."""
    names, defaults = _found(kind, method)
    return list(names), list(defaults)


@functools.cache
def _found(kind: Any, method: str) -> tuple[Sequence[str], Sequence[Any]]:
    names, defaults = arguments_and_defaults(getattr(kind, method))
    return names[1:], defaults


class NodeFn(pickling.Sent, PlainFn, ABC):
    """The base class of the DoFns of a node.

    A subclass implements `blocks`, which computes the output for one element of its input, usually
    a block. `enters` and `leaves` say whether this step counts the node's input and output. With
    `reuse`, outputs that are stored for equal blocks or elements are not computed again.

    Parameters
    ----------
    select
        The fields that the step selects from each value.
    """

    enters = True
    leaves = True
    step = "main"
    reuse: Reuse | None = None

    def __init__(self, node: str, run_id: str, select: Select = None) -> None:
        self.node, self.run_id, self.select = node, run_id, select

    def setup(self) -> None:
        self.track = Tracker(self.node, self.run_id, self.step, self.enters)
        self.track.watch_state(getattr(self, "function", None))

    def process(self, element: Any) -> Iterator[Any]:
        self.track.check()
        self.track.report_early()
        if isinstance(element, Block):
            element = self.track.picked(element, self.select)
            self.track.watch_folders(element)
        for made in self.track.timed(lambda: self._made(element)):
            if isinstance(made, Block):
                self.track.flow.given += weight(made)
                if self.leaves:
                    self.track.count_outputs(len(made))
            yield made
        self.track.end_block()
        # Counted last, when all output of this input was passed on.
        self.track.flow.taken += self.weight(element)

    def _made(self, element: Any) -> Iterable[Any]:
        """Return the output for one element of the input; compute only what is not stored."""
        if self.reuse is None:
            return self.blocks(element)
        return self.reuse.blocks(self.track, element, self.blocks)

    def weight(self, element: Any) -> int:
        """Return the number of elements in one element of the input, including failed elements."""
        return weight(element) if isinstance(element, Block) else 0

    @abstractmethod
    def blocks(self, element: Any) -> Iterable[Any]:
        """Compute the output for one element of the input."""

    def finish_bundle(self) -> None:
        self.track.publish()


def apply(label: str, pcoll: Any, function: NodeFn, *tags: str) -> Any:
    """Apply a DoFn that returns blocks; return its PCollection, or its outputs by tag."""
    step = beam.ParDo(function)
    if not tags:
        return pcoll | label >> step.with_output_types(Block)
    outputs = pcoll | label >> step.with_outputs(*tags, main="main")
    for tag in ("main", *tags):
        outputs[tag].element_type = Block
    return outputs
