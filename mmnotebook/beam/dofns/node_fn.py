"""The DoFn below every step: blocks in, blocks out, tracked."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.transforms.core import get_function_args_defaults

from mmnotebook.beam.dofns.reuse import Reuse
from mmnotebook.beam.dofns.tracking import Tracker, weight
from mmnotebook.elements import pickling
from mmnotebook.elements.block import Block
from mmnotebook.elements.elements import Select


class PlainFn(beam.DoFn):
    """A DoFn without state and timers."""

    # Beam asks for the signature of every method, dozens of times in a run, and twice as often to
    # find state and timers: half of what a run costs before it begins.

    def __dir__(self) -> list[str]:
        return []

    def __getattr__(self, name: str) -> Any:
        if name.startswith(_INSPECT):  # where Beam looks for what it would find out itself
            return functools.partial(_arguments, type(self), name.removeprefix(_INSPECT))
        raise AttributeError(name)


_INSPECT = "_inspect_"


def _arguments(kind: Any, method: str) -> tuple[list[str], list[Any]]:
    """The names of a method's arguments, and those of their defaults that there are."""
    names, defaults = _found(kind, method)
    return list(names), list(defaults)


@functools.cache
def _found(kind: Any, method: str) -> tuple[Sequence[str], Sequence[Any]]:
    names, defaults = get_function_args_defaults(getattr(kind, method))
    return names[1:], defaults


class NodeFn(pickling.Sent, PlainFn, ABC):
    """Base of a node's steps.

    A subclass says in `blocks` what becomes of one element of its input, a block as a rule.
    `enters` and `leaves` say whether this step counts what comes into the node and what goes out.
    With `reuse`, blocks or elements that are known already are not made again.

    Parameters
    ----------
    select
        The fields of each value that the step is given.
    """

    enters = True
    leaves = True
    step = "main"
    reuse: Reuse | None = None

    def __init__(self, node: str, run_id: str, select: Select = None) -> None:
        self.node, self.run_id, self.select = node, run_id, select

    def setup(self) -> None:
        self.track = Tracker(self.node, self.run_id, self.step, self.enters)
        self.track.keeps(getattr(self, "function", None))

    def process(self, element: Any) -> Iterator[Any]:
        self.track.check()
        if isinstance(element, Block):
            element = self.track.picked(element, self.select)
            self.track.meets(element)
        for made in self.track.timed(lambda: self._made(element)):
            if isinstance(made, Block):
                self.track.flow.given += weight(made)
                if self.leaves:
                    self.track.gave(len(made))
            yield made
        self.track.done()
        # Last of all: what is taken has been given on.
        self.track.flow.taken += self.weight(element)

    def _made(self, element: Any) -> Iterable[Any]:
        """What becomes of one element, as far as that is not known already."""
        if self.reuse is None:
            return self.blocks(element)
        return self.reuse.blocks(self.track, element, self.blocks)

    def weight(self, element: Any) -> int:
        """How many elements, failed ones included, one element of the input stands for."""
        return weight(element) if isinstance(element, Block) else 0

    @abstractmethod
    def blocks(self, element: Any) -> Iterable[Any]:
        """What becomes of one element."""

    def finish_bundle(self) -> None:
        self.track.publish()


def apply(label: str, pcoll: Any, function: NodeFn, *tags: str) -> Any:
    """The step as a transform that gives typed blocks, by tag where there are tags."""
    step = beam.ParDo(function)
    if not tags:
        return pcoll | label >> step.with_output_types(Block)
    outputs = pcoll | label >> step.with_outputs(*tags, main="main")
    for tag in ("main", *tags):
        outputs[tag].element_type = Block
    return outputs
