"""How many rows go together: not more than a block holds, by number and by bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mmnotebook.elements.block import BYTES, ROWS

_SAMPLE = 256


def rows_within(row_bytes: float) -> int:
    """The number of rows of a block where each takes that many bytes."""
    return int(max(1, min(ROWS, BYTES // max(1, row_bytes))))


def parts(count: int, sizes: Callable[[range], Iterable[int]]) -> Iterator[range]:
    """The places of `count` rows, a block's at a time.

    Parameters
    ----------
    sizes
        The bytes of the rows at some places. It is asked about a few of them, and about all only
        when those are big.
    """
    if not count:
        return
    sample = range(0, count, max(1, count // _SAMPLE))
    if sum(sizes(sample)) / len(sample) * 4 <= BYTES / ROWS:
        for first in range(0, count, ROWS):
            yield range(first, min(first + ROWS, count))
        return
    start = taken = 0
    for first in range(0, count, ROWS):
        for place, size in enumerate(sizes(range(first, min(first + ROWS, count))), first):
            if place > start and (place - start >= ROWS or taken + size > BYTES):
                yield range(start, place)
                start, taken = place, 0
            taken += size
    yield range(start, count)
