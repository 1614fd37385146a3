"""Strings that may be paths of files, in functions and in elements."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import PurePath
from types import (
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

from mmnotebook.fingerprint.codes import inside
from mmnotebook.observing import origins

_KERNEL = ("/proc/", "/sys/", "/dev/")
_SHARED_MEMORY = "/dev/shm/"
_LONGEST = 4096
_DEPTH = 6
_HEAP = 1 << 9
_MOST = 2000
"""The maximum number of objects that are visited to find the strings of a function."""
_MANY = 1000
"""The maximum number of items of a collection that are visited."""


def is_kernel(path: str) -> bool:
    """Return whether a path is an interface of the kernel, not a file on disk."""
    whole = os.path.abspath(path)
    return f"{whole}/".startswith(_KERNEL) and not whole.startswith(_SHARED_MEMORY)


def inner(codes: Iterable[CodeType]) -> Iterator[CodeType]:
    """Yield code objects and the code objects nested in them."""
    for code in codes:
        yield from inside(code)


def reachable(value: Any) -> list[str]:
    """List the paths among the strings to which a function or an object refers.

    A path is listed if it exists, or if its folder exists, since the code may check whether the
    file exists.
    """
    found = (path for text in _Texts().of(value) if (path := there(text)) is not None)
    return list(dict.fromkeys(found))


def there(text: str) -> str | None:
    """Return a text as an absolute path if this path or its folder exists, else None."""
    if not 0 < len(text) < _LONGEST or "\0" in text or "\n" in text or "://" in text:
        return None
    path = os.path.abspath(os.path.expanduser(text))
    if not text.strip("./~\\") or path == os.sep or is_kernel(path):
        return None
    if os.path.exists(path):
        return path
    folder = os.path.dirname(path)
    is_named = os.sep in text and folder not in (os.sep, os.getcwd())
    return path if is_named and os.path.isdir(folder) else None


def in_values(values: Iterable[Any]) -> Iterator[str]:
    """Yield the paths in elements, if the path or its folder exists.

    Strings without a folder are skipped: they could only be names of files in the working
    directory, which is always watched.
    """
    for value in values:
        if isinstance(value, str):
            if os.sep in value and (path := there(value)) is not None:
                yield path
        elif isinstance(value, PurePath):
            if (path := there(str(value))) is not None:
                yield path
        elif isinstance(value, dict):
            yield from in_values(value.values())
        elif isinstance(value, (list, tuple)) and len(value) <= _MANY:
            yield from in_values(value)


class _Texts:
    """The strings in all objects to which a value refers; each object is visited once."""

    def __init__(self) -> None:
        self._seen: dict[int, Any] = {}

    def of(self, value: Any, depth: int = _DEPTH) -> Iterator[str]:
        """Yield the strings that a value contains or refers to."""
        if isinstance(value, str):
            yield value
            return
        if isinstance(value, (bytes, PurePath)):
            yield os.fsdecode(value)
            return
        if depth == 0 or id(value) in self._seen or len(self._seen) >= _MOST:
            return
        self._seen[id(value)] = value
        for one in _parts(value):
            yield from self.of(one, depth - 1)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, (int, float, complex, type(None), ModuleType)) or value is os.environ:
        return ()
    if isinstance(value, FunctionType):
        return _of_function(value) if _is_users(value) else ()
    if isinstance(value, CodeType):
        return value.co_consts
    if isinstance(value, MethodType):
        return (value.__func__, value.__self__)
    if isinstance(value, dict):
        return [one for pair in itertools.islice(value.items(), _MANY) for one in pair]
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return list(itertools.islice(value, _MANY))
    if isinstance(value, type):
        return [one for one in vars(value).values() if not isinstance(one, type)]
    return [*_attributes(value), *filter(_is_users, vars(type(value)).values())]


def _is_users(value: Any) -> bool:
    return isinstance(value, FunctionType) and origins.is_users(value.__code__.co_filename)


def _attributes(value: Any) -> Iterator[Any]:
    own: Any = None
    for kind in type(value).__mro__:
        own = own or kind.__dict__.get("__dict__")
        for slot in kind.__dict__.values():
            if isinstance(slot, MemberDescriptorType) and kind.__flags__ & _HEAP:
                with suppress(AttributeError):  # not set
                    yield slot.__get__(value)
    if isinstance(own, GetSetDescriptorType):
        yield from own.__get__(value).values()


def _of_function(function: FunctionType) -> Iterator[Any]:
    yield function.__code__
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    for code in inner([function.__code__]):
        for name in code.co_names:
            if name in function.__globals__:
                yield function.__globals__[name]
