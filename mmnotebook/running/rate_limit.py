"""Rate-limited display of a state that changes often."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Paced:
    """Shows a changing state at most once per interval, and once more after the last change.

    Parameters
    ----------
    show
        Shows the current state. It may be called in any thread, but only by one thread at a time.
    seconds
        Minimum number of seconds between two calls of `show`.
    first
        Minimum number of seconds before the first call.
    """

    def __init__(self, show: Callable[[], None], seconds: float, first: float = 0.0) -> None:
        self._show, self._seconds = show, seconds
        self._due = time.monotonic() + first
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._over = False

    def changed(self) -> None:
        """Show the new state now, or as soon as enough time has passed."""
        with self._lock:
            if self._over or self._timer is not None:
                return
            wait = self._due - time.monotonic()
            if wait <= 0:
                self._now()
                return
            self._timer = threading.Timer(wait, self._late)
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """Stop calling `show`; if another thread is calling `show` now, wait until it returns."""
        with self._lock:
            self._over = True
            if self._timer is not None:
                self._timer.cancel()

    def _late(self) -> None:
        with self._lock:
            self._timer = None
            if not self._over:
                self._now()

    def _now(self) -> None:
        self._due = time.monotonic() + self._seconds
        self._show()
