"""The check, in a run, that united sources have no id in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mmnotebook.beam.lowering import union
from mmnotebook.graph.graph import Graph
from mmnotebook.results.records import Outline
from mmnotebook.store import outlines, timed
from mmnotebook.store.entries import Entry
from mmnotebook.store.outlines import Hashes

_AT_ONCE = 1024
_apart: set[tuple[Path, Path]] = set()
"""The pairs of entries that have no id in common. Names of entries are never reused."""


def check(graph: Graph, entries: Mapping[str, Entry]) -> None:
    """Check the united sources of a graph whose elements are stored by now.

    Raises
    ------
    RunError
        If two of them have an element with the same id.
    """
    for node, one, other in union.pairs(graph):
        if one not in entries or other not in entries:
            continue
        pair = entries[one].path, entries[other].path
        if pair in _apart:
            continue
        if (shared := _shared(entries[one], entries[other])) is not None:
            raise union.refused(graph, node, one, other, shared)
        _apart.add(pair)


def _shared(one: Entry, other: Entry) -> str | None:
    """Return an id that two sources have; only hashes of ids are in memory, 8 bytes for each."""
    both = np.intersect1d(_hashes(one), _hashes(other))
    for first in range(0, len(both), _AT_ONCE):  # the ids of equal hashes may still differ
        some = both[first : first + _AT_ONCE]
        known = set(_ids(other, some))
        if (found := next((name for name in _ids(one, some) if name in known), None)) is not None:
            return found
    return None


def _hashes(entry: Entry) -> Hashes:
    known = outlines.read(entry)
    if known is not None:
        return np.concatenate([np.empty(0, np.uint64), *(one.origins for one in known)])
    found = (outlines.hashes(ids) for ids in _blocks(entry, None, None))
    return np.concatenate([np.empty(0, np.uint64), *found])


def _ids(entry: Entry, hashed: Hashes) -> Iterator[str]:
    """Yield the ids with one of these hashes."""
    for ids in _blocks(entry, outlines.read(entry), hashed):
        found = np.flatnonzero(np.isin(outlines.hashes(ids), hashed))
        yield from (ids[place] for place in found.tolist())


def _blocks(
    entry: Entry, known: list[Outline] | None, hashed: Hashes | None
) -> Iterator[list[str]]:
    """Yield the ids of each block; skip shards that are known to have none of the hashes."""
    for place, info in enumerate(entry.infos):
        if known is None or hashed is None or np.isin(known[place].origins, hashed).any():
            yield from (block.ids for block in timed.values(entry.shard(info)))
