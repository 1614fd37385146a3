"""A live widget and its static view, of which only one is visible.

The static view is updated as things change; a saved notebook holds its last state.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mmnotebook.compat.ipywidgets import is_open
from mmnotebook.notebook_state import has_kernel

_VIEW = "application/vnd.jupyter.widget-view+json"
CALM = 0.6
"""Seconds without a change before the output is updated."""


def style(live: str, static: str) -> str:
    """Return a `<style>` that shows the static view only when the widget is dead.

    JupyterLab shows an error for a widget whose kernel is gone, whatever else that output has;
    therefore the static view is an output of its own. The style hides the error too.

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
    """Show only a widget, and `hint` where there are no widgets: its static view comes next."""
    from IPython.display import display

    said = {"text/plain": hint} if hint else {}
    display({_VIEW: widget._repr_mimebundle_()[_VIEW], **said}, raw=True)


class StaticOutput:
    """Shows the result of `view()`; after `renew` and a pause, updates it.

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
        """Show a widget and this below it, or only this where the widget cannot be shown."""
        from IPython.display import display

        if has_kernel() and is_open(widget):
            show_live(widget, hint)
            self.display()
        else:
            display(self._view(), raw=True)

    def display(self) -> None:
        """Show the static view in the cell that is being executed."""
        from IPython.display import DisplayHandle

        with self._lock:
            self._handle = DisplayHandle()
            self._shown = self._view()
            self._handle.display(self._shown, raw=True)

    def renew(self) -> None:
        """Update the static view after the next pause; do nothing while it is not displayed."""
        if self._handle is None:
            return
        with self._timing:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(CALM, self._rewrite)
            self._timer.daemon = True
            self._timer.start()

    def settle(self) -> None:
        """Update the static view now if that is due, at the end of a cell.

        A tool that executes a notebook without a frontend receives no outputs between cells.
        """
        with self._timing:
            is_due = self._timer is not None and self._timer.is_alive()
            if self._timer is not None:
                self._timer.cancel()
        if is_due:
            self.rewrite()

    def close(self) -> None:
        """Stop updating; what is shown stays."""
        with self._timing:
            self._handle = None
            if self._timer is not None:
                self._timer.cancel()

    def rewrite(self) -> None:
        """Update the static view now, if anything changed."""
        with self._lock:  # one at a time, so that the latest view stays
            handle = self._handle
            if handle is None:
                return
            shown = self._view()
            if shown != self._shown:
                self._shown = shown
                handle.update(shown, raw=True)

    def _rewrite(self) -> None:
        with suppress(Exception):  # in a timer: an error would become output of some other cell
            self.rewrite()
