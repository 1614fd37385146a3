"""Detection of models that connect a socket when they are called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mmnotebook.observing import audit_hook

_EVENTS = frozenset(
    {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
)


@dataclass
class Watch:
    """What was observed while something ran.

    Attributes
    ----------
    connected
        Whether a socket was connected, or a host looked up, in any thread of this process. A
        client written in C may do so unseen.
    """

    connected: bool = False


@contextmanager
def watching() -> Iterator[Watch]:
    """Observe what runs inside this block, without affecting it."""
    watch = Watch()

    def notice(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS:
            watch.connected = True

    with audit_hook.listening(notice):
        yield watch
