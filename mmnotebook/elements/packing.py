"""Choice of the best column class for values, and concatenation of columns."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mmnotebook.elements.columns import (
    Arrays,
    Cells,
    Column,
    Numbers,
    Objects,
    Records,
    Same,
    Selected,
    SelectedFields,
    Tensors,
    Tuples,
)
from mmnotebook.graph.names import is_a


def pack(values: Sequence[Any]) -> Column:
    """Pack values into a column of the best class; return a column unchanged."""
    if isinstance(values, Column):
        return values
    rows = list(values)
    kinds = set(map(type, rows))
    column = _packed(kinds.pop(), rows) if len(kinds) == 1 else None
    return Objects(rows) if column is None else column


def concat(columns: Sequence[Column]) -> Column:
    """Concatenate the values of several columns."""
    parts = [column for column in columns if len(column)] or list(columns[:1])
    if len(parts) == 1:
        return parts[0]
    joined = _joined(parts[0], parts) if len({*map(type, parts)}) == 1 else None
    return (
        pack(list(itertools.chain.from_iterable(map(loose, parts)))) if joined is None else joined
    )


def records_of(column: Column) -> Column:
    """Convert named tuples, labeled Series and NumPy records to `Records`."""
    if isinstance(column, Tuples) and hasattr(column.kind, "_fields"):
        return Records(dict(zip(column.kind._fields, column.columns, strict=True)))
    if isinstance(column, Arrays) and column.array.dtype.names:
        return Records({n: Arrays(column.array[n]) for n in column.array.dtype.names})
    if not isinstance(column, Objects) or not any(map(_has_names, set(map(type, column.values)))):
        return column
    return pack(list(map(_record, column.values)))


def _has_names(kind: type) -> bool:
    """Return whether values of a type may have named parts."""
    series = any(base.__name__ == "Series" for base in kind.__mro__)
    return series or hasattr(kind, "_fields") or issubclass(kind, np.void)


def _record(value: Any) -> Any:
    """Convert a value with named parts to a dict; return any other value unchanged."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    if isinstance(value, np.void) and value.dtype.names:
        return {name: value[name] for name in value.dtype.names}
    if is_a(value, {("pandas", "Series")}) and all(isinstance(n, str) for n in value.index):
        return dict(value.items()) if value.index.is_unique else value
    return value


def loose(column: Column) -> list[Any]:
    """Return the values as a list that `pack` converts to an equal column."""
    return [*column.fields()] if isinstance(column, Selected) else column.rows()


def _joined(first: Column, parts: Sequence[Any]) -> Column | None:
    """Concatenate columns of one class; None if their dtypes, shapes or fields differ."""
    if isinstance(first, Arrays):
        if len({(p.array.dtype, p.array.dtype.num, p.array.shape[1:]) for p in parts}) == 1:
            return type(first)(np.concatenate([p.array for p in parts]))
    elif isinstance(first, Tensors):
        if len({(p.tensor.dtype, p.tensor.shape[1:]) for p in parts}) == 1:
            return Tensors(torch.cat([p.tensor for p in parts]))
    elif isinstance(first, Records):
        if len({tuple(p.columns) for p in parts}) == 1:
            joined = {n: concat([p.columns[n] for p in parts]) for n in first.columns}
            return Records(joined, shared_dtypes([p.dtypes for p in parts]))
    elif isinstance(first, Tuples):
        if len({(p.kind, len(p.columns)) for p in parts}) == 1:
            whole = zip(*(p.columns for p in parts), strict=True)
            return Tuples(first.kind, tuple(map(concat, whole)))
    elif isinstance(first, Selected):
        return Selected(concat([p.records for p in parts]))
    elif isinstance(first, Cells):
        cells, dtype = concat([p.cells for p in parts]), _dtype([p.dtype for p in parts])
        return cells if dtype is None else Cells(cells, dtype)
    elif isinstance(first, Same) and all(p.value is first.value for p in parts):
        return Same(first.value, sum(map(len, parts)))
    return None


def shared_dtypes(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the dtypes of fields that several parts share; leave out fields that differ."""
    first = parts[0]
    if all(part is first or part == first for part in parts):
        return dict(first)
    shared = (name for name in first if all(name in part for part in parts))
    found = {name: _dtype([part[name] for part in parts]) for name in shared}
    return {name: dtype for name, dtype in found.items() if dtype is not None}


def _dtype(dtypes: Sequence[Any]) -> Any:
    """Return a common dtype: the union of categories; None for other dtypes that differ."""
    import pandas as pd
    from pandas.api.types import union_categoricals

    different = list(dict.fromkeys(dtypes))
    if len(different) == 1:
        return different[0]
    if not all(isinstance(dtype, pd.CategoricalDtype) for dtype in different):
        return None
    try:
        return union_categoricals([pd.Categorical([], dtype=one) for one in different]).dtype
    except TypeError:  # the categories have different types or orders
        return None


def _packed(kind: type, rows: list[Any]) -> Column | None:
    """Pack rows of one type into a column other than `Objects`; None if that is not possible."""
    if kind in _NUMBERS:
        return _numbers(rows, _NUMBERS[kind])
    if kind is type(None):
        return Same(None, len(rows))
    if kind is np.ndarray or issubclass(kind, np.generic):
        return _arrays(kind, rows)
    if kind is torch.Tensor:
        return _tensors(rows)
    if kind is SelectedFields:
        return Selected(pack(list(map(dict, rows))))
    if kind is dict:
        names = tuple(rows[0])
        if names and all(type(n) is str for n in names) and all(tuple(r) == names for r in rows):
            return Records({name: pack([row[name] for row in rows]) for name in names})
    elif (
        (kind is tuple or (issubclass(kind, tuple) and hasattr(kind, "_make")))
        and rows[0]
        and len(set(map(len, rows))) == 1
        and not any(map(_has_more, rows))
    ):
        return Tuples(kind, tuple(map(pack, zip(*rows, strict=True))))
    return None


_NUMBERS: dict[type, Any] = {bool: np.bool_, int: np.int64, float: np.float64}


def _numbers(rows: list[Any], dtype: Any) -> Column | None:
    try:
        return Numbers(np.array(rows, dtype=dtype))
    except OverflowError:
        return None


def _arrays(kind: type, rows: list[Any]) -> Column | None:
    first = rows[0]
    dtype = first.dtype
    if dtype.kind not in "biufcmM" or not dtype.isnative:
        return None
    if kind is np.ndarray and (
        not first.ndim or any(row.shape != first.shape or row.dtype != dtype for row in rows)
    ):
        return None
    if dtype.kind in "mM" and any(row.dtype != dtype for row in rows):
        return None
    return Arrays(np.stack(rows) if kind is np.ndarray else np.array(rows, dtype=dtype))


def _tensors(rows: list[Any]) -> Column | None:
    first = rows[0]
    shape, dtype = first.shape, first.dtype
    for row in rows:
        if (
            row.shape != shape
            or row.dtype != dtype
            or row.requires_grad
            or row.layout != torch.strided
            or row.device.type != "cpu"
            or row.is_conj()
            or row.is_neg()
            or row.is_quantized
        ):
            return None
    return Tensors(torch.stack(rows))


def _has_more(value: Any) -> bool:
    """Return whether a named tuple has attributes besides its items."""
    return bool(getattr(value, "__dict__", None))
