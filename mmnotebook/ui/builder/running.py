"""Runs of the graph in the builder: one at a time, in the background, told as it goes on."""

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
"""Seconds from one telling to the next."""


class Runner:
    """Runs graphs in a thread of its own.

    Parameters
    ----------
    tell
        Is given the status for the canvas, again and again.
    ended
        Is given the result at the end of a run that has one, also when it failed.
    failed
        Is given what a run has failed with.

    Attributes
    ----------
    graph
        What runs or ran last, None before the first run.
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
        """Does a run go on?"""
        return self._thread is not None and self._thread.is_alive()

    def start(self, graph: Graph, **how: Any) -> bool:
        """Let it run, as by `mm.run`; False, and nothing happens, while another run goes on."""
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
        """End the run at its next element; what its nodes have finished is kept."""
        with self._lock:
            self._stopped = True
            if self._running is not None:
                self._running.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no run goes on; False when one still does after so many seconds."""
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
        except BaseException as error:  # noqa: BLE001 - a thread's end, which nobody would see
            self._failed(graph, progress, MMError(one_line(error)))

    def _ran(self, graph: Graph, progress: Any, how: Mapping[str, Any]) -> None:
        from mmnotebook.running import session
        from mmnotebook.running.pace import Paced

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
    """An error on one line, with what can be done about it."""
    return " ".join(said(error).split())


def said(error: MMError) -> str:
    """An error with what can be done about it, which begins a line of its own."""
    remedy = error.remedy
    if getattr(error, "failed", None) is not None:
        remedy = (
            "fix it; the failures are below. To allow a greater share of failures, click on an "
            "empty place of the canvas and change it in the panel"
        )
    return str(MMError(error.message, remedy=remedy))
