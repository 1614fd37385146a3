"""`Running`: a run that goes on in the background."""

from __future__ import annotations

import threading
from typing import Any

import pandas as pd

from mmnotebook.analysis.results import Result
from mmnotebook.errors import RunError
from mmnotebook.runtime.running.execution import Execution

TICK = 0.1
PATIENCE = 1.5


class InterruptedRunError(RunError, KeyboardInterrupt):
    """The user stopped the run; also a KeyboardInterrupt."""


class Running:
    """A run that goes on.

    `mm.run(graph, wait=False)` gives one. It ends with the process, or when it is cancelled.
    """

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._watched = threading.Event()

    @property
    def done(self) -> bool:
        """Is it over, with a result or an error?"""
        return self._watched.is_set()

    @property
    def progress(self) -> pd.DataFrame:
        """How far each node is that is computed.

        Returns
        -------
        DataFrame
            Index "node"; columns elements_in, elements_out, failed.
        """
        counts = self._execution.counts()
        frame = pd.DataFrame(counts, columns=["node", "elements_in", "elements_out", "failed"])
        return frame.set_index("node")

    def cancel(self) -> None:
        """Stop it: every step ends at its next element. What nodes have finished is kept."""
        self._execution.live.stop()

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the result.

        Parameters
        ----------
        timeout
            Seconds to wait at most, None for as long as it takes.

        Raises
        ------
        TimeoutError
            When it is not over by then; it goes on.
        InterruptedRunError
            When it was cancelled.
        MMError
            What the run has failed with.
        """
        if not self._watched.wait(timeout):
            raise TimeoutError(f"the run is not over after {timeout:g} s: {self.so_far()}")
        return self._outcome()

    def so_far(self) -> str:
        """The elements that each node has given."""
        counts = self._execution.counts()
        return ", ".join(f"{c.node} {c.elements_out:,}" for c in counts) + " elements"

    def __repr__(self) -> str:
        return f"({self._state()}: {self.so_far()})"

    def start(self, runner: Any, options: Any) -> None:
        """Let it run in a thread of its own."""
        run = self._execution.run
        args, name = (runner, options), "mmnotebook-run"
        threading.Thread(target=run, args=args, name=name, daemon=True).start()

    def watch(self) -> None:
        """Watch it from a thread of its own."""
        threading.Thread(target=self._watch, name="mmnotebook-watch", daemon=True).start()

    def wait_here(self) -> Result:
        """Watch it until it is over; a Ctrl-C ends it within two seconds."""
        try:
            self._watch()
        except KeyboardInterrupt:
            self.cancel()
            # A model in the middle of a long call cannot be stopped; its thread ends after it.
            self._execution.over.wait(PATIENCE)
            self._execution.end("interrupted")
            raise self._interrupted() from None
        return self._outcome()

    def _watch(self) -> None:
        while not self._execution.watch(TICK):
            pass
        self._execution.end(self._state())
        self._watched.set()

    def _state(self) -> str:
        if not self._execution.over.is_set():
            return "running"
        if self._execution.result is not None and self._execution.error is None:
            return "done"
        return "interrupted" if self._was_cancelled() else "failed"

    def _was_cancelled(self) -> bool:
        run = self._execution.live
        return run.stopped and run.cause is None and run.too_many is None

    def _outcome(self) -> Result:
        if self._execution.error is not None:
            if self._was_cancelled():
                raise self._interrupted()
            raise self._execution.error
        assert self._execution.result is not None
        return self._execution.result

    def _interrupted(self) -> InterruptedRunError:
        message = f"stopped by you; {self.so_far()}"
        return InterruptedRunError(message, remedy="run it again when you like")
