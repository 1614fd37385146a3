"""A context that records what a thread does for a node."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from mmnotebook.observing import audit, audit_hook, current
from mmnotebook.observing.current import Work
from mmnotebook.observing.profile import Profile
from mmnotebook.observing.record import Record


@contextmanager
def within(record: Record | None, *, loads: bool = False) -> Iterator[None]:
    """Record what this thread does, and the threads that it starts.

    Nothing is changed by it. With None nothing is recorded.

    Parameters
    ----------
    loads
        Whether a model is being loaded. Then files that are read are recorded, but not random
        draws, writes or other queries: weights drawn at random are replaced by those of the file.

    Examples
    --------
    >>> import os
    >>> record = Record()
    >>> with within(record):
    ...     found = os.path.exists("prices.csv")
    >>> record.complete
    True
    """
    outer = current.work()
    if record is None:
        yield
    elif outer is None or outer.record is not record:
        with _begun(Work(record, loads)):
            yield
    elif loads and not outer.loads:
        with _loading(outer):
            yield
    else:
        yield


@contextmanager
def _begun(work: Work) -> Iterator[None]:
    record = work.record
    with current.unseen():
        started = time.thread_time()
        record.enter()
        work.begin()
    try:
        with audit_hook.heard(audit.notice), current.working(work), Profile(work):
            yield
    finally:
        with current.unseen():
            work.end()
            record.leave(time.thread_time() - started, loads=work.loads)


@contextmanager
def _loading(outer: Work) -> Iterator[None]:
    with current.unseen():
        outer.end()
    outer.loads = True
    try:
        yield
    finally:
        outer.loads = False
        with current.unseen():
            outer.begin()
