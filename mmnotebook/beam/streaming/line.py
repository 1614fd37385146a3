"""A status line that is updated in place and cleared at the end."""

from __future__ import annotations

import sys
import time
from html import escape
from typing import Any

from mmnotebook.notebook_state import has_kernel

PACE = 0.2
"""Seconds between updates."""
_NOTHING = {"text/plain": "", "text/html": "<div></div>"}


class Line:
    """A status line in a cell's output, or on a terminal.

    Parameters
    ----------
    visible
        Whether the line is shown.
    """

    def __init__(self, visible: bool) -> None:
        self._handle: Any = None
        if visible and has_kernel():
            from IPython.display import DisplayHandle

            self._handle = DisplayHandle()
            self._handle.display(_NOTHING, raw=True)
        self._terminal = visible and self._handle is None and sys.stderr.isatty()
        self._width, self._due = 0, 0.0

    def show(self, text: str) -> None:
        """Replace the text, unless it was replaced a moment ago."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + PACE
            self._write(text)

    def clear(self) -> None:
        """Clear the line."""
        self._write("")

    def _write(self, text: str) -> None:
        if self._handle is not None:
            html = f'<div class="mm-run" role="status" aria-live="off">{escape(text)}</div>'
            shown = {"text/plain": text, "text/html": html} if text else _NOTHING
            self._handle.update(shown, raw=True)
        elif self._terminal and (text or self._width):
            sys.stderr.write("\r" + text.ljust(self._width) + ("" if text else "\r"))
            sys.stderr.flush()
            self._width = len(text)
