"""Field selection: one field, several, or all but some."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Drop:
    """All fields but these.

    Attributes
    ----------
    names
        The fields that are left out, each once, in the order in which they are written.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(dict.fromkeys(self.names)))


Select = str | tuple[str, ...] | Drop | None
"""A field, several in their order, all but some, or the value itself."""


def is_select(select: Any) -> bool:
    """Can this be selected of a record?"""
    names = select.names if isinstance(select, Drop) else select
    if isinstance(names, tuple):
        return bool(names) and all(isinstance(name, str) for name in names)
    return names is None or isinstance(names, str)


def names_in(select: Select) -> tuple[str, ...]:
    """The fields that a selection names."""
    if isinstance(select, Drop):
        return select.names
    return (select,) if isinstance(select, str) else select or ()


def kept(drop: Drop, names: Iterable[str]) -> tuple[str, ...]:
    """Of these fields those that are not dropped, in their order."""
    return tuple(name for name in names if name not in drop.names)


def to_data(select: Select) -> Any:
    """A selection as JSON has it."""
    if isinstance(select, Drop):
        return {"drop": list(select.names)}
    return list(select) if isinstance(select, tuple) else select


def of_data(data: Any) -> Select:
    """The selection that `to_data` wrote.

    Raises
    ------
    TypeError
        When it is none.
    """
    if isinstance(data, dict) and [*data] == ["drop"] and isinstance(data["drop"], (list, tuple)):
        return Drop(tuple(map(text_of, data["drop"])))
    if isinstance(data, (list, tuple)):
        return tuple(map(text_of, data))
    return None if data is None else text_of(data)


def text_of(value: Any) -> str:
    """A text that JSON must have; TypeError when it is another value."""
    if not isinstance(value, str):
        raise TypeError(f"expected a string, not {value!r}")
    return value
