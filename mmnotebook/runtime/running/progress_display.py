"""Shows a run's events: a line per node with its counts, in a notebook or on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from html import escape
from typing import Any

from mmnotebook.runtime import events


def subscriber() -> events.Subscriber | None:
    """A display for where we are; None where nobody would see it."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    if shell is not None and getattr(shell, "kernel", None) is not None:
        return NotebookProgress()
    return TerminalProgress() if sys.stderr.isatty() else None


class NotebookProgress:
    """One output that is rewritten in place, empty before the run and after it.

    So it is the same in every run of a notebook; the result shows the final counts.
    """

    def __init__(self) -> None:
        self._handle: Any = None
        self._totals: Mapping[str, int] = {}

    def __call__(self, event: events.Event) -> None:
        from IPython.display import display

        if isinstance(event, events.RunStarted):
            self._totals = event.totals
            self._handle = display(_Shown(""), display_id=True)
        elif isinstance(event, events.RunProgressed):
            self._handle.update(_Shown(lines(event.counts, self._totals)))
        else:
            self._handle.update(_Shown(""))


class _Shown:
    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return f'<pre role="status">{escape(self._text)}</pre>' if self._text else "<div></div>"


class TerminalProgress:
    """One line on stderr, rewritten in place and cleared at the end."""

    def __init__(self) -> None:
        self._width = 0

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.RunProgressed):
            line = "  ".join(f"{c.node} {c.elements_out:,}" for c in event.counts)
            self._write(line)
        elif isinstance(event, events.RunFinished):
            self._write("")

    def _write(self, line: str) -> None:
        sys.stderr.write("\r" + line.ljust(self._width) + ("" if line else "\r"))
        sys.stderr.flush()
        self._width = len(line)


def lines(counts: tuple[events.NodeCounts, ...], totals: Mapping[str, int]) -> str:
    """A line per node: its name, its elements, of how many for a source, and what failed."""
    width = max((len(count.node) for count in counts), default=0)
    return "\n".join(
        f"{c.node.ljust(width)}  {c.elements_out:>9,}"
        + (f" of {totals[c.node]:,}" if c.node in totals else "")
        + (f"  {c.failed:,} failed" if c.failed else "")
        for c in counts
    )
