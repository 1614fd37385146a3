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
    """The observations inside a `watching` block.

    Attributes
    ----------
    connected
        Whether any thread of this process connected a socket or requested the address of a host. A
        client written in C may not be detected.
    """

    connected: bool = False


@contextmanager
def watching() -> Iterator[Watch]:
    """Record whether any code connects a socket while this block runs."""
    watch = Watch()

    def notice(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS:
            watch.connected = True

    with audit_hook.listening(notice):
        yield watch
