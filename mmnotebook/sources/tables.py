"""Data with named columns, except DataFrames: dicts, structured arrays, data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from mmnotebook.elements import frames
from mmnotebook.elements.columns import Arrays, Column, Records, Tensors, size_of
from mmnotebook.elements.packing import pack
from mmnotebook.errors import RunError
from mmnotebook.graph.names import is_a
from mmnotebook.sources import block_size

_PANDAS = {("pandas", "Series"), ("pandas", "Index"), ("pandas", "ExtensionArray")}
_DATASET = {("datasets", "Dataset")}
_COLUMNS = "lists, arrays, tensors or Series of the same length"


@dataclass(frozen=True)
class ColumnTable:
    """Rows of named columns.

    Attributes
    ----------
    names
        The names of the columns.
    length
        The number of rows.
    rows
        Returns a copy of the rows from `start` up to `stop`, as columns by name.
    """

    names: Sequence[str]
    length: int
    rows: Callable[[int, int], Mapping[str, Any]]

    def first(self, limit: int | None) -> ColumnTable:
        """Return a table of the first `limit` rows, or of all rows."""
        return self if limit is None else replace(self, length=min(limit, self.length))

    def parts(self) -> Iterator[tuple[range, Records]]:
        """Yield the rows as records, block by block, with their positions."""
        found = list(block_size.parts(self.length, self._sizes))
        made = [self._records(places.start, places.stop) for places in found]
        frames.settle(made)
        return zip(found, made, strict=True)

    def _records(self, start: int, stop: int) -> Records:
        cells = {name: _cells(part) for name, part in self.rows(start, stop).items()}
        dtypes = {name: dtype for name, (_, dtype) in cells.items() if dtype is not None}
        return Records({name: column for name, (column, _) in cells.items()}, dtypes)

    def _sizes(self, places: range) -> list[int]:
        if places.step == 1:
            return list(map(size_of, self._records(places.start, places.stop).rows()))
        return [size for place in places for size in self._sizes(range(place, place + 1))]


def table_of(name: str, value: Any) -> ColumnTable | None:
    """Return the table that an object represents, or None.

    Raises
    ------
    RunError
        If the object has no columns, or is a dict whose values are not columns of equal length.
    """
    if is_a(value, _DATASET):
        return _data_set(name, value)
    if isinstance(value, Mapping):
        return _mapping(name, value)
    if isinstance(value, np.ndarray) and value.dtype.names and value.ndim == 1:
        names = list(value.dtype.names)
        return ColumnTable(
            names, len(value), lambda i, j: {name: value[name][i:j] for name in names}
        )
    return None


def _data_set(name: str, value: Any) -> ColumnTable:
    names = list(map(str, value.column_names))
    if not names:
        raise RunError(f"source {name!r} is a {type(value).__name__} without columns")

    def rows(start: int, stop: int) -> Mapping[str, Any]:
        part = value[start:stop]
        # In the formats "pandas", "polars" and "arrow", a part is a table of this library.
        return part if isinstance(part, Mapping) else value.with_format(None)[start:stop]

    return ColumnTable(names, len(value), rows)


def _mapping(name: str, value: Mapping[Any, Any]) -> ColumnTable:
    kind = type(value).__name__
    if not value:
        raise RunError(f"source {name!r} is a {kind} without columns")
    columns = {str(key): column for key, column in value.items()}
    if len(columns) < len(value):
        raise RunError(f"source {name!r}: two columns have the same name", remedy="rename one")
    for key, column in columns.items():
        if not _is_column(column):
            raise RunError(
                f"source {name!r} is a {kind} in which {key!r} is a {type(column).__name__}; "
                f"allowed in a dict of columns: {_COLUMNS}",
                remedy=f"for a single record, use [{name}]; for one of several data sets, "
                f"data = {name}[{key!r}]",
            )
    lengths = {key: len(column) for key, column in columns.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{key} {length:,}" for key, length in lengths.items())
        raise RunError(
            f"source {name!r} is a {kind} of columns of unequal lengths: {found}",
            remedy=f"use columns of the same length; for a single record, use [{name}]",
        )
    return ColumnTable(
        list(columns),
        next(iter(lengths.values())),
        lambda i, j: {key: column[i:j] for key, column in columns.items()},
    )


def _is_column(value: Any) -> bool:
    if is_a(value, _PANDAS):
        return True
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return value.ndim > 0 and not isinstance(value, np.ma.MaskedArray)
    return isinstance(value, Sequence) and not isinstance(
        value, (str, bytes, bytearray, memoryview)
    )


def _cells(part: Any) -> tuple[Column, Any]:
    """Return the cells of a column, with their pandas dtype or None."""
    if isinstance(part, np.ndarray) and part.ndim > 1 and not part.dtype.hasobject:
        return Arrays(np.array(part, order="C")), None
    if isinstance(part, np.ndarray) and part.dtype.names:
        inside = {name: _cells(part[name])[0] for name in part.dtype.names}
        return Records(inside), None
    if (isinstance(part, np.ndarray) and part.ndim == 1) or is_a(part, _PANDAS):
        import pandas as pd

        records = frames.records(pd.Series(part).to_frame("cells"))
        assert isinstance(records, Records)
        return records.columns["cells"], records.dtypes["cells"]
    if isinstance(part, torch.Tensor) and part.layout == torch.strided and not part.is_quantized:
        plain = part.detach().resolve_conj().resolve_neg()
        return Tensors(plain.to("cpu", copy=True, memory_format=torch.contiguous_format)), None
    return pack(list(part)), None
