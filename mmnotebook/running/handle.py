"""`Running`: the handle of a run in the background."""

from __future__ import annotations

import threading
from typing import Any

import pandas as pd

from mmnotebook.compat.python import outside_event_loop
from mmnotebook.errors import (
    InterruptedRunError,
    InterruptedWaitError,
    MMError,
    RunError,
    StillRunningError,
    one_line,
)
from mmnotebook.results.results import Result
from mmnotebook.running import progress_display, warning_counts
from mmnotebook.running.execution import Execution
from mmnotebook.running.foreground import Interrupt
from mmnotebook.running.progress import Progress

TICK = 0.1
_GOES_ON = ".result() waits for it again, .cancel() stops it"


class Running:
    """A handle of a run in the background, which `mm.run(graph, wait=False)` returns.

    If the process ends, the run ends too.

    See Also
    --------
    run : Start a run.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> def double(x):
    ...     return 2 * x
    >>> graph = mm.pipeline("numbers | double", numbers=[1, 2, 3], double=double)
    >>> running = mm.run(graph, wait=False, progress=False)
    >>> running.result(timeout=60)["double"]["value"].tolist()
    [2, 4, 6]
    >>> running.done
    True
    """

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._progress = Progress()
        execution.subscribers.insert(0, self._progress)
        # Subscribers receive the warnings as events. If there are no other subscribers, the
        # warnings are issued at the end, once each.
        self._warns = len(execution.subscribers) == 1
        self._watched = threading.Event()

    @property
    def run_id(self) -> str:
        """The id of the run, for `mm.attach` if it runs on a cluster."""
        return self._execution.live.run_id

    @property
    def key(self) -> str:
        """The key of the run, a secret, which `mm.attach` needs on another machine.

        Raises
        ------
        RunError
            If the run is not on a cluster.
        """
        where = self._execution.where
        if where is None or not where.wanted.lasts:
            raise RunError("the run is not on a cluster", remedy="mm.run(graph, on=where)")
        return where.place(self.run_id).key.hex()

    @property
    def done(self) -> bool:
        """Whether the run has ended, with a result or an error."""
        return self._watched.is_set()

    @property
    def progress(self) -> pd.DataFrame:
        """The number of elements so far, for each node that is computed.

        Returns
        -------
        DataFrame
            Index "node"; columns elements_in, elements_out, failed. Nodes that are read from the
            cache have no row.
        """
        counts = self._execution.counts()
        frame = pd.DataFrame(counts, columns=["node", "elements_in", "elements_out", "failed"])
        return frame.set_index("node")

    def cancel(self) -> None:
        """Cancel the run: each step stops at its next element.

        `result` then raises InterruptedRunError. The outputs of finished nodes stay in the cache.
        Canceling a run that has ended does nothing.

        See Also
        --------
        result : Wait for the run and return its result.

        Examples
        --------
        >>> import time
        >>> import mmnotebook as mm
        >>> def slow(x):
        ...     time.sleep(0.1)
        ...     return x
        >>> graph = mm.pipeline("numbers | slow", numbers=list(range(600)), slow=slow)
        >>> running = mm.run(graph, wait=False, progress=False)
        >>> running.cancel()
        >>> try:
        ...     result = running.result(timeout=60)
        ... except KeyboardInterrupt as error:
        ...     print(type(error).__name__)
        InterruptedRunError
        """
        if not self._execution.over.is_set():
            self._execution.live.stop()

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the run and return its result.

        Parameters
        ----------
        timeout
            The maximum number of seconds to wait; None (the default) waits until the run ends.

        Returns
        -------
        Result
            The outputs, failures and measures of every node.

        Raises
        ------
        StillRunningError
            If the run has not ended after `timeout` seconds; it continues.
        InterruptedWaitError
            If Ctrl-C was pressed, which ends only the wait; the run continues.
        InterruptedRunError
            If the run was canceled.
        MMError
            If the run failed: the error of the run.

        See Also
        --------
        cancel : Cancel the run.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> def double(x):
        ...     return 2 * x
        >>> graph = mm.pipeline("numbers | double", numbers=[1, 2, 3], double=double)
        >>> running = mm.run(graph, wait=False, progress=False)
        >>> result = running.result(timeout=60)
        >>> list(result)
        ['numbers', 'double']
        """
        try:
            over = self._watched.wait(timeout)
        except KeyboardInterrupt:
            raise InterruptedWaitError(
                f"stopped waiting; the run continues: {self._progress.so_far()}",
                remedy=_GOES_ON,
            ) from None
        if not over:
            raise StillRunningError(
                f"the run has not finished after {timeout:g} s and continues: "
                f"{self._progress.so_far()}",
                remedy=_GOES_ON,
            )
        return self._outcome()

    def __repr__(self) -> str:
        line, so_far = self._progress.line(), self._progress.so_far()
        return f"<run in the background, {line}; {so_far}>" if not self.done else f"<run, {line}>"

    def _repr_html_(self) -> str:
        if self.done:
            return progress_display.after(self._progress, with_error=True)["text/html"]
        return progress_display.during(self._progress)["text/html"]

    def show(self, *, background: bool) -> None:
        """Show the progress in this frontend; `run` calls this before `start`."""
        display = progress_display.subscriber(self._progress, background=background)
        self._execution.subscribers.append(display)
        self._warns = False

    def start(self, runner: Any, options: Any) -> None:
        """Start the run in a new thread, and watch it from another thread; `run` calls this."""
        self._start("mmnotebook-run", self._execution.run, runner, options)
        self._start("mmnotebook-watch", self._watch)

    def run_here(self, runner: Any, options: Any) -> Result:
        """Execute the run in this thread, and watch it from another thread; `run` calls this.

        Ctrl-C cancels the run within two seconds. During a longer call of compiled code, Ctrl-C
        cancels the run when the call returns.
        """
        execution = self._execution
        interrupt = Interrupt(self.cancel, execution.interrupt)
        watcher: threading.Thread | None = None
        try:
            with outside_event_loop(), interrupt.handled():
                watcher = self._start("mmnotebook-watch", self._watch_beside, interrupt)
                execution.caller.run(execution.run, runner, options, interrupt.close)
        except KeyboardInterrupt as error:  # not from the user's code
            execution.error = execution.error or error
        finally:
            execution.over.set()
        if watcher is not None:
            watcher.join()
        self._watch("interrupted" if interrupt.asked else None)
        if interrupt.asked:
            raise self._interrupted() from None
        return self._outcome()

    def _start(self, name: str, *work: Any) -> threading.Thread:
        """Call a function in a new thread with the caller's settings; return the thread."""
        run = self._execution.caller.run
        thread = threading.Thread(target=run, args=work, name=name, daemon=True)
        thread.start()
        return thread

    def _watch_beside(self, interrupt: Interrupt) -> None:
        """Watch the run until it ends; interrupt a run that does not end after a Ctrl-C."""
        while not self._tick():
            interrupt.remind()

    def _watch(self, state: str | None = None) -> None:
        """Watch the run until it ends, and report its end."""
        while not self._tick():
            pass
        self._execution.end(state or self._state())
        self._watched.set()
        self._execution.warn()

    def _tick(self) -> bool:
        try:
            return self._execution.watch(TICK)
        except MMError as error:
            # An error while a finished node is stored ends the run, like an error in a step.
            self._execution.live.stop(error)
        except Exception as error:  # noqa: BLE001 - a thread that ends would leave the run unwatched
            self._execution.live.stop(RunError(f"watching the run failed: {one_line(error)}"))
        return False

    def _state(self) -> str:
        if self._execution.error is None:
            return "done"
        return "interrupted" if self._was_cancelled() else "failed"

    def _was_cancelled(self) -> bool:
        run = self._execution.live
        return run.stopped and run.cause is None and run.too_many is None and run.exits is None

    def _outcome(self) -> Result:
        if self._warns:
            self._warns = False
            warning_counts.issue(self._execution.live.warnings())
        if self._execution.error is not None:
            if self._was_cancelled():
                raise self._interrupted()
            raise self._execution.error
        assert self._execution.result is not None
        return self._execution.result

    def _interrupted(self) -> InterruptedRunError:
        message = f"stopped by you; {self._progress.so_far()}"
        return InterruptedRunError(message, remedy="run it again when you like")
