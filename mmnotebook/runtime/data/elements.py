"""What flows: a key with the element's identity, and its value; and what is kept of a failure."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmnotebook.analysis.records import Failure
from mmnotebook.errors import nearest, one_line
from mmnotebook.graph import selecting
from mmnotebook.graph.names import is_a
from mmnotebook.graph.selecting import Drop, kept
from mmnotebook.runtime.blocks.columns import Column, Fields, Records, Selected, row_of

Select = selecting.Select
"""A field, several in their order, all but some, or the value itself."""

_FIXED = {str, bytes, bool, int, float, type(None)}
_TENSOR = {("torch", "Tensor")}


class Key(NamedTuple):
    """Who an element is.

    Attributes
    ----------
    id
        Lasts through the graph; `parent/0` for what a flat_map made.
    origin
        The id of the source's element that it comes from.
    key
        The arm that it took, or the key that chose its model.
    fields
        The source's fields that a later `by=` names.
    """

    id: str
    origin: str
    key: str | None = None
    fields: tuple[tuple[str, Any], ...] = ()

    def child(self, position: int) -> Key:
        return self._replace(id=f"{self.id}/{position}")


class MissingField(Exception):
    """An element lacks a field that a step asks for."""


def pick(value: Any, select: Select) -> Any:
    """The selected field of a value, several as one numpy row; the value itself for None."""
    picked = _pick(value, select)
    return row_of(picked.values()) if isinstance(picked, Fields) else picked


def pick_column(
    values: Sequence[Any], select: Select
) -> tuple[Sequence[Any], Callable[[Any], Any] | None]:
    """What is selected of all values at once and None, or the values and what picks from each."""
    if select is None:
        return values, None
    if isinstance(values, Selected):  # its fields are there, under their names
        picked, pick = pick_column(values.records, select)
        return (picked, None) if pick is None else (values.records, pick)
    column = _column(values, select) if isinstance(values, Column) else None
    return (values, functools.partial(_pick, select=select)) if column is None else (column, None)


def _column(values: Column, select: str | tuple[str, ...] | Drop) -> Column | None:
    """What is selected of all values; None where some of them lack it, or nothing would be left."""
    if isinstance(select, str):
        return values.field(select)
    names: tuple[str, ...] = ()
    if not isinstance(select, Drop):
        names = () if _has_twice(select) else select
    elif isinstance(values, Records) and all(name in values.columns for name in select.names):
        names = kept(select, values.columns)
    columns = {name: values.field(name) for name in names}
    known = {name: column for name, column in columns.items() if column is not None}
    return Selected(Records(known)) if names and len(known) == len(columns) else None


def _pick(value: Any, select: Select) -> Any:
    """What is selected of a value, several fields under their names."""
    if select is None:
        return value
    if isinstance(select, str):
        return _field(value, select)
    if not isinstance(select, Drop):
        chosen = [_field(value, name) for name in select]
        return row_of(chosen) if _has_twice(select) else Fields(zip(select, chosen, strict=True))
    for name in select.names:
        _field(value, name)
    left = Fields({name: value[name] for name in kept(select, _names(value) or ())})
    if not left:
        raise MissingField(f"no field is left without {', '.join(map(repr, select.names))}")
    return left


def _field(value: Any, name: str) -> Any:
    if has_field(value, name):
        return value[name]
    names = _names(value)
    if names is None:
        kind = type(value).__name__
        raise MissingField(f"no field {name!r}: the element is a {kind}, not a record")
    close = nearest(name, names)
    hint = f"; did you mean {close!r}?" if close else ""
    raise MissingField(f"no field {name!r}; the element has: {', '.join(names)}{hint}")


def _has_twice(select: tuple[str, ...]) -> bool:
    """Is a field selected twice? Then it can stand in a row alone."""
    return len(set(select)) < len(select)


def has_field(value: Any, name: str) -> bool:
    """Is a value a record that has this field?"""
    if isinstance(value, (dict, Mapping)):  # a dict is by far the most, and found at once
        return name in value
    return isinstance(value, np.void) and name in (value.dtype.names or ())


def _names(value: Any) -> tuple[str, ...] | None:
    """The fields of a record; None for any other value."""
    if isinstance(value, Mapping):
        return tuple(map(str, value))
    return value.dtype.names if isinstance(value, np.void) else None


def own(value: Any) -> Any:
    """A copy of what a function could change in place: records, lists, arrays and tensors.

    Those in tuples too, and so a prediction's example and inference.

    Beam hands one object to every step that follows.
    """
    kind = type(value)
    if kind in _FIXED:  # by far the most; `is_a` takes longer
        return value
    if kind is dict:
        return {name: own(item) for name, item in value.items()}
    if kind is list:
        return [own(item) for item in value]
    if isinstance(value, tuple):
        items = map(own, value)
        return kind._make(items) if hasattr(kind, "_make") else tuple(items)
    if kind is np.ndarray:
        return value.copy()
    return value.clone() if is_a(value, _TENSOR) else value


def by_value(key: Key, value: Any, by: str) -> Any:
    """The field that `by=` names: of a value that is a record, else of the source's element."""
    if has_field(value, by):
        return value[by]
    carried = dict(key.fields)
    if by in carried:
        return carried[by]
    names = [*(_names(value) or ()), *carried]
    close = nearest(by, names)
    hint = f"; did you mean {close!r}?" if close else ""
    found = f"; found: {', '.join(names)}{hint}" if names else ""
    raise MissingField(
        f"no field {by!r} to go by, neither in the source's element nor in what flows, "
        f"a {type(value).__name__}{found}"
    )


def failure(node: str, element_id: str, error: BaseException) -> Failure:
    """What is kept of an element that failed: the traceback without our own and Beam's frames."""
    trace = error.__traceback__
    frames = traceback.extract_tb(trace)
    theirs = [f for f in frames if "/mmnotebook/runtime/" not in f.filename.replace("\\", "/")]
    lines = traceback.format_list([f for f in theirs if "/apache_beam/" not in f.filename])
    text = "".join([*lines, *traceback.format_exception_only(type(error), error)])
    message = one_line(error).partition(": ")[2]
    return Failure(node, element_id, type(error).__name__, message, text)
