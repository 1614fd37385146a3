"""The join of blocks in files, one range of ids after another.

The elements are numbered in the order in which their ids first occur, member by member, and each
range has the elements with consecutive numbers. If the members have their elements in about the
same order, a range is in a few consecutive blocks of each member. A member with another order is
first divided into new blocks, one or a few for each range.

Ids are compared by 32-bit codes. Different ids with equal codes are in the same range, where the
join compares the ids themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmnotebook.beam.lowering.join import merged
from mmnotebook.elements.block import Block
from mmnotebook.elements.spill import Spilled, SpillFile

ROWS = 8192
"""The maximum number of ids in a range."""
BYTES = 64 << 20
"""The approximate maximum size of a range with more than one id, in bytes."""
SCATTERED = 4
"""A member is divided into new blocks if its blocks are in this many ranges on average."""

Codes = np.ndarray[Any, np.dtype[np.uint32]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class IndexedBlock:
    """A block of a member in a file.

    Attributes
    ----------
    spilled
        The block.
    codes
        The code of each element's id; equal ids have equal codes. No codes for a block of failures.
    """

    spilled: Spilled
    codes: Codes


def ranges(members: Sequence[Sequence[IndexedBlock]], folder: Path) -> Iterator[list[list[Block]]]:
    """Yield the blocks of each member, for one range of ids after another.

    Parameters
    ----------
    members
        The blocks of each member, in order.
    folder
        The folder for new files.
    """
    rows = _rows(members)
    numbered = numbers([_codes(parts) for parts in members])
    readers = [
        _Reader(parts, of_member // rows, folder)
        for parts, of_member in zip(members, numbered, strict=True)
    ]
    for place in sorted({place for reader in readers for place in reader.places}):
        yield [list(reader.read(place)) for reader in readers]


def numbers(members: Sequence[Codes]) -> list[Numbers]:
    """Return the number of each code, in the order in which the codes first occur.

    Examples
    --------
    >>> import numpy as np
    >>> from mmnotebook.beam.lowering.id_ranges import numbers
    >>> codes = [np.array([50, 30, 50], np.uint32), np.array([30, 40, 50], np.uint32)]
    >>> [of_member.tolist() for of_member in numbers(codes)]
    [[0, 1, 0], [1, 2, 0]]
    """
    known, numbered = np.empty(0, np.uint32), np.empty(0, np.int64)
    found = []
    for codes in members:
        unknown = codes[~_is_in(codes, known)]
        new, first = np.unique(unknown, return_index=True)
        order = np.empty(len(new), np.int64)
        order[np.argsort(first)] = np.arange(len(known), len(known) + len(new))
        places = np.searchsorted(known, new)
        known, numbered = np.insert(known, places, new), np.insert(numbered, places, order)
        found.append(numbered[np.searchsorted(known, codes)])
    return found


def _is_in(codes: Codes, known: Codes) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if not len(known):
        return np.zeros(len(codes), bool)
    places = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    found: np.ndarray[Any, np.dtype[np.bool_]] = known[places] == codes
    return found


def _codes(parts: Sequence[IndexedBlock]) -> Codes:
    return np.concatenate([np.empty(0, np.uint32), *(part.codes for part in parts)])


def _rows(members: Sequence[Sequence[IndexedBlock]]) -> int:
    """Return the number of ids in a range."""
    size = sum(part.spilled.size for parts in members for part in parts)
    rows = max(sum(len(part.codes) for part in parts) for parts in members)
    return max(1, min(ROWS, rows * BYTES // max(1, size)))


_Piece = tuple[Spilled, Sequence[int] | None]
"""A block, and the positions of a range in it; None for the whole block."""
_Cut = tuple[Spilled, list[tuple[int, Sequence[int] | None]]]
"""A block, and its ranges with their positions."""


class _Reader:
    """Reads the blocks of one member, range by range.

    Attributes
    ----------
    places
        The pieces of each range.
    """

    def __init__(self, parts: Sequence[IndexedBlock], own: Numbers, folder: Path) -> None:
        self._last: tuple[Spilled, Block] | None = None
        self.places = defaultdict[int, list[_Piece]](list)
        cuts = _cut(parts, own)
        if sum(len(places) for _, places in cuts) > SCATTERED * len(cuts):
            self._divide(cuts, folder)
            return
        for spilled, places in cuts:
            for place, at in places:
                self.places[place].append((spilled, at))

    def read(self, place: int) -> Iterator[Block]:
        """Yield the blocks of a range."""
        for spilled, at in self.places.get(place, ()):
            block = self._block(spilled)
            yield block if at is None else block.take(at)

    def _block(self, spilled: Spilled) -> Block:
        # The next range begins where this one has ended, mostly in the same block.
        if self._last is None or self._last[0] is not spilled:
            self._last = spilled, spilled.read()
        return self._last[1]

    def _divide(self, cuts: Sequence[_Cut], folder: Path) -> None:
        """Write new blocks, each with elements of one range: a few for each range, in order."""
        file, waiting, size = SpillFile(folder), defaultdict[int, list[Block]](list), 0
        for spilled, places in cuts:
            block = spilled.read()
            for place, at in places:
                waiting[place].append(block if at is None else block.take(at))
            size += spilled.size
            if size > BYTES // 2:
                self._write(waiting, file)
                size = 0
        self._write(waiting, file)
        file.close()

    def _write(self, waiting: dict[int, list[Block]], file: SpillFile) -> None:
        for place, blocks in waiting.items():
            block = merged(blocks)
            block.failed = [failure for one in blocks for failure in one.failed]
            self.places[place].append((file.add(block), None))
        waiting.clear()


def _cut(parts: Sequence[IndexedBlock], own: Numbers) -> list[_Cut]:
    """Return the blocks with their ranges."""
    found: list[_Cut] = []
    start = 0
    for part in parts:
        of_block = own[start : start + len(part.codes)]
        start += len(part.codes)
        if len(of_block) and (of_block[0] != of_block).any():
            order = np.argsort(of_block, kind="stable")
            places, starts = np.unique(of_block[order], return_index=True)
            pieces = map(np.ndarray.tolist, np.split(order, starts[1:]))
            found.append((part.spilled, list(zip(places.tolist(), pieces, strict=True))))
        else:  # also a block of failures, which is read together with its neighbors
            near = own[min(start, len(own)) - 1] if len(own) else 0
            found.append((part.spilled, [(int(near), None)]))
    return found
