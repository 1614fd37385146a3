"""The DoFn that merges elements of one bundle, window and timestamp into blocks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import apache_beam as beam

from mmnotebook.beam.dofns.node_fn import PlainFn
from mmnotebook.beam.dofns.tracking import Tracker
from mmnotebook.compat.beam import WindowedValue, create_windowed
from mmnotebook.elements.block import BYTES, ROWS, Block


class MergeFn(PlainFn):
    """Merges elements of one bundle, window and timestamp into blocks.

    Attributes
    ----------
    track
        Counts the elements of the blocks; set by `setup`.
    """

    track: Tracker

    @abstractmethod
    def item(self, element: Any) -> tuple[Any, int]:
        """Return what is held of an element until its block is complete, and its size in bytes."""

    @abstractmethod
    def block(self, items: list[Any], window: Any) -> Block:
        """Return a block of the items of one window."""

    def start_bundle(self) -> None:
        self._held: dict[tuple[int, Any], list[Any]] = {}
        self._rows = self._bytes = 0

    def process(
        self,
        element: Any,
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
    ) -> Iterator[WindowedValue]:
        item, nbytes = self.item(element)
        self._held.setdefault((timestamp.micros, window), []).append(item)
        self._rows += 1
        self._bytes += nbytes
        if self._rows >= ROWS or self._bytes >= BYTES:
            yield from self._blocks()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        yield from self._blocks()
        self.track.publish()

    def _blocks(self) -> Iterator[WindowedValue]:
        held = self._held
        self.start_bundle()
        for (micros, window), items in held.items():
            block = self.block(items, window)
            self.track.count_outputs(len(block))
            yield create_windowed(block, micros, (window,))
