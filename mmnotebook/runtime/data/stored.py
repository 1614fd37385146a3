"""What the nodes of a run have stored, as `analysis.results.Store`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from mmnotebook.analysis.records import Failure, Record
from mmnotebook.analysis.values import column
from mmnotebook.runtime import timed
from mmnotebook.runtime.blocks.block import Block
from mmnotebook.runtime.blocks.columns import Records, concat, pack
from mmnotebook.runtime.store.entries import Entry


class StoredElements:
    """Reads the elements of each node from its entry in the store, and keeps the entry there."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = dict(entries)

    def records(self, node: str) -> Iterator[Record]:
        for block in self._blocks(node):
            for key, value in block.elements():
                yield Record(key.id, key.origin, key.key, value)

    def failures(self) -> Iterator[Failure]:
        for node in self._entries:
            for block in self._blocks(node):
                for failure in block.failed:
                    # A node that does the same may have another name in another graph.
                    yield failure._replace(node=node)

    def fields(self, sources: Sequence[str]) -> pd.DataFrame:
        found = [_fields(list(self._blocks(source))) for source in sources]
        return pd.concat(found) if found else pd.DataFrame(index=pd.Index([], dtype=object))

    def _blocks(self, node: str) -> Iterator[Block]:
        for shard in self._entries[node].shards():
            yield from timed.values(shard)


def _fields(blocks: Sequence[Block]) -> pd.DataFrame:
    """The fields of a source's records, by id."""
    index = pd.Index([name for block in blocks for name in block.ids], dtype=object)
    whole = concat([block.values for block in blocks]) if blocks else pack([])
    if isinstance(whole, Records):
        cells = {name: part.rows() for name, part in whole.columns.items()}
    else:
        rows = [value if isinstance(value, Mapping) else {} for value in whole]
        names = dict.fromkeys(name for row in rows for name in row)
        cells = {name: [row.get(name) for row in rows] for name in names}
    columns = {name: _column(values).array for name, values in cells.items()}
    return pd.DataFrame(columns, index=index)


def _column(values: list[Any]) -> pd.Series:
    """Cells as pandas would have them in a frame; whole numbers stay whole where one is missing."""
    if {int, type(None)} == set(map(type, values)):
        return column(values)
    return pd.DataFrame({"cells": pd.Series(values)})["cells"]
