"""What a thread works on, and which records are filled at this moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from mmnotebook.observing import generators, origins
from mmnotebook.observing.record import Record


@dataclass(eq=False)
class Work:
    """What a thread does for a node.

    Attributes
    ----------
    loads
        Is it that a model is loaded?
    later
        Says that something was done that counts unless what did it answers with nothing that can
        tell of it; None while no profiler hears what is answered.
    """

    record: Record
    loads: bool = False
    later: Callable[[origins.Origin, str], None] | None = None
    _states: dict[str, Any] = field(default_factory=dict)
    _whole: bool = False

    def begin(self) -> None:
        """Draws count from here on."""
        self._whole = self.record.is_due(time.perf_counter())
        self._states = generators.states(whole=self._whole)

    def end(self) -> None:
        """Draws count up to here."""
        if library := generators.drawn(self._states, generators.states(whole=self._whole)):
            self.varies(f"it drew random numbers ({library})")

    def varies(self, why: str) -> None:
        """It did something for which no other run may use its results."""
        if not self.loads:
            self.record.varies(why)


_work: ContextVar[Work | None] = ContextVar("mmnotebook_work", default=None)
_active: list[Work] = []
_lock = threading.Lock()


class _Busy(threading.local):
    busy = False


_own = _Busy()


def work() -> Work | None:
    """What this thread does for a node, None when it works for none."""
    return _work.get()


@contextmanager
def working(work: Work) -> Iterator[None]:
    """What this thread does is that work, also in threads that take over its context."""
    token = _work.set(work)
    with _lock:
        _active.append(work)
    try:
        yield
    finally:
        _work.reset(token)
        with _lock:
            _active.remove(work)


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


def concerned(frame: FrameType | None) -> tuple[Work, ...]:
    """The work that something done in this thread counts for.

    That of a thread that works for nobody known, such as one of a pool, counts for all: who gave it
    its work cannot be seen. The user's own thread and those of ours do nothing for a node.
    """
    work = _work.get()
    if work is not None:
        return (work,)
    if not _active or threading.current_thread() is threading.main_thread():
        return ()
    return () if origins.has_ours(frame) else tuple(_active)
