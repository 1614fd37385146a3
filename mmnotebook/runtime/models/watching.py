"""Notices when a call of a model connects a socket: such a model answers from afar."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_EVENTS = frozenset(
    {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
)


@dataclass
class Watch:
    """What was seen while something ran.

    Attributes
    ----------
    connected
        Was a socket connected, or a host looked up, in any thread of this process? A client that
        is written in C may do so unseen.
    """

    connected: bool = False


_watches: list[Watch] = []
_lock = threading.Lock()
_installed = False


@contextmanager
def watching() -> Iterator[Watch]:
    """Watch what runs inside; nothing is changed or kept from happening."""
    global _installed
    watch = Watch()
    with _lock:
        if not _installed:
            sys.addaudithook(_notice)
            _installed = True
        _watches.append(watch)
    try:
        yield watch
    finally:
        with _lock:
            _watches.remove(watch)


def _notice(event: str, arguments: tuple[Any, ...]) -> None:
    if _watches and event in _EVENTS:
        for watch in tuple(_watches):
            watch.connected = True
