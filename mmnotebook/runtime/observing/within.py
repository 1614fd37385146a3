"""Around the work of a node in one thread: what is done there is noted in its record."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from mmnotebook.runtime.observing import audit, current, generators, hearing
from mmnotebook.runtime.observing.profile import Profile
from mmnotebook.runtime.observing.record import Record


@contextmanager
def within(record: Record | None) -> Iterator[None]:
    """Note in a record what this thread does, and what threads do that it starts.

    Nothing that is done is changed by it. With None nothing is noted.

    Examples
    --------
    >>> import os
    >>> record = Record()
    >>> with within(record):
    ...     found = os.path.exists("prices.csv")
    >>> record.complete
    True
    """
    if record is None:
        yield
        return
    with current.unseen():
        started = time.thread_time()
        record.enter()
        whole = record.is_due(time.perf_counter())
        before = generators.states(whole=whole)
    try:
        with hearing.heard(audit.notice), current.working_for(record), Profile(record):
            yield
    finally:
        with current.unseen():
            after = generators.states(whole=whole)
            if library := generators.drawn(before, after):
                record.varies(f"it drew random numbers ({library})")
            record.leave(time.thread_time() - started)
