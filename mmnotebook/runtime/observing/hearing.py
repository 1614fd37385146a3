"""One audit hook for all that want to know what this process does; it only listens."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Listener = Callable[[str, tuple[Any, ...]], None]

_listeners: tuple[Listener, ...] = ()
_lock = threading.RLock()
_installed = False


@contextmanager
def heard(listener: Listener) -> Iterator[None]:
    """Tell a function of every event while this lasts, in whatever thread; it must not raise."""
    start(listener)
    try:
        yield
    finally:
        stop(listener)


def start(listener: Listener) -> None:
    """Tell a function of every event from now on."""
    global _installed, _listeners
    with _lock:
        if not _installed:
            sys.addaudithook(_hook)
            _installed = True
        _listeners = (*_listeners, listener)


def stop(listener: Listener) -> None:
    """Tell it of no more."""
    global _listeners
    with _lock:
        kept = list(_listeners)
        kept.remove(listener)
        _listeners = tuple(kept)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    for listener in _listeners or ():  # None when the interpreter ends
        listener(event, arguments)
