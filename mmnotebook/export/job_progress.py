"""The events of a run as lines of text or JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TextIO

from mmnotebook.errors import counted
from mmnotebook.state import events

EVERY = 1.0
"""The minimum number of seconds between two lines with the counts so far."""


class Lines:
    """A subscriber that writes a line for each event of a run.

    Parameters
    ----------
    form
        "text", "json" or "none".
    stream
        Receives the lines.

    Attributes
    ----------
    began
        Whether the run began.
    """

    def __init__(self, form: str, stream: TextIO) -> None:
        self.began = False
        self._write = _FORMS[form]
        self._stream = stream
        self._latest: events.Event | None = None
        self._at = 0.0

    def __call__(self, event: events.Event) -> None:
        self.began = self.began or isinstance(event, events.RunStarted)
        if isinstance(event, events.RunProgressed) and not self._is_due(event):
            return
        line = self._write(event)
        if line is not None:
            print(line, file=self._stream, flush=True)

    def _is_due(self, event: events.Event) -> bool:
        """Return whether counts are new, and the last ones were written some time ago."""
        now = time.monotonic()
        if event == self._latest or now - self._at < EVERY:
            return False
        self._latest, self._at = event, now
        return True


def _json(event: events.Event) -> str:
    data = {"time": round(time.time(), 3), "event": type(event).__name__, **asdict(event)}
    return json.dumps(data, ensure_ascii=True)


def _text(event: events.Event) -> str | None:
    if isinstance(event, events.RunProgressed):
        return "; ".join(f"{one.node} {one.elements_out:,}" for one in event.counts) or None
    if isinstance(event, events.NodeCached):
        return f"{event.node}: {counted(event.elements, 'element')} from the cache"
    if isinstance(event, events.NodeFinished):
        failed = f", {event.failed:,} failed" if event.failed else ""
        return f"{event.node}: {counted(event.elements, 'element')}{failed}"
    if isinstance(event, events.ModelLoaded):
        return f"{event.model}: loaded in {event.seconds:.1f} s"
    return event.text if isinstance(event, events.Noted) else None


def _nothing(event: events.Event) -> None:
    """Write nothing."""


_FORMS: Mapping[str, Callable[[events.Event], str | None]] = {
    "text": _text,
    "json": _json,
    "none": _nothing,
}
