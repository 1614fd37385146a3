"""Values as JSON that keep their types: numbers, texts, arrays, tensors, tuples, records."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from mmnotebook.errors import shown
from mmnotebook.graph.names import is_a
from mmnotebook.results.values import array, plain


class NotWritable(Exception):
    """An object cannot be written to a file so that it comes back unchanged."""


def lines(elements: Iterable[tuple[str, Any]]) -> str:
    """Return a line of JSON for each (id, value); `helpers.stored_rows` reads them.

    Raises
    ------
    NotWritable
        If a value would come back changed.
    """
    return "".join(json.dumps([key, encoded(value)]) + "\n" for key, value in elements)


def encoded(value: Any) -> Any:
    """Return a value as JSON; an array or a tensor with its type and shape."""
    if value is None or type(value) in (str, bool, int, float):
        return value
    if isinstance(value, np.generic):
        return encoded(plain(value))
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return _array(value)
    if is_a(value, {("torch", "Tensor")}):
        return {**_array(array(value)), "tensor": True}
    if type(value) is list:
        return [encoded(item) for item in value]
    if type(value) is tuple:
        return {"__tuple__": [encoded(item) for item in value]}
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        if not {"__array__", "__tuple__"}.isdisjoint(value):
            raise NotWritable("a field has the name '__array__' or '__tuple__'")
        return {name: encoded(item) for name, item in value.items()}
    raise NotWritable(f"a value cannot be written as JSON: {shown(value)}")


def _array(value: Any) -> dict[str, Any]:
    return {"__array__": value.tolist(), "dtype": str(value.dtype), "shape": list(value.shape)}


def decoded(value: Any) -> Any:
    """Return the value of a result of `encoded`; a tensor as an array."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "__array__" in value:
        return np.array(value["__array__"], dtype=value["dtype"]).reshape(value["shape"])
    if "__tuple__" in value:
        return tuple(decoded(item) for item in value["__tuple__"])
    return {name: decoded(item) for name, item in value.items()}
