"""Values as cells of a file: strings, numbers, booleans, dates, lists and records."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import uuid
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from mmnotebook.errors import shown
from mmnotebook.graph.names import is_a
from mmnotebook.results.values import array, is_prediction

AS_THEY_ARE = {str, bool, int, float, type(None), pd.Timestamp, pd.Timedelta}
"""Types of values that can be written unchanged."""

SCALARS = (datetime.date, datetime.time, datetime.timedelta, pd.Period, pd.Interval)
"""Types of dates, times and intervals, for which pandas has special column types."""

_IDENTITIES = (PurePath, uuid.UUID)
_LISTS = {("pandas", "Series"), ("pandas", "Index"), ("pandas", "ExtensionArray")}
_FRAME = {("pandas", "DataFrame")}
_BYTES = (bytes, bytearray, memoryview)


class Refused(Exception):
    """A value that a file of this kind cannot store.

    Attributes
    ----------
    what
        The problem, as a text that follows "field 'x' of element '3'".
    remedy
        What the user can write instead.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what, remedy)
        self.what, self.remedy = what, remedy


def cell(value: Any) -> Any:
    """Convert a value to plain data that a file can store; None for a missing value.

    A prediction is converted to its inference, a one-dimensional value to a list, and a frame to a
    list of records.

    Raises
    ------
    Refused
        If the value has another type, so that its text would not contain all of its content.
    """
    if type(value) in AS_THEY_ARE:
        return value
    if value is pd.NA or value is pd.NaT or value is np.ma.masked:
        return None
    if is_prediction(value):
        return cell(value.inference)
    if isinstance(value, Mapping):
        return {name: cell(part) for name, part in named(value).items()}
    if isinstance(value, (list, tuple)):
        return _items(value)
    if is_a(value, _FRAME):
        return _items([named(row) for row in _records(value)])
    if is_a(value, _LISTS):
        return _items(list(value))
    if hasattr(value, "detach"):
        value = array(value)
    return _array(value) if isinstance(value, np.ndarray) else _scalar(value)


def named(record: Mapping[Any, Any]) -> dict[str, Any]:
    """Convert the field names of a record to strings; raise `Refused` if two become equal."""
    found = {str(name): part for name, part in record.items()}
    if len(found) < len(record):
        raise Refused(f"has two names that look the same: {same_text(record)}", "rename one")
    return found


def same_text(names: Any) -> str:
    """Describe the first two different names that are equal as strings; "" for none."""
    seen: dict[str, Any] = {}
    for name in names:
        if (other := seen.setdefault(str(name), name)) is not name:
            return f"{shown(other)} and {shown(name)}"
    return ""


def _items(values: Any) -> list[Any]:
    if set(map(type, values)) <= AS_THEY_ARE:
        return list(values)
    return list(map(cell, values))


def _records(frame: Any) -> list[dict[Any, Any]]:
    if not frame.columns.is_unique:
        raise Refused("is a DataFrame in which two columns have the same name", "rename one")
    records: list[dict[Any, Any]] = frame.to_dict("records")
    return records


def _array(values: np.ndarray[Any, Any]) -> Any:
    if values.ndim == 0:
        return cell(values[()])
    if values.dtype.kind in "biuU" or (values.dtype.kind == "f" and values.dtype.itemsize <= 8):
        return values.tolist()  # masked values are None
    return list(map(cell, values))


def _scalar(value: Any) -> Any:
    if isinstance(value, (np.datetime64, np.timedelta64)):
        made = pd.Timestamp(value) if isinstance(value, np.datetime64) else pd.Timedelta(value)
        return None if made is pd.NaT else made
    if isinstance(value, np.void) and value.dtype.names:
        return cell({name: value[name] for name in value.dtype.names})
    if isinstance(value, np.generic) and type(value.item()) is not type(value):
        return cell(value.item())
    for kind in (str, int, float):  # the plain value of a subclass, not the result of its `__str__`
        if isinstance(value, kind):
            return getattr(kind, f"__{kind.__name__}__")(value)
    if isinstance(value, _BYTES):
        return bytes(value)
    if isinstance(value, _IDENTITIES):
        return str(value)
    if isinstance(value, SCALARS):
        return value
    if isinstance(value, decimal.Decimal):
        return None if value.is_nan() else value
    raise Refused(
        f"is of type {type(value).__name__}, which a file of rows cannot store", _remedy(value)
    )


def _remedy(value: Any) -> str:
    if isinstance(value, (set, frozenset)):
        wanted = "sorted(items)"
    elif isinstance(value, complex):
        wanted = "[number.real, number.imag]"
    elif hasattr(value, "toarray"):
        wanted = "matrix.toarray()"
    elif is_a(value, {("PIL", "Image")}):
        wanted = "numpy.asarray(image)"
    else:
        wanted = "a string, a number, a list or a record of its relevant values"
    return f"put a function before write that returns {wanted} instead"


def in_json(value: Any) -> str:
    """Format a result of `cell` as JSON; NaN, which JSON does not support, becomes null.

    Raises
    ------
    Refused
        For bytes and infinite numbers.
    """
    try:
        return _dumped(value)
    except ValueError:  # NaN or infinity inside
        return _dumped(_finite(value))


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_text)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        raise Refused(
            "is bytes, not a string",
            "write a .parquet, which can store bytes, or put a function before write that returns "
            "base64.b64encode(data).decode() instead",
        )
    if isinstance(value, decimal.Decimal) and value.is_infinite():
        raise _infinite()
    return str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list):
        return list(map(_finite, value))
    if not isinstance(value, float) or math.isfinite(value):
        return value
    if math.isnan(value):
        return None
    raise _infinite()


def _infinite() -> Refused:
    return Refused(
        "is infinite, which JSON cannot represent",
        "write a .parquet, which can store it, or put a function before write that returns a "
        "finite number or None instead",
    )
