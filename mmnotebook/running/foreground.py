"""Ctrl-C during a run in the caller's thread.

A run in the foreground works in the caller's thread. Compiled code such as OpenMP keeps a pool of
threads for each thread that calls it. A run in another thread would create a second pool, and the
two pools would compete.
Ctrl-C must then end the run cleanly, and must not raise KeyboardInterrupt at any point in its code.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from mmnotebook.compat.python import current_task, interrupt, is_cancelled
from mmnotebook.state import places

PATIENCE = 1.5
"""Seconds after a Ctrl-C until KeyboardInterrupt is raised in a run that has not ended."""


class Interrupt:
    """Ends a run after a Ctrl-C; `asked` says whether the user has pressed Ctrl-C.

    Inside the user's code, a Ctrl-C raises KeyboardInterrupt at once, as everywhere in Python.
    Outside the user's code, a Ctrl-C only calls `stop`, and the run ends at its next element. If
    the run does not end within `PATIENCE` seconds, for example because Beam waits, or if the user
    presses Ctrl-C again, KeyboardInterrupt is raised in the code that runs at that time.

    Parameters
    ----------
    stop
        Cancels the run.
    raising
        Called before KeyboardInterrupt is raised: the code that runs then may catch it.
    """

    def __init__(self, stop: Callable[[], None], raising: Callable[[], None]) -> None:
        self._stop, self._raising = stop, raising
        self._before: Any = None
        self._task = current_task()
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
        """Raise no KeyboardInterrupt from now on, because the run is about to end."""
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
                self._raising()
                raise KeyboardInterrupt
            return
        try:
            self._before(signum, frame)
            if self._task is not None and is_cancelled(self._task):
                raise KeyboardInterrupt  # asyncio would only raise it when the task waits
        except KeyboardInterrupt:
            is_second, self._asked_at = self.asked, time.monotonic()
            self._stop()
            if self._open and (is_second or places.current() is not None):
                self._raising()
                raise
