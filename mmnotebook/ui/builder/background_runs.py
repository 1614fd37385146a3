"""Background runs of the graph in the builder, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from mmnotebook.errors import MMError, one_line
from mmnotebook.graph.graph import Graph
from mmnotebook.results.results import Result
from mmnotebook.state import caller
from mmnotebook.ui.builder import status

PACE = 0.15
"""Seconds between updates."""


class Runner:
    """Runs graphs in a thread of its own.

    Parameters
    ----------
    tell
        Called with each new status for the canvas.
    ended
        Called with the result of each run that has one, also of a failed run.
    failed
        Called with the error of a run.

    Attributes
    ----------
    graph
        The graph of the current or last run, None before the first run.
    """

    def __init__(
        self,
        tell: Callable[[dict[str, Any]], None],
        ended: Callable[[Result], None],
        failed: Callable[[MMError], None] = lambda error: None,
    ) -> None:
        self.graph: Graph | None = None
        self._tell, self._ended, self._lost = tell, ended, failed
        self._running: Any = None
        self._stopped = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def going(self) -> bool:
        """Whether a run is in progress."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, graph: Graph, **how: Any) -> bool:
        """Start a run, as `mm.run` does; return False and do nothing if one is in progress."""
        with self._lock:
            if self.going:
                return False
            self.graph, self._running, self._stopped = graph, None, False
            self._tell(status.PREPARING)
            self._thread = threading.Thread(
                target=caller.here().run,
                args=(self._run, graph, how),
                name="mmnotebook-builder",
                daemon=True,
            )
            self._thread.start()
            return True

    def stop(self) -> None:
        """Cancel the run at its next element; finished nodes stay in the cache."""
        with self._lock:
            self._stopped = True
            if self._running is not None:
                self._running.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no run is in progress; return False if one still is after so many seconds."""
        if self._thread is not None:
            self._thread.join(timeout)
        return not self.going

    def _run(self, graph: Graph, how: Mapping[str, Any]) -> None:
        from mmnotebook.running.progress import Progress

        progress = Progress()
        try:
            self._ran(graph, progress, how)
        except MMError as error:
            self._failed(graph, progress, error)
        except BaseException as error:  # noqa: BLE001 - nobody would see it in a thread
            self._failed(graph, progress, MMError(one_line(error)))

    def _ran(self, graph: Graph, progress: Any, how: Mapping[str, Any]) -> None:
        from mmnotebook.running import session
        from mmnotebook.running.rate_limit import Paced

        paced = Paced(lambda: self._tell(status.during(graph, progress)), PACE)

        def heard(event: Any) -> None:
            progress(event)
            paced.changed()

        try:
            running = session.run(graph, wait=False, progress=False, subscribers=[heard], **how)
            with self._lock:
                self._running = running
                if self._stopped:
                    running.cancel()
            result = running.result()
        finally:
            paced.end()
        self._ended(result)
        self._tell(status.after(result, progress.line()))

    def _failed(self, graph: Graph, progress: Any, error: MMError) -> None:
        stopped = isinstance(error, KeyboardInterrupt)
        result = getattr(error, "result", None)
        if result is not None:
            self._ended(result)
        line = progress.line() if stopped else line_of(error)
        state = "stopped" if stopped else "failed"
        self._tell({**status.during(graph, progress), "state": state, "line": line})
        if not stopped:
            self._lost(error)


def line_of(error: MMError) -> str:
    """Return an error and its remedy on one line."""
    return " ".join(said(error).split())


def said(error: MMError) -> str:
    """Return an error with its remedy, which starts a new line."""
    remedy = error.remedy
    if getattr(error, "failed", None) is not None:
        remedy = (
            "fix it; the failures are below. To allow a greater share of failures, click on an "
            "empty place of the canvas and change it in the panel"
        )
    return str(MMError(error.message, remedy=remedy))
