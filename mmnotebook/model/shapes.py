"""Grouping of elements by shape; elements of equal shape can be stacked into one batch."""

from __future__ import annotations

import numbers
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from mmnotebook.elements.columns import Cells, Column, Objects, Records, Selected, Tuples
from mmnotebook.model.layouts import is_array
from mmnotebook.results.values import is_prediction

_OTHER = "other"
_PYTHONS = frozenset(("bool", "int", "float"))


def alike(values: Column, types: bool = False) -> list[Sequence[int]]:
    """Return the positions of values, grouped by shape, in the order of each group's first value.

    Texts, images and other objects without a numeric shape are one group.

    Parameters
    ----------
    types
        Whether Python integers and other numbers are in separate groups. In one array, integers
        would be converted to the type of the others.
    """
    if not len(values):
        return []
    if isinstance(values, Cells):
        return alike(values.cells, types)
    if isinstance(values, Selected):
        return alike(values.records, types)
    if _is_stacked(values):
        return [range(len(values))]
    found: dict[Hashable, list[int]] = defaultdict(list)
    for place, value in enumerate(values):
        found[_kind(value, types)].append(place)
    return [range(len(values))] if len(found) == 1 else list(found.values())


def _is_stacked(values: Column) -> bool:
    """Return whether all values are known to have one shape."""
    if isinstance(values, Objects):
        return False
    if isinstance(values, Records):
        return all(map(_is_stacked, values.columns.values()))
    return all(map(_is_stacked, values.columns)) if isinstance(values, Tuples) else True


def _kind(value: Any, types: bool) -> Hashable:
    """Return the key of an element's group: its shape, or its type if it is a number."""
    if isinstance(value, (numbers.Number, np.generic)):
        return type(value).__name__
    try:
        return (_shape(value), _type(value)) if types else _shape(value)
    except Exception:  # noqa: BLE001 - an object of the user's class may raise anything
        return _OTHER


def _shape(value: Any) -> Hashable:
    if is_array(value) and not isinstance(value, np.generic):
        return (str(value.dtype), tuple(value.shape))
    if isinstance(value, Mapping):
        return tuple((str(name), _shape(part)) for name, part in value.items())
    if is_prediction(value):
        return _shape(value.inference)
    if isinstance(value, (list, tuple)):
        return _shape_of_list(value)
    return _OTHER


def _shape_of_list(values: Sequence[Any]) -> Hashable:
    """Return the shape of nested lists of numbers."""
    if not values:
        return ("list", 0)
    first = values[0]
    if isinstance(first, numbers.Number):
        whole = all(isinstance(item, numbers.Integral) for item in values)
        return ("list", len(values), whole)
    if not isinstance(first, (list, tuple)) and not is_array(first):
        return _OTHER
    inner = {_shape(item) for item in values}
    return ("list", len(values), *sorted(map(str, inner)))


def _type(value: Any) -> Hashable:
    """Return the type of the numbers in a value, or of an array that contains all of them."""
    if isinstance(value, Mapping):
        return tuple(map(_type, value.values()))
    if is_prediction(value):
        return _type(value.inference)
    if isinstance(value, (list, tuple)):
        kinds = frozenset(map(_type, value))
        if not kinds <= _PYTHONS or not kinds & {"int", "float"}:
            return kinds
        return "float" if "float" in kinds else "int"
    if isinstance(value, (bool, int, float)):
        return type(value).__name__
    return str(value.dtype) if isinstance(value, np.generic) else _OTHER
