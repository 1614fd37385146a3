"""Values of elements made plain: no tensors, no predictions, scalars as Python has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

_PLAIN = (str, bytes, bool, int, float, complex, type(None))


def is_prediction(value: Any) -> bool:
    """Is it a Beam `PredictionResult`, or reads like one?"""
    try:
        return all(hasattr(value, name) for name in ("example", "inference", "model_id"))
    except Exception:  # noqa: BLE001 - another's object, which raises when it is asked
        return False


def plain(value: Any) -> Any:
    """The value without its wrapping.

    A prediction becomes its inference, a tensor or array of no dimension and a numpy scalar a
    Python scalar, any other tensor a numpy array; dicts, lists and tuples become plain inside.
    A value that raises when it is looked at, or that contains itself, stays as it is.
    """
    if type(value) in _PLAIN:
        return value
    try:
        return _plain(value)
    except Exception:  # noqa: BLE001 - another's object
        return value


def _plain(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, np.generic):
        # .item() of a date in nanoseconds would be a bare int
        return value if isinstance(value, (np.datetime64, np.timedelta64)) else value.item()
    if is_prediction(value):
        return _plain(value.inference)
    if hasattr(type(value), "untyped_storage"):
        value = array(value)
    if isinstance(value, np.ndarray):
        return _plain(value[()]) if value.ndim == 0 else value
    if type(value) is dict:
        return {key: _plain(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_plain(item) for item in value)
    return value


def model_of(value: Any) -> str | None:
    """The model that made a prediction, None for what is none."""
    return value.model_id if is_prediction(value) else None


def array(tensor: Any) -> np.ndarray[Any, Any]:
    """A tensor's numbers."""
    try:
        numbers: np.ndarray[Any, Any] = tensor.numpy(force=True)
    except TypeError:  # bfloat16 and sparse tensors have no counterpart in numpy
        numbers = tensor.to_dense().float().numpy(force=True)
    return numbers


def same(one: Any, other: Any) -> bool:
    """Are two plain values equal, arrays item by item?"""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    try:
        return bool(one is other or one == other)
    except Exception:  # noqa: BLE001 - another's object, which cannot be compared
        return False


_DTYPES = {bool: ("bool", "boolean"), int: ("int64", "Int64"), float: ("float64", "float64")}


def column(values: Sequence[Any]) -> pd.Series:
    """The values as a column: typed when they are scalars of one type, otherwise of objects.

    None is missing; it makes whole numbers and truths of pandas' types that know <NA>.
    """
    kinds = {*map(type, values)} - {type(None)}
    if len(kinds) == 1 and (kind := kinds.pop()) in _DTYPES and _fits(kind, values):
        dtype = _DTYPES[kind][None in values]
        return pd.Series(list(values), dtype=dtype)
    # Taken one by one: numpy would otherwise stack arrays of one shape.
    return pd.Series(np.fromiter(values, dtype=object, count=len(values)), dtype=object)


def _fits(kind: type, values: Sequence[Any]) -> bool:
    limits = np.iinfo(np.int64)
    return kind is not int or all(
        limits.min <= value <= limits.max for value in values if value is not None
    )
