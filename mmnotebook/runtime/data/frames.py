"""Rows of a DataFrame as records, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmnotebook.runtime.blocks.columns import Column, Numbers, Objects, Records, size_of
from mmnotebook.runtime.blocks.packing import pack

_WIDE: dict[str, Any] = {"b": np.bool_, "i": np.int64, "u": np.int64, "f": np.float64}
_AS_THEY_ARE = {str, bytes, bool, int, float, type(None), dict, list, tuple, np.ndarray}
"""What pandas hands out as it stands in a column of objects."""


def records(frame: Any, names: Sequence[str] | None = None) -> Column:
    """The rows of a frame, equal to those of `frame.to_dict("records")` and of the same types.

    Numbers are copied; what a cell of another kind holds is not.

    Parameters
    ----------
    names
        What the columns are called in the records; None for their own names.
    """
    names = list(frame.columns) if names is None else names
    if not names:
        return Objects([{} for _ in range(len(frame))])
    return Records({name: _column(frame, place) for place, name in enumerate(names)})


def _column(frame: Any, place: int) -> Column:
    series = frame.iloc[:, place]
    dtype = series.dtype
    if isinstance(dtype, np.dtype) and _is_plain(dtype):
        return Numbers(series.to_numpy().astype(_WIDE[dtype.kind]))
    if dtype.kind == "O" and isinstance(dtype, np.dtype):
        cells = list(series)
        if set(map(type, cells)) <= _AS_THEY_ARE:
            return pack(cells)
    # What pandas makes of a cell depends on its dtype and release: it is asked, a column at a time.
    rows = frame.iloc[:, [place]].to_dict("records")
    return pack([next(iter(row.values())) for row in rows])


def _is_plain(dtype: np.dtype[Any]) -> bool:
    """Are the cells numbers that a column of int64 or float64 holds exactly?"""
    return dtype.kind in _WIDE and dtype.itemsize <= (4 if dtype.kind == "u" else 8)


def sizes(frame: Any, places: range) -> list[int]:
    """About how many bytes each of these rows takes."""
    part = frame.iloc[places.start : places.stop : places.step]
    plain = [isinstance(dtype, np.dtype) and dtype.kind in "biufcmM" for dtype in frame.dtypes]
    found = [8 * sum(plain)] * len(part)
    for place, known in enumerate(plain):
        if not known:
            cells = part.iloc[:, place]
            found = [size + size_of(cell) for size, cell in zip(found, cells, strict=True)]
    return found
