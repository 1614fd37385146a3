"""Selection of fields: one field, several fields, or all fields except some."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Drop:
    """A selection of all fields except the dropped fields.

    Attributes
    ----------
    names
        The dropped fields, without duplicates, in the order in which the user wrote them.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(dict.fromkeys(self.names)))


Select = str | tuple[str, ...] | Drop | None
"""One field, several fields in order, all fields except some, or None for the whole value."""


def is_select(select: Any) -> bool:
    """Return whether `select` is a valid selection of fields."""
    names = select.names if isinstance(select, Drop) else select
    if isinstance(names, tuple):
        return bool(names) and all(isinstance(name, str) for name in names)
    return names is None or isinstance(names, str)


def names_in(select: Select) -> tuple[str, ...]:
    """Return the fields that a selection names; for a `Drop`, the dropped fields."""
    if isinstance(select, Drop):
        return select.names
    return (select,) if isinstance(select, str) else select or ()


def kept(drop: Drop, names: Iterable[str]) -> tuple[str, ...]:
    """Return the fields in `names` that are not dropped, in the same order."""
    return tuple(name for name in names if name not in drop.names)


def to_data(select: Select) -> Any:
    """Return a selection as a value for JSON."""
    if isinstance(select, Drop):
        return {"drop": list(select.names)}
    return list(select) if isinstance(select, tuple) else select


def of_data(data: Any) -> Select:
    """Convert the result of `to_data` back to a selection.

    Raises
    ------
    TypeError
        If the data is not a selection.
    """
    if isinstance(data, dict) and [*data] == ["drop"] and isinstance(data["drop"], (list, tuple)):
        return Drop(tuple(map(text_of, data["drop"])))
    if isinstance(data, (list, tuple)):
        return tuple(map(text_of, data))
    return None if data is None else text_of(data)


def text_of(value: Any) -> str:
    """Return the value if it is a string; otherwise raise TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"expected a string, not {value!r}")
    return value
