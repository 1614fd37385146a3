"""Conversion between DataFrame rows and records, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mmnotebook.elements.columns import (
    Arrays,
    Column,
    Numbers,
    Objects,
    Records,
    Same,
    Tensors,
    size_of,
)
from mmnotebook.elements.packing import concat, pack
from mmnotebook.results.values import plain

_WIDE: dict[str, Any] = {"b": np.bool_, "i": np.int64, "u": np.int64, "f": np.float64}
_AS_THEY_ARE = {str, bytes, bool, int, float, type(None), dict, list, tuple, np.ndarray}
"""Types of cells that pandas returns unchanged from a column of objects."""


def records(frame: Any, names: Sequence[str] | None = None) -> Column:
    """Return the rows of a frame, with the values and types of `frame.to_dict("records")`.

    Numbers are copied; the contents of other cells are not.

    Parameters
    ----------
    names
        The names of the fields in the records; None for the names of the columns.
    """
    names = list(frame.columns) if names is None else names
    if not names:
        return Objects([{} for _ in range(len(frame))])
    columns = [_cells(frame, place) for place in range(len(names))]
    dtypes = [_native(dtype) for dtype in frame.dtypes]
    return Records(dict(zip(names, columns, strict=True)), dict(zip(names, dtypes, strict=True)))


def frame_of(values: Sequence[Any], names: Sequence[str] | None = None) -> Any:
    """Create a DataFrame of records, with the dtypes of the DataFrame that they were read from.

    Parameters
    ----------
    values
        Records, as a column or a list.
    names
        The fields that become columns, in this order; None for all of them.
    """
    import pandas as pd

    column = pack(values)
    if not isinstance(column, Records):
        frame = pd.DataFrame(column.rows())
        return frame if names is None else frame[list(names)]
    taken = list(column.columns) if names is None else names
    return pd.DataFrame({name: _cells_of(column, name) for name in taken})


def _cells_of(records: Records, name: str) -> Any:
    """Return the cells of a field as an array or Series with the dtype of the field."""
    import pandas as pd

    cells, dtype = _plain(records.columns[name]), records.dtypes.get(name)
    if isinstance(cells, Arrays) and cells.array.ndim == 1 and not _is_object(dtype):
        if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
            return cells.array.astype(dtype, copy=False)
        return pd.Series(cells.array, dtype=dtype)
    if dtype is None:
        # Create the column in the same way as pandas does for a list of records.
        return pd.DataFrame(list(zip(cells.rows(), strict=True)), columns=[name])[name]
    rows = np.fromiter(cells.rows(), dtype=object, count=len(cells))
    return pd.Series(rows, dtype=dtype)


def _plain(cells: Column) -> Column:
    """Convert tensors with a single number, such as outputs of a model, to numbers."""
    if isinstance(cells, Tensors):
        return Arrays(np.asarray(plain(cells.tensor))) if cells.tensor.ndim == 1 else cells
    if isinstance(cells, Objects) and any(isinstance(c, torch.Tensor) for c in cells.values):
        return pack([plain(cell) if _is_number(cell) else cell for cell in cells.values])
    return cells


def _is_number(cell: Any) -> bool:
    return isinstance(cell, torch.Tensor) and cell.ndim == 0


def _is_object(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind == "O"


def settle(parts: Sequence[Records]) -> None:
    """Set the dtypes of fields without a dtype to those that pandas infers from all parts.

    From a single part, pandas could infer another dtype, for example if all its cells are missing.
    """
    for name in parts[0].columns if parts else ():
        columns = [part.columns.get(name) for part in parts]
        if name in parts[0].dtypes or not any(isinstance(c, (Objects, Same)) for c in columns):
            continue
        if any(column is None or isinstance(column, Records) for column in columns):
            continue
        whole = Records({name: concat([column for column in columns if column is not None])})
        dtype = _cells_of(whole, name).dtype
        for part in parts:
            part.dtypes[name] = dtype


def _native(dtype: Any) -> Any:
    """Return the dtype in the byte order of this machine."""
    return dtype.newbyteorder("=") if isinstance(dtype, np.dtype) else dtype


def _cells(frame: Any, place: int) -> Column:
    series = frame.iloc[:, place]
    dtype = series.dtype
    if isinstance(dtype, np.dtype) and _is_plain(dtype):
        return Numbers(series.to_numpy().astype(_WIDE[dtype.kind]))
    if dtype.kind == "O" and isinstance(dtype, np.dtype):
        cells = list(series)
        if set(map(type, cells)) <= _AS_THEY_ARE:
            return pack(cells)
    # Let pandas convert the cells: the conversion depends on the dtype and the pandas version.
    rows = frame.iloc[:, [place]].to_dict("records")
    return pack([next(iter(row.values())) for row in rows])


def _is_plain(dtype: np.dtype[Any]) -> bool:
    """Return whether int64 or float64 can represent the cells exactly."""
    return dtype.kind in _WIDE and dtype.itemsize <= (4 if dtype.kind == "u" else 8)


def sizes(frame: Any, places: range) -> list[int]:
    """Estimate the bytes of each of these rows."""
    part = frame.iloc[places.start : places.stop : places.step]
    plain = [isinstance(dtype, np.dtype) and dtype.kind in "biufcmM" for dtype in frame.dtypes]
    found = [8 * sum(plain)] * len(part)
    for place, known in enumerate(plain):
        if not known:
            cells = part.iloc[:, place]
            found = [size + size_of(cell) for size, cell in zip(found, cells, strict=True)]
    return found
