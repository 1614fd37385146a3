"""Elements (a key and a value) and failures."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from sys import getrefcount
from typing import Any, NamedTuple

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
    row_of,
)
from mmnotebook.errors import cut, nearest, one_line, text_of
from mmnotebook.graph import field_selection
from mmnotebook.graph.field_selection import Drop, kept
from mmnotebook.graph.names import is_a
from mmnotebook.results.records import Failure

Select = field_selection.Select
"""A selection: one field, several fields in order, all but some, or None for the value itself."""

_FIXED = {str, bytes, bool, int, float, type(None)}
_COPIED = {("PIL", "Image"), ("pandas", "DataFrame"), ("pandas", "Series")}
_NOT_THEIRS = (f"{Path(__file__).parents[1].as_posix()}/", "/apache_beam/")
"""Parts of paths: the traceback of a failure leaves out frames of this package and of Beam."""
_FIRST, _LAST = 4, 12
"""The number of first and last frames that a traceback keeps."""
_TRACE, _NOTE, _NOTES = 4000, 300, 5
"""The maximum characters of all frames, of one note or cause, and the maximum number of notes."""


class Key(NamedTuple):
    """The identity of an element, with the choices that steps made for it.

    Attributes
    ----------
    id
        The id, the same in all nodes; `parent/0` for a child that a flat_map created.
    origin
        The id of the source element from which the element was computed.
    key
        The key that chose the model for the element; None without a keyed step.
    fields
        The fields of the source that a later `by=` names.
    branch
        The branch that a split or switch chose; None without such a step.
    model
        The model of a cascade that produced the prediction; None without a cascade.
    """

    id: str
    origin: str
    key: str | None = None
    fields: tuple[tuple[str, Any], ...] = ()
    branch: str | None = None
    model: str | None = None

    def child(self, position: int) -> Key:
        """Return the key of a child that a flat_map created."""
        return self._replace(id=f"{self.id}/{position}")


class MissingField(Exception):
    """An element has no field with the name that a step selects."""


def pick(value: Any, select: Select) -> Any:
    """Return the selected field of a value, or several selected fields as one NumPy row.

    If `select` is None, the value itself is returned. In a row of numbers and strings, numbers stay
    numbers.
    """
    picked = _pick(value, select)
    return row_of(picked.values()) if isinstance(picked, SelectedFields) else picked


def array_of(value: Any) -> np.ndarray[Any, Any]:
    """Convert a plain value to an array; numbers next to strings are not converted to strings."""
    return row_of(value) if isinstance(value, (list, tuple)) else np.asarray(value)


def pick_column(
    values: Sequence[Any], select: Select
) -> tuple[Sequence[Any], Callable[[Any], Any] | None]:
    """Select fields of all values at once, if possible.

    Returns
    -------
    values, pick
        The selected fields, and None; or the unchanged values, and a function that selects the
        fields of one value.
    """
    if select is None:
        return values, None
    if isinstance(values, Cells):
        return pick_column(values.cells, select)
    if isinstance(values, Selected):  # its records contain the fields by name
        picked, pick = pick_column(values.records, select)
        return (picked, None) if pick is None else (values.records, pick)
    column = _column(values, select) if isinstance(values, Column) else None
    return (values, functools.partial(_pick, select=select)) if column is None else (column, None)


def _column(values: Column, select: str | tuple[str, ...] | Drop) -> Column | None:
    """Select fields of all values; None if a value has no such field, or no field remains."""
    if isinstance(select, str):
        if isinstance(values, Records) and select in values.columns:
            return values.alone(select)
        return values.field(select)
    names: tuple[str, ...] = ()
    if not isinstance(select, Drop):
        names = () if _has_twice(select) else select
    elif isinstance(values, Records) and all(name in values.columns for name in select.names):
        names = kept(select, values.columns)
    columns = {name: values.field(name) for name in names}
    known = {name: column for name, column in columns.items() if column is not None}
    if not names or len(known) < len(columns):
        return None
    dtypes = values.dtypes if isinstance(values, Records) else {}
    return Selected(Records(known, {name: dtypes[name] for name in known if name in dtypes}))


def _pick(value: Any, select: Select) -> Any:
    """Select fields of a value; several fields are returned by name."""
    if select is None:
        return value
    if isinstance(select, str):
        return _field(value, select)
    if not isinstance(select, Drop):
        chosen = [_field(value, name) for name in select]
        return (
            row_of(chosen)
            if _has_twice(select)
            else SelectedFields(zip(select, chosen, strict=True))
        )
    for name in select.names:
        _field(value, name)
    left = SelectedFields({name: value[name] for name in kept(select, _names(value) or ())})
    if not left:
        raise MissingField(f"no field remains after dropping {', '.join(map(repr, select.names))}")
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
    """Return whether a field is selected twice; such fields can be a row, but not a record."""
    return len(set(select)) < len(select)


def has_field(value: Any, name: str) -> bool:
    """Return whether a value is a record with this field."""
    if isinstance(value, (dict, Mapping)):  # most values are dicts; check `dict` first: it is fast
        return name in value
    return isinstance(value, np.void) and name in (value.dtype.names or ())


def _names(value: Any) -> tuple[str, ...] | None:
    """Return the field names of a record; None for any other value."""
    if isinstance(value, Mapping):
        return tuple(map(str, value))
    return value.dtype.names if isinstance(value, np.void) else None


def own(value: Any) -> Any:
    """Return a copy of a value that a function could change in place.

    Records, lists, arrays, tensors and images are copied, also inside tuples such as predictions.
    Without a copy, a change would reach other steps, since Beam passes the same object to them.
    """
    kind = type(value)
    if kind in _FIXED:  # true for most values, and faster than `is_a`
        return value
    if kind is dict:
        return {name: own(item) for name, item in value.items()}
    if kind is list:
        plain_one = _FIXED.issuperset(map(type, value))
        return value.copy() if plain_one else [own(item) for item in value]
    if kind is torch.Tensor:
        return value.clone()
    if kind is np.ndarray:
        return value.copy()
    if isinstance(value, tuple):
        items = [item if type(item) in _FIXED else own(item) for item in value]
        return kind._make(items) if hasattr(kind, "_make") else tuple(items)
    if issubclass(kind, torch.Tensor):
        return value.clone()
    return value.copy() if is_a(value, _COPIED) else value


_unbind_copy: Callable[[torch.Tensor], Sequence[torch.Tensor]] = torch.unbind_copy  # type: ignore[assignment]
"""Return a copy of each row; torch's annotation has no return value."""


def own_rows(column: Column) -> Iterator[Any] | None:
    """Yield what `own` returns for each value, in less time; None for values of any class."""
    if isinstance(column, Numbers):
        return iter(column.rows())
    if isinstance(column, Arrays):
        return map(np.ndarray.copy, column.array) if column.array.ndim > 1 else None
    if isinstance(column, Tensors):
        return iter(_unbind_copy(column.tensor))
    if isinstance(column, Same):
        return iter(column.rows()) if type(column.value) in _FIXED else None
    if isinstance(column, Objects):
        return iter(column.values) if _FIXED.issuperset(map(type, column.values)) else None
    if not isinstance(column, (Records, Tuples)):
        return None
    parts = column.columns.values() if isinstance(column, Records) else column.columns
    rows = [part for one in parts if (part := own_rows(one)) is not None]
    if len(rows) < len(parts):
        return None
    return column.joined(zip(*rows, strict=True))


def settled(value: Any) -> Any:
    """Return a value that user code returned, as a copy if other objects refer to it.

    A function may return the same array or dict for every element, and change its content between
    calls.
    """
    kind = type(value)
    if kind in _FIXED:
        return value
    if getrefcount(value) > _HELD or (kind is np.ndarray and value.base is not None):
        return own(value)
    if kind is dict and not all(type(item) in _FIXED for item in value.values()):
        return own(value)
    return value


def _held(value: Any) -> int:
    """Return the reference count of an argument to which nothing else refers."""
    return getrefcount(value)


_HELD = _held([])


def by_value(key: Key, value: Any, by: str) -> Any:
    """Return the field that `by=` names, from the value or else from the source element."""
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
        f"no field {by!r} in the source element or in the current value, "
        f"a {type(value).__name__}{found}"
    )


def failure(node: str, element_id: str, error: BaseException) -> Failure:
    """Create the `Failure` of an element; its traceback has no frames of this package or Beam."""
    text = text_of(error)
    message = one_line(error).partition(": ")[2]
    return Failure(node, element_id, type(error).__name__, message, _traceback(error, text))


def _traceback(error: BaseException, text: str) -> str:
    """Format an error: its first and last frames, and its message, `text`."""
    frames = [
        place
        for place in traceback.walk_tb(error.__traceback__)
        if not any(part in place[0].f_code.co_filename.replace("\\", "/") for part in _NOT_THEIRS)
    ]
    left_out = len(frames) - _FIRST - _LAST
    if left_out > 0:
        ends = (frames[:_FIRST], frames[-_LAST:])
        first, last = (traceback.StackSummary.extract(iter(some)).format() for some in ends)
        lines = [*first, f"  … {left_out:,} more frames …\n", *last]
    else:
        lines = traceback.StackSummary.extract(iter(frames)).format()
    return cut("".join(lines), _TRACE) + "".join(_ending(error, text))


def _ending(error: BaseException, text: str) -> Iterator[str]:
    """Format the end of a traceback: the error, its notes, its group members and its causes."""
    yield f"{_name(error)}: {text}\n" if text else f"{_name(error)}\n"
    notes = [note for note in getattr(error, "__notes__", None) or () if isinstance(note, str)]
    yield from (f"{cut(note, _NOTE)}\n" for note in notes[:_NOTES])
    group = getattr(error, "exceptions", ())  # of an ExceptionGroup
    parts = [part for part in group if isinstance(part, BaseException)]
    yield from (f"  {one_line(part, _NOTE)}\n" for part in parts[:_NOTES])
    if len(parts) > _NOTES:
        yield f"  … {len(parts) - _NOTES:,} more …\n"
    seen, cause = {id(error)}, _cause(error)
    while cause is not None and id(cause) not in seen and len(seen) <= _NOTES:
        seen.add(id(cause))
        yield f"caused by {one_line(cause, _NOTE)}\n"
        cause = _cause(cause)


def _cause(error: BaseException) -> BaseException | None:
    context = None if error.__suppress_context__ else error.__context__
    return error.__cause__ or context


def _name(error: BaseException) -> str:
    kind = type(error)
    bare = kind.__module__ in ("builtins", "__main__")
    return kind.__qualname__ if bare else f"{kind.__module__}.{kind.__qualname__}"
