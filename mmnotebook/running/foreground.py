"""Ctrl-C during a run in the caller's thread.

A run in the foreground works in the caller's thread, because compiled code such as OpenMP keeps a
pool of threads for each thread that called it: a second pool would compete with the first one.
Ctrl-C must then end the run, not the code that happens to be running.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from mmnotebook.compat.python import interrupt
from mmnotebook.state import places

PATIENCE = 1.5
"""Seconds from a Ctrl-C until a run that does not end by itself is interrupted where it is."""


class Interrupt:
    """Ends a run at a Ctrl-C, and tells whether there was one.

    Inside the user's code, a Ctrl-C raises KeyboardInterrupt at once, as everywhere in Python.
    Elsewhere it only calls `stop`: the run ends at its next element. If it does not end within
    `PATIENCE`, for example because Beam waits, KeyboardInterrupt is raised wherever it is.

    Parameters
    ----------
    stop
        Cancels the run.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._before: Any = None
        self._thread = threading.get_ident()
        self._asked_at: float | None = None
        self._again = False
        self._open = False
        self._lock = threading.Lock()

    @property
    def asked(self) -> bool:
        """Whether the user has pressed Ctrl-C."""
        return self._asked_at is not None

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Handle SIGINT in this block if this is the main thread and SIGINT has a handler."""
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(before):
            yield
            return
        self._before = before
        signal.signal(signal.SIGINT, self._handle)
        try:
            self._open = True
            yield
        finally:
            self.close()
            signal.signal(signal.SIGINT, before)

    def close(self) -> None:
        """Raise nothing any more: the run ends by itself from here on."""
        with self._lock:
            self._open = False

    def remind(self) -> None:
        """Interrupt a run that has not ended in time after a Ctrl-C; other threads call this."""
        with self._lock:
            if not self._open or self._asked_at is None:
                return
            if time.monotonic() - self._asked_at < PATIENCE:
                return
            self._asked_at = time.monotonic()
            self._again = True
            interrupt(self._thread)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._again:
            self._again = False
            if self._open:
                raise KeyboardInterrupt
            return
        try:
            self._before(signum, frame)
        except KeyboardInterrupt:
            is_second, self._asked_at = self.asked, time.monotonic()
            self._stop()
            if self._open and (is_second or places.current() is not None):
                raise
