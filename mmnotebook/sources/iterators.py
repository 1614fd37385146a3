"""Iterators as data: each is read once, and what was read is kept for as long as it lives."""

from __future__ import annotations

import inspect
import itertools
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mmnotebook.errors import RunError, one_line

_lock = threading.Lock()


@dataclass
class _Taken:
    """What was read of an iterator.

    Attributes
    ----------
    ended
        Was it read to its end?
    error
        What it raised.
    """

    items: list[Any] = field(default_factory=list)
    ended: bool = False
    error: Exception | None = None

    def read(self, iterator: Iterator[Any], limit: int | None) -> None:
        """Read on, until there are `limit` items or no more."""
        if self.ended or (limit is not None and len(self.items) >= limit):
            return
        try:
            more = None if limit is None else limit - len(self.items)
            self.items.extend(itertools.islice(iterator, more))
            self.ended = limit is None or len(self.items) < limit
        except Exception as error:  # noqa: BLE001 - whatever the user's code raises
            self.error, self.ended = error, True


_known: weakref.WeakKeyDictionary[Any, _Taken] = weakref.WeakKeyDictionary()


def first(name: str, iterator: Iterator[Any], limit: int | None) -> list[Any]:
    """The first items of an iterator, the same however often they are asked for; None for all.

    Raises
    ------
    RunError
        When it was used up before, raises, or cannot be known again.
    """
    kind = type(iterator).__name__
    with _lock:
        try:
            taken = _known.setdefault(iterator, _Taken())
        except TypeError as error:  # of Python's own iterators most take no weak references
            raise RunError(
                f"source {name!r} is a {kind}, which can be read once only",
                remedy=f"{name} = list({name})",
            ) from error
        if not taken.ended and _is_closed(iterator):
            raise _used_up(name, kind)
        taken.read(iterator, limit)
    if taken.error is not None:
        raise raised(name, kind, len(taken.items), taken.error) from taken.error
    if taken.ended and not taken.items and not inspect.isgenerator(iterator):
        raise _used_up(name, kind)  # or it never had anything: that cannot be known
    return taken.items[:limit]


def raised(name: str, kind: str, count: int, error: Exception) -> RunError:
    """The error for a source that raised after so many elements."""
    return RunError(
        f"source {name!r}: the {kind} raised after {count:,} elements: {one_line(error)}"
    )


def _is_closed(iterator: Any) -> bool:
    if not inspect.isgenerator(iterator):
        return False
    return inspect.getgeneratorstate(iterator) == inspect.GEN_CLOSED


def _used_up(name: str, kind: str) -> RunError:
    return RunError(
        f"source {name!r} is a {kind} that has nothing left: it was used up before",
        remedy=f"make it anew, or keep its elements: {name} = list(...)",
    )
