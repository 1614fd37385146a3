"""Shards of elements with their timestamps, windows and panes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MIN_TIMESTAMP

from mmnotebook.compat.beam import PANE_INFO_UNKNOWN, create_windowed
from mmnotebook.elements.block import Block
from mmnotebook.store import shards
from mmnotebook.store.shards import ShardInfo

ELEMENTS = 4096
"""The maximum number of Beam elements in a shard."""
ROWS = 1 << 16
"""A shard gets no more blocks when its blocks have this many elements of a run."""
BYTES = 32 << 20
"""The approximate maximum size of a shard with more than one element, in bytes."""

Time = tuple[int, tuple[Any, ...], Any]
"""Timestamp in microseconds, windows, pane."""
_USUAL: Time = (MIN_TIMESTAMP.micros, (GlobalWindow(),), PANE_INFO_UNKNOWN)
_SAMPLE = 16


@dataclass(frozen=True)
class Timed:
    """The value of a shard in which some elements do not have the default time.

    The default is the minimum timestamp, the global window and an unknown pane.

    Attributes
    ----------
    values
        The elements.
    times
        The time of each element; None for an element that was written without a time.
    """

    values: list[Any]
    times: list[Time | None]


def values(shard: list[Any] | Timed) -> list[Any]:
    """Return the elements of a shard, without their times."""
    return shard.values if isinstance(shard, Timed) else shard


def pairs(shard: list[Any] | Timed) -> Iterator[tuple[Any, Time | None]]:
    """Yield (element, time) for the elements of a shard; None is the default time."""
    times = shard.times if isinstance(shard, Timed) else itertools.repeat(None)
    return zip(values(shard), times, strict=False)


def in_one_window(shard: list[Any] | Timed) -> bool:
    """Return whether all elements of a shard are in the global window."""
    times = shard.times if isinstance(shard, Timed) else ()
    return all(when is None or when[1] == _USUAL[1] for when in times)


def at(value: Any, when: Time | None) -> Any:
    """Return a value as Beam's WindowedValue, or unchanged if its time is None."""
    return value if when is None else create_windowed(value, *when)


def windowed(shard: list[Any] | Timed) -> Iterator[Any]:
    """Yield a shard's elements as Beam's WindowedValue; elements without a time are unchanged."""
    if not isinstance(shard, Timed):
        yield from (create_windowed(value, *_USUAL) for value in shard)
        return
    yield from itertools.starmap(at, pairs(shard))


def columns(times: Sequence[Time | None]) -> dict[str, Any]:
    """Return event time, window start and window end as UTC timestamps, NaT where unknown."""
    micros = [_USUAL[0] if when is None else when[0] for when in times]
    windows = [GlobalWindow() if when is None else when[1][0] for when in times]
    found = {
        "event_time": micros,
        "window_start": [_micros(window, "start") for window in windows],
        "window_end": [_micros(window, "end") for window in windows],
    }
    return {name: _utc(column) for name, column in found.items()}


def _micros(window: Any, end: str) -> int:
    # A window class of the user may have no start.
    known = None if isinstance(window, GlobalWindow) else getattr(window, end, None)
    return _USUAL[0] if known is None else int(known.micros)


def _utc(micros: Sequence[int]) -> Any:
    stamps = np.array(micros, dtype="datetime64[us]")
    stamps[np.array(micros) == _USUAL[0]] = np.datetime64("NaT")
    return pd.DatetimeIndex(stamps).tz_localize("UTC").array


def files(folder: Path) -> list[Path]:
    """List the shards in a folder, in the order in which they were written."""
    return sorted(folder.glob("*.shard"))


def read(folder: Path) -> Iterator[list[Any] | Timed]:
    """Yield the values of the shards in a folder."""
    for file in files(folder):
        yield shards.read(file, shards.info(file))


def size(folder: Path) -> int:
    """Return the size of the shards in a folder, in bytes."""
    return sum(file.stat().st_size for file in files(folder))


Write = Callable[[Path, int, object, int], ShardInfo]
"""A function that writes a shard. Arguments: folder, number (for the order), value, rows."""


def write_shard(folder: Path, number: int, value: object, rows: int = 0) -> ShardInfo:
    """Write a shard into a folder outside of any store."""
    return shards.write(folder / shards.new_name(number), value, rows)


class Writer:
    """A writer that collects elements and writes them as shards to an existing folder.

    Attributes
    ----------
    buffer
        The elements that have not been written yet.
    """

    def __init__(self, folder: Path, write: Write = write_shard) -> None:
        self.folder, self._write = folder, write
        self._numbers = itertools.count()
        # One object per window: a pickle contains it once, and then references to it.
        self._windows = {_USUAL[1]: _USUAL[1]}
        self._start()

    def _start(self) -> None:
        self.buffer: list[Any] = []
        self._times: list[Time | None] = []
        self._bytes = self._rows = 0

    def add(self, value: Any, when: Time | None) -> None:
        """Add an element; the caller calls `flush` when `full` is true."""
        self.buffer.append(value)
        if when is not None:
            stamp, windows, pane = when
            when = stamp, self._windows.setdefault(windows, windows), pane
        self._times.append(when)
        self._bytes += _bytes(value)
        self._rows += len(value) if isinstance(value, Block) else 1

    @property
    def full(self) -> bool:
        """Whether there are enough elements for a shard."""
        return len(self.buffer) >= ELEMENTS or self._rows >= ROWS or self._bytes >= BYTES

    def flush(self) -> str:
        """Write the added elements to a shard; return its file name."""
        usual = all(when == _USUAL for when in self._times)
        shard = self.buffer if usual else Timed(self.buffer, self._times)
        name = self._write(self.folder, next(self._numbers), shard, self._rows).name
        self._start()
        return name


def _bytes(value: Any) -> int:
    """Estimate the size of a value in bytes; for a collection, from a sample of its items."""
    size = getattr(value, "nbytes", None)
    if isinstance(size, int):
        return size
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple) and value:
        some = value[:: -(-len(value) // _SAMPLE)]
        return 8 * len(value) + sum(map(_bytes, some)) * len(value) // len(some)
    return 64
