"""Recordings of Beam transforms: blocks, with window and timestamp."""

from __future__ import annotations

import functools
import itertools
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from apache_beam.transforms.window import GlobalWindow, IntervalWindow

from mmnotebook.beam.dofns import windows
from mmnotebook.beam.dofns.tracking import Tracker
from mmnotebook.beam.streaming import windowed_blocks
from mmnotebook.compat.beam import PANE_INFO_UNKNOWN, Windowing
from mmnotebook.elements.block import Block, in_parts
from mmnotebook.elements.packing import pack
from mmnotebook.fingerprint.identity import digest
from mmnotebook.sources import identity, objects
from mmnotebook.store import timed
from mmnotebook.store.timed import Time


class RecordedElement(NamedTuple):
    """One element: its value, timestamp in microseconds, and window."""

    value: Any
    micros: int
    window: Any


@dataclass(frozen=True)
class Recording:
    """The recorded elements of a source, with their positions as ids.

    Attributes
    ----------
    blocks, times
        The blocks, and the window and timestamp that all elements of a block share.
    windowing
        The windowing of the source's PCollection.
    ended
        The reason why the recording ended.
    """

    name: str
    blocks: Sequence[Block] = field(repr=False)
    times: Sequence[Time] = field(repr=False)
    windowing: Windowing
    ended: str

    @classmethod
    def of(
        cls, name: str, rows: Sequence[RecordedElement], windowing: Windowing, ended: str
    ) -> Recording:
        """Create the recording of rows in the order of their arrival."""
        blocks: list[Block] = []
        times: list[Time] = []
        place = 0
        for (micros, window), group in itertools.groupby(rows, lambda row: row[1:]):
            values = [row.value for row in group]
            ids = list(map(str, range(place, place + len(values))))
            place += len(values)
            for part in in_parts(Block(ids, objects.kept(pack(values)))):
                blocks.append(part)
                times.append((micros, (window,), PANE_INFO_UNKNOWN))
        return cls(name, blocks, times, windowing, ended)

    def __len__(self) -> int:
        return sum(map(len, self.blocks))

    def first(self, limit: int | None) -> Recording:
        """Return the recording of the first `limit` elements."""
        if limit is None or limit >= len(self):
            return self
        blocks: list[Block] = []
        for block in self.blocks:
            left = limit - sum(map(len, blocks))
            if left > 0:
                blocks.append(block.take(range(min(left, len(block)))))
        return replace(self, blocks=blocks, times=self.times[: len(blocks)])

    def named(self, field: str | None) -> Recording:
        """Return the recording with a field as ids; elements without a unique id fail."""
        if field is None:
            return self
        name = windowed_blocks.name_in(field, self.windowing.windowfn)
        track = Tracker(self.name, "", enters=False)
        seen: set[str] = set()

        def own(window: Any, value: Any) -> str:
            text = name(value, window)
            if text in seen:
                raise ValueError(f"duplicate {field} {text!r}; ids must be unique")
            seen.add(text)
            return text

        blocks = [
            windowed_blocks.named(track, block.ids, block, functools.partial(own, found[0]))
            for block, (_, found, _) in zip(self.blocks, self.times, strict=True)
        ]
        return replace(self, blocks=blocks)

    def digest(self) -> str:
        """Return a digest that is equal for the same elements in the same windows.

        Raises
        ------
        mmnotebook.fingerprint.identity.Unknowable
            If an element or its window cannot be fingerprinted.
        """
        when = [(micros, [_known(window) for window in found]) for micros, found, _ in self.times]
        failed = [[tuple(failure) for failure in block.failed] for block in self.blocks]
        windowfn = self.windowing.windowfn
        return digest(["stream 1", identity.of_blocks(self.blocks), when, failed, windowfn])

    def write(self, writer: timed.Writer) -> None:
        """Write the blocks into shards, each with its time."""
        for block, when in zip(self.blocks, self.times, strict=True):
            writer.add(block, when)
            if writer.full:
                writer.flush()
        if writer.buffer:
            writer.flush()

    def usual(self) -> Windowing | None:
        """Return the windowing of the recorded elements; None for Beam's default."""
        return windows.kept(self.windowing)


def _known(window: Any) -> Any:
    """Return a global or interval window as plain data, and any other window unchanged."""
    if type(window) not in (GlobalWindow, IntervalWindow):
        return window
    return type(window).__name__, window.start.micros, window.end.micros


_made: list[tuple[weakref.ref[Any], Recording]] = []


def find(transform: Any, limit: int | None) -> Recording | None:
    """Return this process's recording of a transform if it has enough elements for `limit`."""
    for made, recording in _made:
        if made() is transform:
            cut = recording.ended.startswith("until limit=")
            enough = not cut or (limit is not None and limit <= len(recording))
            return recording if enough else None
    return None


def keep(transform: Any, recording: Recording) -> None:
    """Keep a recording as long as its transform exists; an empty recording is not kept."""
    others = [(made, other) for made, other in _made if made() is not None]
    _made[:] = [(made, other) for made, other in others if made() is not transform]
    if len(recording):
        _made.append((weakref.ref(transform), recording))
