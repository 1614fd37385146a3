"""A shared audit hook, which passes events to listeners."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Listener = Callable[[str, tuple[Any, ...]], None]

_listeners: tuple[Listener, ...] = ()
_asked: Counter[Listener] = Counter()
_lock = threading.RLock()
_installed = False


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Inside this block, call `listener` for the audit events of all threads."""
    start(listener)
    try:
        yield
    finally:
        stop(listener)


def start(listener: Listener) -> None:
    """Call `listener` once for every audit event until `stop`; it must not raise errors."""
    global _installed, _listeners
    with _lock:
        if not _installed:
            sys.addaudithook(_hook)
            _installed = True
        _asked[listener] += 1
        _listeners = tuple(_asked)


def stop(listener: Listener) -> None:
    """Undo one call of `start` with this listener."""
    global _listeners
    with _lock:
        _asked[listener] -= 1
        if not _asked[listener]:
            del _asked[listener]
        _listeners = tuple(_asked)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    for listener in _listeners or ():  # None while the interpreter shuts down
        listener(event, arguments)
