"""The node that a thread works on, and the active records."""

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
    """The work that a thread does for a node.

    Attributes
    ----------
    loads
        Whether a model is being loaded.
    later
        Called with an action that counts unless the function which did it returns a value that
        cannot depend on it; None while no profiler sees returned values.
    """

    record: Record
    loads: bool = False
    later: Callable[[origins.Origin, str], None] | None = None
    _states: dict[str, Any] = field(default_factory=dict)
    _whole: bool = False

    def begin(self) -> None:
        """Start to detect random draws."""
        self._whole = self.record.is_due(time.perf_counter())
        self._states = generators.states(whole=self._whole)

    def end(self) -> None:
        """Check for random draws since `begin`."""
        if library := generators.drawn(self._states, generators.states(whole=self._whole)):
            self.varies(f"it drew random numbers ({library})")

    def varies(self, why: str) -> None:
        """Note why no other run may reuse the node's results."""
        if not self.loads:
            self.record.varies(why)


_work: ContextVar[Work | None] = ContextVar("mmnotebook_work", default=None)
_active: list[Work] = []
_lock = threading.Lock()


class _Busy(threading.local):
    busy = False


_own = _Busy()


def work() -> Work | None:
    """Return what this thread does for a node, or None."""
    return _work.get()


@contextmanager
def working(work: Work) -> Iterator[None]:
    """Assign what this thread does to that work, also in threads that inherit its context."""
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
    """Mark what this thread does in this block as mmnotebook's own work."""
    before, _own.busy = _own.busy, True
    try:
        yield
    finally:
        _own.busy = before


def is_unseen() -> bool:
    """Return whether this thread does mmnotebook's own work."""
    return _own.busy


def concerned(frame: FrameType | None) -> tuple[Work, ...]:
    """Return the work that an action in this thread counts for.

    An action of an unknown thread, such as one of a pool, counts for all nodes: it cannot be seen
    who gave the thread its work. The main thread and mmnotebook's own threads work for no node.
    """
    work = _work.get()
    if work is not None:
        return (work,)
    if not _active or threading.current_thread() is threading.main_thread():
        return ()
    return () if origins.has_ours(frame) else tuple(_active)
