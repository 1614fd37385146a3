"""Which record a thread works for, and which records are filled at this moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

from mmnotebook.runtime.observing import origins
from mmnotebook.runtime.observing.record import Record

_record: ContextVar[Record | None] = ContextVar("mmnotebook_record", default=None)
_active: list[Record] = []
_lock = threading.Lock()


class _Busy(threading.local):
    busy = False


_own = _Busy()


@contextmanager
def working_for(record: Record) -> Iterator[None]:
    """What this thread does is the record's, also in threads that take over its context."""
    token = _record.set(record)
    with _lock:
        _active.append(record)
    try:
        yield
    finally:
        _record.reset(token)
        with _lock:
            _active.remove(record)


@contextmanager
def unseen() -> Iterator[None]:
    """What this thread does here is our own."""
    before, _own.busy = _own.busy, True
    try:
        yield
    finally:
        _own.busy = before


def is_unseen() -> bool:
    """Does this thread do our own work?"""
    return _own.busy


def records(frame: FrameType | None) -> tuple[Record, ...]:
    """The records that something done in this thread counts for.

    That of a thread that works for nobody known, such as one of a pool, counts for all: who gave it
    its work cannot be seen. The user's own thread and those of ours do nothing for a node.
    """
    record = _record.get()
    if record is not None:
        return (record,)
    if not _active or threading.current_thread() is threading.main_thread():
        return ()
    return () if origins.has_ours(frame) else tuple(_active)
