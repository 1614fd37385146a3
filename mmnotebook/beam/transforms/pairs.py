"""DoFns that run a chain of ParDos over pairs of a key and a value."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.transforms.window import TimestampedValue
from apache_beam.typehints.decorators import IOTypeHints

from mmnotebook.beam.dofns.node_fn import NodeFn, PlainFn
from mmnotebook.beam.dofns.tracking import CallOutcome, Tracker, weight
from mmnotebook.beam.streaming.windowed_blocks import plain
from mmnotebook.compat.beam import WindowedValue, arguments_of, at_most_one, makes_children
from mmnotebook.elements import pickling
from mmnotebook.elements.block import Block
from mmnotebook.elements.elements import Key, own, own_rows, settled
from mmnotebook.elements.packing import pack
from mmnotebook.elements.user_code import ENDS_RUN
from mmnotebook.graph.names import is_a
from mmnotebook.results.records import Failure
from mmnotebook.state import places

_PREDICTION = {("apache_beam", "PredictionResult")}


class Broken(NamedTuple):
    """The value of an element that has failed, which later DoFns pass on."""

    failure: Failure


class ItemsFn(NodeFn):
    """The base class of DoFns whose outputs for a block are many items, not blocks."""

    leaves = False

    def process(self, element: Block) -> Iterator[Any]:
        # The code of a step is observed once per item, so all items of a block are one here.
        block = self.track.picked(element, self.select)
        for items in self.track.timed(lambda: [list(self.blocks(block))]):
            yield from items


class Apart(ItemsFn):
    """Yields each element of a block as a pair of its key and a copy of its value."""

    step = "apart"

    def blocks(self, block: Block) -> Iterator[Any]:
        self.track.count_inputs(len(block))
        self.track.flow.given += weight(block)
        for failure in block.failed:
            yield Key(failure.id, failure.id), Broken(failure)
        yield from zip(block.keys(), rows_of(block), strict=True)


def rows_of(block: Block) -> Iterator[Any]:
    """Return an iterator of copies of the values, which a function may change."""
    rows = own_rows(block.values)
    return map(own, block.values) if rows is None else rows


class PairFn(pickling.Sent, PlainFn):
    """Calls a DoFn with the value of each pair, and adds the key to each output.

    A DoFn that outputs at most one value per element by its construction (of `beam.Map` and
    `beam.Filter`) keeps ids. Any other function is one that returns a list: its outputs are
    children of the element. A DoFn of any other class keeps the id of an element for which it has a
    single output; several outputs are children.

    Parameters
    ----------
    function
        The DoFn.
    step
        The name of the step, which is unique in its node.
    """

    def __init__(self, node: str, run_id: str, step: str, function: beam.DoFn) -> None:
        self.node, self.run_id, self.step, self.function = node, run_id, step, function
        self.keeps, self.makes_children = at_most_one(function), makes_children(function)

    def setup(self) -> None:
        self._track = Tracker(self.node, self.run_id, self.step, enters=False)
        self._track.watch_state(self.function)
        self.function.setup()

    def teardown(self) -> None:
        self.function.teardown()

    def start_bundle(self) -> None:
        self.function.start_bundle()

    def finish_bundle(self) -> None:
        self._track.publish()

    def default_type_hints(self) -> IOTypeHints:
        return IOTypeHints.empty()  # the annotations of `process` are not those of the values

    def _inspect_process(self) -> Any:
        return arguments_of(self.function)

    def process(self, element: tuple[Key, Any], *args: Any, **kwargs: Any) -> Iterable[Any]:
        key, value = element
        track = self._track
        track.check()
        if isinstance(value, Broken):
            return [element]
        started = time.perf_counter()
        try:
            with places.within(track.run, self.node):
                made = list(self.function.process(value, *args, **kwargs) or ())
        except ENDS_RUN:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the user's function raises
            return [(key, Broken(track.fail(key.id, error)))]
        finally:
            track.seconds += time.perf_counter() - started
        return self._keyed(key, [one for one in made if not isinstance(one, _TAGGED)])

    def _keyed(self, key: Key, made: Sequence[Any]) -> list[Any]:
        if self.keeps or (len(made) == 1 and not self.makes_children):
            return [_paired(key, one) for one in made]
        return [_paired(key.child(place), one) for place, one in enumerate(made)]


_TAGGED = beam.pvalue.TaggedOutput


def _paired(key: Key, output: Any) -> Any:
    """Add a key to the value of an output, which keeps its timestamp and windows."""
    if isinstance(output, WindowedValue):
        return output.with_value((key, settled(output.value)))
    if isinstance(output, TimestampedValue):
        return TimestampedValue((key, settled(output.value)), output.timestamp)
    return key, settled(output)


class IntoWindowsFn(PairFn):
    """Assigns windows to each pair; also to elements that have failed."""

    def process(self, element: tuple[Key, Any], *args: Any, **kwargs: Any) -> Iterable[Any]:
        key, value = element
        if not isinstance(value, Broken):
            return super().process(element, *args, **kwargs)
        return [_paired(key, one) for one in self.function.process(value, *args, **kwargs)]


def record(value: Any) -> Any:
    """Return a row or named tuple as a dict; a prediction and any other value unchanged."""
    return value if is_a(value, _PREDICTION) else plain(value)


def block_of(track: Tracker, pairs: Sequence[tuple[Key, Any]]) -> Block:
    """Return a block of pairs; elements whose values cannot be stored fail."""
    failed = [value.failure for _, value in pairs if isinstance(value, Broken)]
    good = [pair for pair in pairs if not isinstance(pair[1], Broken)]
    block = Block.of([(key, None) for key, _ in good], failed)
    values = [record(value) for _, value in good]
    if not good:
        return Block([], pack([]), failed=failed)
    return track.stored(block, CallOutcome(list(range(len(good))), values))
