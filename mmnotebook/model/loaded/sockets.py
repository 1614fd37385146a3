"""Detection of models that connect a socket when they are called."""

from __future__ import annotations

from typing import Any

from mmnotebook.observing import audit_hook

_EVENTS = frozenset(
    {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
)


class Watch:
    """A context manager that records whether any code connects a socket while its block runs.

    Attributes
    ----------
    connected
        Whether any thread of this process connected a socket or requested the address of a host. A
        client written in C may not be detected.
    """

    def __init__(self) -> None:
        self.connected = False

    def __enter__(self) -> Watch:
        audit_hook.start(self._notice)
        return self

    def __exit__(self, *error: object) -> None:
        audit_hook.stop(self._notice)

    def _notice(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS:
            self.connected = True
