"""A time limit for a call."""

from __future__ import annotations

import functools
import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any

from mmnotebook.state import caller

_LOCAL = threading.local()


class CallTimeoutError(TimeoutError):
    """A call took too long; it is unknown which element of the batch is the cause."""


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """Call `work` and return its result, if the call takes at most `seconds`.

    The call runs in another thread, which is reused for later calls from this thread. A call that
    takes too long cannot be canceled; it continues in parallel with later calls until it returns.

    Raises
    ------
    CallTimeoutError
        If the call takes longer.
    """
    worker: _Worker | None = getattr(_LOCAL, "worker", None)
    if worker is None or not worker.thread.is_alive():  # for example in a forked child
        worker = _Worker()
    _LOCAL.worker = None
    answer: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
    # The settings of this thread, such as the current node, also apply in the worker thread.
    worker.calls.put((functools.partial(caller.here().run, work), answer))
    try:
        good, value = answer.get(timeout=seconds)
    except queue.Empty:
        raise CallTimeoutError(f"took longer than {seconds:g} s") from None
    _LOCAL.worker = worker
    if not good:
        raise value
    return value


class _Worker:
    """A thread that executes calls until its owner is deleted."""

    def __init__(self) -> None:
        self.calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.thread = threading.Thread(target=_serve, args=(self.calls,), daemon=True)
        self.thread.start()
        weakref.finalize(self, self.calls.put, None).atexit = False


def _serve(calls: queue.SimpleQueue[Any]) -> None:
    while (call := calls.get()) is not None:
        work, answer = call
        try:
            answer.put((True, work()))
        except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
            answer.put((False, error))
        del call, work, answer
