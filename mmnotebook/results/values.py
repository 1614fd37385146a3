"""Conversion of elements to plain Python and numpy values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

_PLAIN = (str, bytes, bool, int, float, complex, type(None))


def is_prediction(value: Any) -> bool:
    """Return whether a value is a Beam `PredictionResult`, or has its attributes."""
    try:
        return all(hasattr(value, name) for name in ("example", "inference", "model_id"))
    except Exception:  # noqa: BLE001 - a property of the object failed
        return False


def plain(value: Any) -> Any:
    """Convert a value to plain Python and numpy objects.

    A prediction is converted to its inference; a numpy scalar, and a tensor or array without
    dimensions, to a Python scalar; any other tensor to a numpy array. Items of dicts, lists and
    tuples are converted, too. A value that raises an error, or that contains itself, is returned
    unchanged.
    """
    if type(value) in _PLAIN:
        return value
    try:
        return _plain(value)
    except Exception:  # noqa: BLE001 - a foreign object may raise anything
        return value


def _plain(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, np.generic):
        # item() of a date in nanoseconds would be an int
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
    """Return the model of a prediction; None for any other value."""
    return value.model_id if is_prediction(value) else None


def array(tensor: Any) -> np.ndarray[Any, Any]:
    """Return a tensor's numbers as an array."""
    try:
        numbers: np.ndarray[Any, Any] = tensor.numpy(force=True)
    except TypeError:  # numpy has neither bfloat16 nor sparse arrays
        numbers = tensor.to_dense().float().numpy(force=True)
    return numbers


def same(one: Any, other: Any) -> bool:
    """Return whether two plain values are equal; arrays are compared by item."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    try:
        return bool(one is other or one == other)
    except Exception:  # noqa: BLE001 - a foreign object that cannot be compared
        return False


_DTYPES = {bool: ("bool", "boolean"), int: ("int64", "Int64"), float: ("float64", "float64")}


def column(values: Sequence[Any]) -> pd.Series:
    """Return the values as a column: typed if all are bool, all int or all float, else of objects.

    None is a missing value. If there are missing values, integers and booleans get pandas' nullable
    types.
    """
    kinds = {*map(type, values)} - {type(None)}
    if len(kinds) == 1 and (kind := kinds.pop()) in _DTYPES and _fits(kind, values):
        dtype = _DTYPES[kind][None in values]
        return pd.Series(list(values), dtype=dtype)
    # The values are stored one by one, because numpy would stack arrays of the same shape.
    return pd.Series(np.fromiter(values, dtype=object, count=len(values)), dtype=object)


def _fits(kind: type, values: Sequence[Any]) -> bool:
    limits = np.iinfo(np.int64)
    return kind is not int or all(
        limits.min <= value <= limits.max for value in values if value is not None
    )
