"""An output beside the widget that holds its static view, and is rewritten as things change.

A saved notebook holds this view as it was last. Where the live widget is shown above it, the
widget's style sheet hides it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

CALM = 0.6
"""Seconds without a change before the output is rewritten."""


class StaticOutput:
    """Shows what `view()` gives; `renew` has it looked at again, once it has been calm.

    Parameters
    ----------
    view
        Gives the MIME bundle.
    """

    def __init__(self, view: Callable[[], dict[str, str]]) -> None:
        self._view = view
        self._handle: Any = None
        self._shown: dict[str, str] = {}
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def display(self) -> None:
        """Show it in the cell that is executed."""
        from IPython.display import DisplayHandle

        self._handle = DisplayHandle()
        self._shown = self._view()
        self._handle.display(self._shown, raw=True)

    def renew(self) -> None:
        """Rewrite it after the next calm; nothing while it is not displayed."""
        if self._handle is None:
            return
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(CALM, self.rewrite)
            self._timer.daemon = True
            self._timer.start()

    def rewrite(self) -> None:
        """Rewrite it now, when there is something new."""
        if self._handle is None:
            return
        shown = self._view()
        if shown != self._shown:
            self._shown = shown
            self._handle.update(shown, raw=True)
