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
    """Runs graphs in a background thread.

    Parameters
    ----------
    on_status
        Called with each new status for the canvas.
    on_result
        Called with the result of each run that has one; a failed run may have one, too.
    on_error
        Called with the error of a failed run.

    Attributes
    ----------
    graph
        The graph of the current or last run; None before the first run.
    """

    def __init__(
        self,
        on_status: Callable[[dict[str, Any]], None],
        on_result: Callable[[Result], None],
        on_error: Callable[[MMError], None] = lambda error: None,
    ) -> None:
        self.graph: Graph | None = None
        self._on_status, self._on_result, self._on_error = on_status, on_result, on_error
        self._running: Any = None
        self._stopped = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def in_progress(self) -> bool:
        """Whether a run is in progress."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, graph: Graph, **options: Any) -> bool:
        """Start a run with options of `mm.run`; return False if a run is in progress."""
        with self._lock:
            if self.in_progress:
                return False
            self.graph, self._running, self._stopped = graph, None, False
            self._on_status(status.PREPARING)
            self._thread = threading.Thread(
                target=caller.here().run,
                args=(self._run, graph, options),
                name="mmnotebook-builder",
                daemon=True,
            )
            self._thread.start()
            return True

    def stop(self) -> None:
        """Cancel the run at its next element; the outputs of finished nodes stay in the cache."""
        with self._lock:
            self._stopped = True
            if self._running is not None:
                self._running.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds until no run is in progress; return whether that is so."""
        if self._thread is not None:
            self._thread.join(timeout)
        return not self.in_progress

    def _run(self, graph: Graph, options: Mapping[str, Any]) -> None:
        from mmnotebook.running.progress import Progress

        progress = Progress()
        try:
            self._execute(graph, progress, options)
        except MMError as error:
            self._failed(graph, progress, error)
        except BaseException as error:  # noqa: BLE001 - else it would end the thread unseen
            self._failed(graph, progress, MMError(one_line(error)))

    def _execute(self, graph: Graph, progress: Any, options: Mapping[str, Any]) -> None:
        from mmnotebook.running import session
        from mmnotebook.running.rate_limit import Paced

        paced = Paced(lambda: self._on_status(status.during(graph, progress)), PACE)

        def on_event(event: Any) -> None:
            progress(event)
            paced.changed()

        try:
            running = session.run(
                graph, wait=False, progress=False, subscribers=[on_event], **options
            )
            with self._lock:
                self._running = running
                if self._stopped:
                    running.cancel()
            result = running.result()
        finally:
            paced.end()
        self._on_result(result)
        self._on_status(status.after(result, progress.line()))

    def _failed(self, graph: Graph, progress: Any, error: MMError) -> None:
        stopped = isinstance(error, KeyboardInterrupt)
        result = getattr(error, "result", None)
        if result is not None:
            self._on_result(result)
        line = progress.line() if stopped else error_line(error)
        state = "stopped" if stopped else "failed"
        self._on_status({**status.during(graph, progress), "state": state, "line": line})
        if not stopped:
            self._on_error(error)


def error_line(error: MMError) -> str:
    """Return an error and its remedy on one line."""
    return " ".join(error_text(error).split())


def error_text(error: MMError) -> str:
    """Return an error, with its remedy on a new line."""
    remedy = error.remedy
    if getattr(error, "failed", None) is not None:
        remedy = (
            "fix it; the failures are listed below. To allow more failures, click on an empty part "
            "of the canvas and raise the share in the panel"
        )
    return str(MMError(error.message, remedy=remedy))
