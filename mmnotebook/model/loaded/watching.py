"""Notices when a call of a model connects a socket: such a model answers from afar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mmnotebook.observing import hearing

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


@contextmanager
def watching() -> Iterator[Watch]:
    """Watch what runs inside; nothing is changed or kept from happening."""
    watch = Watch()

    def notice(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS:
            watch.connected = True

    with hearing.heard(notice):
        yield watch
