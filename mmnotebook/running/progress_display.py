"""Live display of a run's progress, in notebooks and terminals."""

from __future__ import annotations

import shutil
import sys
from html import escape
from typing import Any, TextIO

import pandas as pd

from mmnotebook.notebook_state import has_kernel
from mmnotebook.results.tables import html_table
from mmnotebook.running.progress import Progress
from mmnotebook.running.rate_limit import Paced
from mmnotebook.state import events

PATIENCE = 0.2
"""Seconds before the display appears. A run that ends sooner shows only its last line."""
PACE = 0.2
"""Seconds between updates."""
ROWS = 20
"""Maximum number of nodes to show; if there are more, only active nodes are shown."""

_NOTHING = {"text/plain": "", "text/html": "<div></div>"}


def subscriber(progress: Progress, *, background: bool) -> events.Subscriber:
    """Return a display of `progress`, which must receive each event before the display does."""
    if has_kernel():
        return NotebookDisplay(progress, background=background)
    # The user is at the prompt during a run in the background.
    live = sys.stderr.isatty() and not background
    return TerminalDisplay(progress, sys.stderr, live=live)


class NotebookDisplay:
    """A cell output that is updated in place during the run, and a final line.

    The final line is a separate output, because frontends and tools that cannot update outputs,
    such as nbval, show only the final line. A run in the background may end after its cell, so
    its final line replaces the first output.
    """

    def __init__(self, progress: Progress, *, background: bool) -> None:
        from IPython.display import DisplayHandle

        self._progress, self._background = progress, background
        self._handle: Any = DisplayHandle()
        self._shown = _NOTHING
        self._paced = Paced(self._show, PACE, first=PATIENCE)
        self._handle.display(_NOTHING, raw=True)

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.RunFinished):
            self._end()
        else:
            self._paced.changed()

    def _show(self) -> None:
        self._rewrite(during(self._progress))

    def _end(self) -> None:
        from IPython.display import display

        self._paced.end()
        if self._background:
            self._rewrite(after(self._progress, with_error=True))
        else:
            self._rewrite(_NOTHING)
            display(after(self._progress), raw=True)

    def _rewrite(self, shown: dict[str, str]) -> None:
        if shown != self._shown:
            self._shown = shown
            self._handle.update(shown, raw=True)


class TerminalDisplay:
    """One line that is updated in place and cleared at the end; notes stay visible."""

    def __init__(self, progress: Progress, stream: TextIO, *, live: bool) -> None:
        self._progress, self._stream, self._live = progress, stream, live
        self._paced = Paced(lambda: self._write(self._line()), PACE, first=PATIENCE)
        self._width = 0

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.Noted):
            self._write("")
            self._stream.write(event.text + "\n")
            self._stream.flush()
        elif isinstance(event, events.RunFinished):
            self._paced.end()
            self._write("")
        elif self._live:
            self._paced.changed()

    def _line(self) -> str:
        parts = (self._progress.now(), self._progress.so_far())
        line = "; ".join(part for part in parts if part)
        most = shutil.get_terminal_size().columns - 1
        return line if len(line) <= most else line[: most - 1] + "…"

    def _write(self, line: str) -> None:
        if line or self._width:
            self._stream.write("\r" + line.ljust(self._width) + ("" if line else "\r"))
            self._stream.flush()
        self._width = len(line)


def during(progress: Progress) -> dict[str, str]:
    """Return a table with the state and counts of each node, as text and as HTML."""
    frame, more = _frame(progress)
    below = [text for text in (more, progress.now(), *progress.notes) if text]
    table = html_table(frame, max_rows=len(frame)) + _divs(below)
    return {
        "text/plain": "\n".join([_plain(frame), *below]),
        # Screen readers announce only the final line: this one changes several times a second.
        "text/html": f'<div class="mm-run" role="status" aria-live="off">{table}</div>',
    }


def after(progress: Progress, *, with_error: bool = False) -> dict[str, str]:
    """Return the outcome of the run on one line, and the notes, as text and as HTML."""
    error = [progress.error] if with_error and progress.error else []
    lines = [progress.line(), *error, *progress.notes]
    return {
        "text/plain": "\n".join(lines),
        "text/html": f'<div class="mm-run" role="status">{_divs(lines)}</div>',
    }


def _plain(frame: pd.DataFrame) -> str:
    return str(frame.reset_index().to_string(index=False, na_rep="–"))


def _divs(lines: list[str]) -> str:
    return "".join(f"<div>{escape(line)}</div>" for line in lines)


def _frame(progress: Progress) -> tuple[pd.DataFrame, str]:
    """Return the rows to show, and a line that counts the other nodes."""
    nodes = list(progress.nodes.values())
    if len(nodes) > ROWS:
        nodes = [node for node in nodes if node.state in ("running", "failed", "stopped")][:ROWS]
    expected = progress.expected()
    frame = pd.DataFrame(
        {
            "state": [node.state for node in nodes],
            "elements": pd.Series([node.elements for node in nodes], dtype="Int64"),
            "of": pd.Series([expected.get(node.name) for node in nodes], dtype="Int64"),
            "failed": pd.Series([node.failed for node in nodes], dtype="Int64"),
        }
    )
    frame.index = pd.Index([node.name for node in nodes], name="node")
    others = pd.Series(
        [n.state for n in progress.nodes.values() if n.name not in frame.index], dtype=object
    )
    more = ", ".join(f"{count} {state}" for state, count in others.value_counts(sort=False).items())
    return frame, f"and {more}" if more else ""
