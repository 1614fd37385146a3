"""A live widget and its static view, of which only one is visible.

The static view is updated after changes, so that a saved notebook shows the widget's last state.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mmnotebook.compat.ipywidgets import is_open
from mmnotebook.notebook_state import has_kernel

_VIEW = "application/vnd.jupyter.widget-view+json"
PAUSE = 0.6
"""Seconds without a change before the output is updated."""


def style(live: str, static: str) -> str:
    """Return a `<style>` that shows the static view only if the widget is not live.

    JupyterLab shows an error for a widget without a kernel, even if the output has other formats;
    therefore the static view is a separate output. The style hides the error, too.

    Parameters
    ----------
    live, static
        Classes of elements in the widget, and in the output below it.
    """
    output = ".jp-OutputArea-child"
    lives = f"{output}:has(.{live})+{output}:has(.{static})"
    died = f"{output}:has(>.jupyter-widgets):not(:has(>.jupyter-widgets *)):has(+* .{static})"
    return f"<style>{lives},{died}{{display:none}}</style>"


def show_live(widget: Any, hint: str = "") -> None:
    """Display a widget without its static view; `hint` is the text for other frontends."""
    from IPython.display import display

    text = {"text/plain": hint} if hint else {}
    display({_VIEW: widget._repr_mimebundle_()[_VIEW], **text}, raw=True)


class StaticOutput:
    """An output that shows the result of `view()`, and is updated after changes.

    Parameters
    ----------
    view
        Returns the MIME bundle.
    """

    def __init__(self, view: Callable[[], dict[str, str]]) -> None:
        self._view = view
        self._handle: Any = None
        self._shown: dict[str, str] = {}
        self._timer: threading.Timer | None = None
        self._lock, self._timing = threading.Lock(), threading.Lock()

    def show(self, widget: Any, hint: str) -> None:
        """Display a widget and its static view, or only the view if the widget cannot be shown."""
        from IPython.display import display

        if has_kernel() and is_open(widget):
            show_live(widget, hint)
            self.display()
        else:
            display(self._view(), raw=True)

    def display(self) -> None:
        """Display the static view in the cell that is being executed."""
        from IPython.display import DisplayHandle

        with self._lock:
            self._handle = DisplayHandle()
            self._shown = self._view()
            self._handle.display(self._shown, raw=True)

    def schedule(self) -> None:
        """Update the static view, if it is displayed, after a pause without changes."""
        if self._handle is None:
            return
        with self._timing:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(PAUSE, self._update)
            self._timer.daemon = True
            self._timer.start()

    def flush(self) -> None:
        """Update the static view now if an update is scheduled.

        This method is called at the end of a cell, because a tool that executes a notebook without
        a frontend receives no outputs between cells.
        """
        with self._timing:
            is_scheduled = self._timer is not None and self._timer.is_alive()
            if self._timer is not None:
                self._timer.cancel()
        if is_scheduled:
            self.update()

    def close(self) -> None:
        """Stop updating; the displayed view is kept."""
        with self._timing:
            self._handle = None
            if self._timer is not None:
                self._timer.cancel()

    def update(self) -> None:
        """Update the static view now, if anything changed."""
        with self._lock:  # one update at a time, so that the latest view is displayed last
            handle = self._handle
            if handle is None:
                return
            shown = self._view()
            if shown != self._shown:
                self._shown = shown
                handle.update(shown, raw=True)

    def _update(self) -> None:
        with suppress(Exception):  # an error in this thread would be printed in another cell
            self.update()
