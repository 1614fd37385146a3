"""The number of rows per block, limited by count and bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mmnotebook.elements.block import BYTES, ROWS

_SAMPLE = 256


def rows_within(row_bytes: float) -> int:
    """Return the number of rows per block, for rows of `row_bytes` bytes."""
    return int(max(1, min(ROWS, BYTES // max(1, row_bytes))))


def parts(count: int, sizes: Callable[[range], Iterable[int]]) -> Iterator[range]:
    """Yield the positions of `count` rows, one block at a time.

    Parameters
    ----------
    sizes
        A function that returns the sizes, in bytes, of the rows at some positions. It is called for
        a sample, and for all rows only if the rows of the sample are large.
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
