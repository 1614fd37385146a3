"""A live widget and, in the output below it, its static view: one of the two is seen.

The static view is rewritten as things change; a saved notebook holds it as it was last.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mmnotebook.here import has_kernel

_VIEW = "application/vnd.jupyter.widget-view+json"
CALM = 0.6
"""Seconds without a change before the output is rewritten."""


def style(live: str, static: str) -> str:
    """A `<style>` that hides the static view while the widget lives, else the dead widget's error.

    JupyterLab shows an error for a widget whose kernel is gone, whatever else that output has;
    therefore the static view stands in an output of its own.

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
    """Show a widget alone, and `hint` where there are no widgets: its static view comes next."""
    from IPython.display import display

    said = {"text/plain": hint} if hint else {}
    display({_VIEW: widget._repr_mimebundle_()[_VIEW], **said}, raw=True)


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
        self._lock, self._timing = threading.Lock(), threading.Lock()

    def show(self, widget: Any, hint: str) -> None:
        """Show a widget and this below it, or this alone where the widget cannot be shown."""
        from IPython.display import display

        if has_kernel() and widget.comm is not None:  # which it has until it is closed
            show_live(widget, hint)
            self.display()
        else:
            display(self._view(), raw=True)

    def display(self) -> None:
        """Show it in the cell that is executed."""
        from IPython.display import DisplayHandle

        with self._lock:
            self._handle = DisplayHandle()
            self._shown = self._view()
            self._handle.display(self._shown, raw=True)

    def renew(self) -> None:
        """Rewrite it after the next calm; nothing while it is not displayed."""
        if self._handle is None:
            return
        with self._timing:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(CALM, self._rewrite)
            self._timer.daemon = True
            self._timer.start()

    def settle(self) -> None:
        """Rewrite it now if that is due: at the end of a cell, as long as its outputs are heard.

        What executes a notebook without a frontend hears nothing between the cells.
        """
        with self._timing:
            is_due = self._timer is not None and self._timer.is_alive()
            if self._timer is not None:
                self._timer.cancel()
        if is_due:
            self.rewrite()

    def close(self) -> None:
        """Rewrite it no more; what is shown stays."""
        with self._timing:
            self._handle = None
            if self._timer is not None:
                self._timer.cancel()

    def rewrite(self) -> None:
        """Rewrite it now, when there is something new."""
        with self._lock:  # one at a time: the view that was looked at last is the one that stays
            handle = self._handle
            if handle is None:
                return
            shown = self._view()
            if shown != self._shown:
                self._shown = shown
                handle.update(shown, raw=True)

    def _rewrite(self) -> None:
        with suppress(Exception):  # a timer's, which would end as an output of some other cell
            self.rewrite()
