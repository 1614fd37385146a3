"""A context manager that records the actions of a thread for a node."""

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
    """Record the actions of this thread, and of threads that it starts, inside this block.

    Parameters
    ----------
    record
        Receives the actions; None records nothing.
    loads
        Whether a model is being loaded. Then only the files that it reads are recorded, not random
        draws, writes or other queries, since random weights are replaced by those of the file.

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
        with audit_hook.listening(audit.notice), current.working(work), Profile(work):
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
