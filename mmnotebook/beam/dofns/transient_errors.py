"""Transient errors, which may not occur in another attempt.

An error is transient if it or an error in its chain is transient. This is decided from an HTTP or
gRPC status, a retry time, an errno, Python's classes for these errors, and finally from words that
clients use in codes and class names. In doubt, the error is transient: a new attempt costs only a
call, but a stored failure would cost the output.
"""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

_DEPTH = 50
"""Maximum number of errors in a chain that are examined."""

_HTTP = frozenset({401, 402, 403, 407, 408, 409, 421, 423, 424, 425, 429})
"""Statuses below 500 that depend on the account, the rate or the time, not on the request."""
_NEVER = frozenset({501, 505})
"""Statuses from 500 that depend on the request: a new attempt returns the same status."""
_GRPC = frozenset({1, 2, 4, 7, 8, 10, 13, 14, 15, 16})
"""Transient gRPC status codes. Not transient: INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS,
FAILED_PRECONDITION, OUT_OF_RANGE and UNIMPLEMENTED."""

_ERRNO = frozenset(
    getattr(errno, name)
    for name in [
        "EAGAIN",
        "EBUSY",
        "ECONNABORTED",
        "ECONNREFUSED",
        "ECONNRESET",
        "EDQUOT",
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "EINTR",
        "EIO",
        "EMFILE",
        "ENETDOWN",
        "ENETRESET",
        "ENETUNREACH",
        "ENFILE",
        "ENOBUFS",
        "ENOMEM",
        "ENOSPC",
        "EPIPE",
        "ESTALE",
        "ETIMEDOUT",
    ]
    if hasattr(errno, name)
)
_CLASSES = (ConnectionError, MemoryError, TimeoutError, socket.gaierror, socket.herror)
_STATUS = ("status_code", "http_status", "status", "code", "grpc_status_code", "error_code")
_CODES = ("code", "type", "error_code", "error_type", "reason")
_WAIT = ("retry_after", "retry_delay", "retry_info")

_WORDS = re.compile(
    r"rate.?limit|too.?many.?req|throttl|slow.?down|overloaded|exhausted|quota|unavailable|try.?again"
    r"|time[d-]?.?out|deadline|connect|transport|remote.?protocol|incomplete.?read|broken.?pool"
    r"|broken.?process|out.?of.?memory",
    re.IGNORECASE,
)
"""Words in codes and class names of transient errors."""
_MEMORY = re.compile(
    r"out of memory|(can't|cannot|could not|failed to|unable to) allocate|not enough memory",
    re.IGNORECASE,
)
"""Messages of frameworks that have no class for a lack of memory."""


def may_pass(error: BaseException) -> bool:
    """Return whether another attempt at the element may succeed without any change."""
    return any(map(_passes, _chain(error)))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its causes, the errors in its attributes, and the errors in its group."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _DEPTH:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        held = (*getattr(one, "exceptions", ()), *one.args, *vars(one).values())
        waiting += [e for e in (one.__cause__, one.__context__, *held) if _is_error(e)]


def _is_error(value: Any) -> bool:
    return isinstance(value, BaseException)


def _passes(error: BaseException) -> bool:
    if _says_when(error):
        return True
    statuses = list(_statuses(error))
    if statuses:  # a status is more reliable than the error's class
        return any(statuses) or any(map(_WORDS.search, _codes(error)))
    if isinstance(error, OSError) and error.errno is not None:
        return isinstance(error, _CLASSES) or error.errno in _ERRNO
    if isinstance(error, _CLASSES) or any(map(_WORDS.search, _codes(error))):
        return True
    if isinstance(error, RuntimeError) and _MEMORY.search(_text(error)):
        return True
    return any(_WORDS.search(kind.__name__) for kind in type(error).__mro__)


def _statuses(error: BaseException) -> Iterator[bool]:
    """Yield True or False for each HTTP or gRPC status of an error: whether it is transient."""
    for owner in (error, *_responses(error)):
        for name in _STATUS:
            yield from _status(_attribute(owner, name))
        if isinstance(owner, Mapping):  # as in botocore
            yield from _status(_item(owner.get("ResponseMetadata"), "HTTPStatusCode"))


def _status(value: Any) -> Iterator[bool]:
    if callable(value) and not isinstance(value, type):
        with suppress(Exception):  # gRPC's `code()`
            value = value()
    number = getattr(value, "value", value)
    if isinstance(number, tuple) and number and isinstance(number[0], int):
        yield number[0] in _GRPC
    elif isinstance(number, int) and 100 <= number < 600:
        yield number in _HTTP or (number >= 500 and number not in _NEVER)


def _responses(error: BaseException) -> Iterator[Any]:
    for name in ("response", "resp", "http_response"):
        if (found := _attribute(error, name)) is not None:
            yield found


def _codes(error: BaseException) -> Iterator[str]:
    """Yield the codes of an error that are strings."""
    owners = [error, *_responses(error)]
    owners += [owner.get("Error") for owner in owners if isinstance(owner, Mapping)]
    for owner in owners:
        for name in (*_CODES, "Code"):
            value = _item(owner, name) if isinstance(owner, Mapping) else _attribute(owner, name)
            if isinstance(value, str):
                yield value[:200]


def _says_when(error: BaseException) -> bool:
    """Return whether an error contains a time at which to try again."""
    for owner in (error, *_responses(error)):
        if any(_attribute(owner, name) is not None for name in _WAIT):
            return True
        headers = _attribute(owner, "headers")
        if headers is not None and _has_retry_after(headers):
            return True
    return False


def _has_retry_after(headers: Any) -> bool:
    with suppress(Exception):  # any object may be in place of a mapping
        return any(str(name).lower() == "retry-after" for name in headers)
    return False


def _attribute(owner: Any, name: str) -> Any:
    with suppress(Exception):  # a property may raise
        return getattr(owner, name, None)
    return None


def _item(owner: Any, name: str) -> Any:
    return owner.get(name) if isinstance(owner, Mapping) else None


def _text(error: BaseException) -> str:
    with suppress(Exception):  # any object's `__str__` may raise
        return str(error)
    return ""
