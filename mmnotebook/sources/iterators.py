"""Iterators as data. Each iterator is read once, and its elements are kept."""

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
    """The items that were read from an iterator so far.

    Attributes
    ----------
    ended
        Whether the iterator was read to its end.
    error
        The exception that the iterator raised; None if there was none.
    """

    items: list[Any] = field(default_factory=list)
    ended: bool = False
    error: Exception | None = None

    def read(self, iterator: Iterator[Any], limit: int | None) -> None:
        """Read more items, until there are `limit` items or the iterator ends."""
        if self.ended or (limit is not None and len(self.items) >= limit):
            return
        try:
            more = None if limit is None else limit - len(self.items)
            self.items.extend(itertools.islice(iterator, more))
            self.ended = limit is None or len(self.items) < limit
        except Exception as error:  # noqa: BLE001 - the user's code may raise anything
            self.error, self.ended = error, True


_known: weakref.WeakKeyDictionary[Any, _Taken] = weakref.WeakKeyDictionary()


def first(name: str, iterator: Iterator[Any], limit: int | None) -> list[Any]:
    """Return the first `limit` items of an iterator, or all; each call returns the same items.

    Raises
    ------
    RunError
        If the iterator is already exhausted, raises an error, or has a type that does not support
        weak references, so that the next call could not recognize the iterator.
    """
    kind = type(iterator).__name__
    with _lock:
        try:
            taken = _known.setdefault(iterator, _Taken())
        except TypeError as error:  # most of Python's own iterators do not support weak references
            raise RunError(
                f"source {name!r} is an iterator of type {kind}, which can be read only once",
                remedy=f"{name} = list({name})",
            ) from error
        if not taken.ended and _is_closed(iterator):
            raise _used_up(name, kind)
        taken.read(iterator, limit)
    if taken.error is not None:
        raise raised(name, kind, len(taken.items), taken.error) from taken.error
    if taken.ended and not taken.items and not inspect.isgenerator(iterator):
        raise _used_up(name, kind)  # an iterator that never had elements looks the same
    return taken.items[:limit]


def raised(name: str, kind: str, count: int, error: Exception) -> RunError:
    """Return the error for a source that raised an error after `count` elements."""
    return RunError(
        f"source {name!r}: the {kind} raised an error after {count:,} elements: {one_line(error)}"
    )


def _is_closed(iterator: Any) -> bool:
    if not inspect.isgenerator(iterator):
        return False
    return inspect.getgeneratorstate(iterator) == inspect.GEN_CLOSED


def _used_up(name: str, kind: str) -> RunError:
    return RunError(
        f"source {name!r} is a {kind} that is exhausted: it was read before",
        remedy=f"create it again, or keep its elements: {name} = list(...)",
    )
