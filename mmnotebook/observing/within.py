"""Around the work of a node in one thread: what is done there is noted in its record."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from mmnotebook.observing import audit, current, hearing
from mmnotebook.observing.current import Work
from mmnotebook.observing.profile import Profile
from mmnotebook.observing.record import Record


@contextmanager
def within(record: Record | None, *, loads: bool = False) -> Iterator[None]:
    """Note in a record what this thread does, and what threads do that it starts.

    Nothing that is done is changed by it. With None nothing is noted.

    Parameters
    ----------
    loads
        Is it that a model is loaded? What it reads is noted then, and nothing that is drawn,
        written or asked on the way: weights that are drawn are replaced by those of the file.

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
        with hearing.heard(audit.notice), current.working(work), Profile(work):
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
