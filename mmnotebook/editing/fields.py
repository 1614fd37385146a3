"""The fields of a command, which the canvas sends as JSON, with checks of their types."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from mmnotebook.editing.document import refused
from mmnotebook.editing.node_positions import Place
from mmnotebook.editing.wire_rules import Wire
from mmnotebook.graph import field_selection
from mmnotebook.graph.field_selection import Select

Command = Mapping[str, Any]
End = tuple[str, str | None]
T = TypeVar("T")


def text(command: Command, field: str, known: Iterable[str] = ()) -> str:
    """Return a field that must be a string; the error for a missing field lists `known`."""
    if command.get(field) is None:
        message = f"{command.get('op')!r} needs {field!r}"
        raise refused(message, known=known, allowed=bool(known))
    return _checked(command, field, command.get(field), _text)


def text_or_none(command: Command, field: str) -> str | None:
    value = command.get(field)
    return None if value is None else _checked(command, field, value, _text)


def texts(command: Command, field: str) -> tuple[str, ...]:
    """Return a field that is a list of strings, without duplicates; () if it is missing."""
    found = _checked(command, field, command.get(field) or [], _list)
    return tuple(dict.fromkeys(_checked(command, field, item, _text) for item in found))


def fields(command: Command, field: str) -> dict[str, Any]:
    """Return a field that is a JSON object, as a dict; {} if it is missing."""
    return _checked(command, field, command.get(field) or {}, _object)


def place(command: Command, field: str) -> Place | None:
    value = command.get(field)
    return None if value is None else _checked(command, field, value, _place)


def places(command: Command, field: str) -> dict[str, Place]:
    found = fields(command, field)
    return {name: _checked(command, field, value, _place) for name, value in found.items()}


def end(command: Command, field: str) -> End | None:
    """Return a field that is an output, [source, port]; the port of a single output is null."""
    value = command.get(field)
    return None if value is None else _checked(command, field, value, _end)


def wire(command: Command, field: str) -> Wire | None:
    """Return a field that is a wire, [source, port, target]; None if it is missing."""
    value = command.get(field)
    return None if value is None else _checked(command, field, value, _wire)


def wires(command: Command, field: str) -> tuple[Wire, ...]:
    """Return a field that is a list of wires, [source, port, target]; () if it is missing."""
    found = _checked(command, field, command.get(field) or [], _list)
    return tuple(_checked(command, field, item, _wire) for item in found)


def select(command: Command, field: str) -> Select:
    """Return a field that is a selection: a name, a list of names, {"drop": [...]}, or null."""
    value = command.get(field)
    if value is None:
        return None
    (found,) = _checked(command, field, value, _select)
    return found


def _checked(command: Command, field: str, value: Any, take: Callable[[Any], T | None]) -> T:
    taken = take(value)
    if taken is None:
        raise refused(f"{field!r} of {command.get('op')!r} cannot be {value!r}")
    return taken


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _select(value: Any) -> tuple[Select] | None:
    try:
        found = field_selection.of_data(value)
    except TypeError:
        return None
    return (found,) if field_selection.is_select(found) else None


def _list(value: Any) -> list[Any] | None:
    return list(value) if isinstance(value, (list, tuple)) else None


def _object(value: Any) -> dict[str, Any] | None:
    return dict(value) if isinstance(value, Mapping) and all(map(_is_text, value)) else None


def _place(value: Any) -> Place | None:
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(map(_is_number, value)):
        return None
    return float(value[0]), float(value[1])


def _end(value: Any) -> End | None:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return None
    source, port = value
    return (source, port) if _is_text(source) and (port is None or _is_text(port)) else None


def _wire(value: Any) -> Wire | None:
    if not isinstance(value, (list, tuple)) or len(value) != 3 or not _is_text(value[2]):
        return None
    start = _end(value[:2])
    return None if start is None else (*start, value[2])


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
