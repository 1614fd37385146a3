"""A limit on how long one call may take."""

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
    """A call took too long; which element of its batch is to blame cannot be said."""


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """What `work` returns or raises, if it does so in time.

    It runs in a thread of its own, which serves this thread's later calls too. A call that takes
    too long cannot be ended: it goes on beside what comes after it, until it returns.

    Raises
    ------
    CallTimeoutError
        When it takes longer.
    """
    worker: _Worker | None = getattr(_LOCAL, "worker", None)
    if worker is None or not worker.thread.is_alive():  # a forked child has none of its threads
        worker = _Worker()
    _LOCAL.worker = None
    answer: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
    # What is known of this thread holds for that one: which node it works for, say.
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
    """A thread that makes calls, until nobody can ask for more."""

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
        except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
            answer.put((False, error))
        del call, work, answer
