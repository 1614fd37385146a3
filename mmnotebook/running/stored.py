"""The stored outputs of a run's nodes, as a `Store` of results."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import (
    Arrays,
    Cells,
    Column,
    Numbers,
    Objects,
    Records,
    Same,
    Tensors,
    Tuples,
)
from mmnotebook.elements.packing import concat, pack
from mmnotebook.results import values
from mmnotebook.results.records import Failure, Outline, Places
from mmnotebook.store import outlines, timed
from mmnotebook.store.entries import Entry


class StoredElements:
    """Reads the elements of each node from its entry, and prevents the eviction of the entries."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = dict(entries)

    def elements(self, node: str) -> BlockElements:
        return BlockElements(list(self._blocks(node)))

    def failures(self, nodes: Sequence[str]) -> Iterator[Failure]:
        for node in nodes:
            for block in self._blocks(node):
                for failure in block.failed:
                    # In another graph, an equal node may have another name.
                    yield failure._replace(node=node)

    def fields(self, sources: Sequence[str]) -> pd.DataFrame:
        found = [_fields(self._pairs(source)) for source in sources]
        return pd.concat(found) if found else pd.DataFrame(index=pd.Index([], dtype=object))

    def counts(self, node: str) -> list[int]:
        return [info.rows for info in self._entries[node].infos]

    def outlines(self, node: str) -> list[Outline] | None:
        return outlines.read(self._entries[node])

    def some(self, node: str, places: Places) -> BlockElements:
        return BlockElements(list(self._some(node, places)))

    def some_fields(
        self, source: str, places: Places, examples: Mapping[str, Sequence[Any]]
    ) -> pd.DataFrame:
        found = list(self._some(source, places))
        if not examples:
            return pd.DataFrame(index=pd.Index([i for b in found for i in b.ids], dtype=object))
        most = max(map(len, examples.values()))
        padded: dict[str, Column] = {
            name: pack(list(itertools.islice(itertools.cycle(some), most)))
            for name, some in examples.items()
        }
        last = Block([""] * most, Records(padded))
        return _fields((block, None) for block in [*found, last]).iloc[:-most]

    def _some(self, node: str, places: Places) -> Iterator[Block]:
        """Yield the elements at these positions of shards, which are in ascending order."""
        entry = self._entries[node]
        for number, wanted in places.items():
            start = 0
            for block in timed.values(entry.shard(entry.infos[number])):
                first, last = np.searchsorted(wanted, [start, start + len(block)])
                if last > first:
                    yield block.take((wanted[first:last] - start).tolist())
                start += len(block)

    def _blocks(self, node: str) -> Iterator[Block]:
        return (block for block, _ in self._pairs(node))

    def _pairs(self, node: str) -> Iterator[tuple[Block, timed.Time | None]]:
        for shard in self._entries[node].shards():
            yield from timed.pairs(shard)


class BlockElements:
    """The elements of some blocks; implements `results.records.Elements`."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = list(blocks)
        self.ids: list[str] = []
        self.origins: list[str] = []
        self.keys: list[str | None] = []
        for block in blocks:
            self.ids += block.ids
            self.origins += block.ids if block.origins is None else block.origins
            self.keys += [None] * len(block) if block.choices is None else block.choices

    def given(self) -> list[Any]:
        return self._of_each(lambda column: column.rows())

    def plain(self) -> list[Any]:
        return self._of_each(plain)

    def models(self) -> list[str | None]:
        return self._of_each(models)

    def branches(self) -> list[str | None]:
        return [name for block in self._blocks for name in block.branches or [None] * len(block)]

    def _of_each(self, rows: Callable[[Column], list[Any]]) -> list[Any]:
        return [value for block in self._blocks for value in rows(block.values)]


def plain(column: Column) -> list[Any]:
    """Apply `results.values.plain` to every value, in one array operation if possible."""
    if isinstance(column, Tensors):
        column = Arrays(values.array(column.tensor))
    if isinstance(column, Arrays):
        are_plain = column.array.ndim > 1 or column.array.dtype.kind in "mM"
        return column.rows() if are_plain else column.array.tolist()
    if isinstance(column, Records):
        whole = zip(*map(plain, column.columns.values()), strict=True)
        return [dict(zip(column.columns, row, strict=True)) for row in whole]
    if isinstance(column, Cells):
        return plain(column.cells)
    if isinstance(column, Tuples) and column.kind is tuple:
        return list(zip(*map(plain, column.columns), strict=True))
    if isinstance(column, Tuples) and values.is_prediction(column.kind):
        return plain(_item(column, "inference"))
    if isinstance(column, Same):
        return [values.plain(column.value)] * len(column)
    return list(map(values.plain, column.rows()))


def models(column: Column) -> list[str | None]:
    """Return the model name of each prediction, and None for every other value."""
    if isinstance(column, Tuples) and values.is_prediction(column.kind):
        return _item(column, "model_id").rows()
    if isinstance(column, (Tensors, Arrays, Records, Same)):
        return [None] * len(column)
    return list(map(values.model_of, column.rows()))


def _item(column: Tuples, name: str) -> Column:
    names: tuple[str, ...] = column.kind._fields  # type: ignore[attr-defined]
    return column.columns[names.index(name)]


def _fields(pairs: Iterable[tuple[Block, timed.Time | None]]) -> pd.DataFrame:
    """Return the fields of a source's records by id, with event time and window if they exist."""
    ids: list[str] = []
    columns: list[Column] = []
    times: list[timed.Time | None] = []
    for block, when in pairs:
        ids += block.ids
        has_fields = isinstance(block.values, (Records, Objects))
        columns.append(block.values if has_fields else Same(None, len(block)))
        times += [when] * len(block)
    cells = {name: _column(part).array for name, part in _cells(columns).items()}
    if any(when is not None for when in times):
        ends = timed.columns(times)
        cells = {f"{name}_field" if name in ends else name: part for name, part in cells.items()}
        cells |= ends
    return pd.DataFrame(cells, index=pd.Index(ids, dtype=object))


def _cells(columns: Sequence[Column]) -> dict[Any, Column]:
    """Return a column for each field; its cells are None for values without the field."""
    parts = [column for column in columns if len(column)] or columns[:1]
    records = [part for part in parts if isinstance(part, Records)]
    if not records and not any(isinstance(part, Objects) for part in parts):
        return {}  # no value has a field
    if len(records) == len(parts) and len({tuple(part.columns) for part in records}) == 1:
        names = records[0].columns
        return {name: concat([part.columns[name] for part in records]) for name in names}
    rows = [value if isinstance(value, Mapping) else {} for part in parts for value in part.rows()]
    found = dict.fromkeys(name for row in rows for name in row)
    return {name: pack([row.get(name) for row in rows]) for name in found}


def _column(cells: Column) -> pd.Series:
    """Convert cells to a Series as pandas does, but keep integers if some values are missing."""
    if isinstance(cells, Numbers) and len(cells):
        return pd.Series(cells.array)
    rows = cells.rows()
    if {int, type(None)} == set(map(type, rows)):
        return values.column(rows)
    return pd.DataFrame({"cells": pd.Series(rows)})["cells"]
