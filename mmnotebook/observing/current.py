"""The node that a thread is computing, and the active records."""

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
    is_beside
        Whether another thread works for another node meanwhile. The generators of random numbers
        do not show which of them drew.
    later
        Records an action, unless the function that performed it returns a value that cannot depend
        on the action; None if no profiler observes returned values.
    """

    record: Record
    loads: bool = False
    is_beside: bool = False
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
            who = "it, or a model that was called at the same time," if self.is_beside else "it"
            self.varies(f"{who} drew random numbers ({library})")

    def varies(self, why: str) -> None:
        """Record why no other run may reuse the results of the node."""
        if not self.loads:
            self.record.varies(why)


_work: ContextVar[Work | None] = ContextVar("mmnotebook_work", default=None)
_active: list[Work] = []
_lock = threading.Lock()


class _Busy(threading.local):
    busy = False


_own = _Busy()


def work() -> Work | None:
    """Return the work of this thread for a node, or None."""
    return _work.get()


@contextmanager
def working(work: Work) -> Iterator[None]:
    """Assign actions of this thread, and of threads with its context, to `work` in this block."""
    token = _work.set(work)
    with _lock:
        for other in _active:
            if other.record is not work.record:
                other.is_beside = work.is_beside = True
        _active.append(work)
    try:
        yield
    finally:
        _work.reset(token)
        with _lock:
            _active.remove(work)


@contextmanager
def unseen() -> Iterator[None]:
    """Mark the actions of this thread in this block as those of mmnotebook."""
    before, _own.busy = _own.busy, True
    try:
        yield
    finally:
        _own.busy = before


def is_unseen() -> bool:
    """Return whether the actions of this thread are those of mmnotebook."""
    return _own.busy


def concerned(frame: FrameType | None) -> tuple[Work, ...]:
    """Return the `Work` objects to which an action of this thread is assigned.

    An action of a thread without a `Work`, such as a thread of a pool, is assigned to all active
    nodes, because it is unknown which node caused it. Actions without a `Work` are ignored in the
    main thread and in threads of mmnotebook.
    """
    work = _work.get()
    if work is not None:
        return (work,)
    if not _active or threading.current_thread() is threading.main_thread():
        return ()
    return () if origins.has_ours(frame) else tuple(_active)
