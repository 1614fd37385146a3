"""Files and folders to which an object refers, and their contents."""

from __future__ import annotations

import copyreg
import os
import re
import types
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmnotebook import storage
from mmnotebook.fingerprint import codes, contents, origin
from mmnotebook.fingerprint.identity import Unknowable
from mmnotebook.graph.names import is_a

Files = tuple[tuple[str, str], ...]
"""Paths of files and folders, each with the digest of its content."""

_LEAST, _MOST = 2, 4096
_PLAIN = {int, float, complex, bool, bytes, type(None), np.dtype, torch.dtype, torch.device}
_MOST_FILES, _MOST_BYTES = 2_000, 4 << 30
"""The size limits for a folder to which an object refers."""
_REMOTE = re.compile(r"(?!https?:|file:)[A-Za-z][\w+.-]*://\S+")


def files(paths: Iterable[str], own: Path | None = None) -> Files:
    """Return files and folders with the digests of their contents.

    Parameters
    ----------
    paths
        The files and folders.
    own
        The file or folder of the model itself, which may have any size.

    Raises
    ------
    Unknowable
        If a file or folder cannot be read, or a folder is too large to scan.
    """
    whole = [] if own is None else [os.path.abspath(own)]  # noqa: PTH100 - keep links
    theirs = [one for one in paths if one not in whole and not storage.is_ours(Path(one))]
    for path in theirs:
        if contents.is_bigger(path, _MOST_FILES, _MOST_BYTES):
            raise Unknowable(f"it refers to the folder {path!r}, which is too large to scan")
    return tuple((path, _content(path)) for path in dict.fromkeys((*whole, *theirs)))


def _content(path: str) -> str:
    try:
        return contents.of(path)
    except OSError as error:
        raise Unknowable(f"it refers to {path!r}, which cannot be read now") from error


def paths(*values: Any) -> tuple[str, ...]:
    """List the existing files and folders, and the URLs, in the strings of objects.

    The search covers all parts of an object that pickle would store, and the strings in the code of
    the user's functions and classes. Dict keys count only if they contain a path separator.
    """
    here = _Here()
    return tuple(dict.fromkeys(path for text in _texts(values) if (path := here.path(text))))


class _Here:
    """The names of the files in the working directory, read once."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        with suppress(OSError):
            self.names.update(path.name for path in Path().iterdir())

    def path(self, text: str) -> str | None:
        """Return the path in a text, or None."""
        if not _LEAST <= len(text) <= _MOST or "\n" in text or "\0" in text:
            return None
        if "://" in text:
            if _REMOTE.fullmatch(text):
                return text
            text = text.removeprefix("file://")
        where = os.path.expanduser(text)  # noqa: PTH111
        if os.sep in where:
            known = any(map(str.isalnum, where)) and os.path.exists(where)  # noqa: PTH110
        else:
            known = where in self.names
        return os.path.abspath(where) if known else None  # noqa: PTH100


def _texts(values: Iterable[Any]) -> Iterator[str]:
    waiting, seen = deque(values), {}
    while waiting:
        value = waiting.pop()
        kind = type(value)
        if kind is str:
            yield value
        elif kind not in _PLAIN and id(value) not in seen:
            seen[id(value)] = value  # keep the value alive: ids of deleted objects are reused
            if isinstance(value, os.PathLike):
                yield os.fsdecode(value)
            else:
                waiting.extend(_parts(value))


def _parts(value: Any) -> Iterable[Any]:
    """Return the parts of an object in which strings are searched for."""
    if isinstance(value, dict):
        named = (key for key in value if isinstance(key, str) and os.sep in key)
        return [*value.values(), *named]
    if isinstance(value, (list, tuple, set, frozenset)):
        return () if set(map(type, value)) <= _PLAIN else value
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype.kind in "OU" else ()
    if isinstance(value, types.CodeType):
        return value.co_consts
    if isinstance(value, types.FunctionType):
        return _of_function(value)
    if isinstance(value, types.MethodType):
        return value.__func__, value.__self__
    if isinstance(value, (staticmethod, classmethod, property)):
        return [getattr(value, name, None) for name in ("__func__", "fget", "fset")]
    if isinstance(value, type):
        return _of_class(value)
    if isinstance(value, types.ModuleType) or is_a(value, {("torch", "Tensor")}):
        return ()
    return _of_object(value)


def _of_function(function: types.FunctionType) -> Iterator[Any]:
    if origin.library(function.__module__) is not None:
        return
    yield function.__code__
    yield function.__defaults__
    yield function.__kwdefaults__
    for cell in function.__closure__ or ():
        with suppress(ValueError):
            yield cell.cell_contents
    names = {name for code in codes.inside(function.__code__) for name in code.co_names}
    for name in names & function.__globals__.keys():
        yield function.__globals__[name]


def _of_class(kind: type) -> Iterable[Any]:
    if origin.library(kind.__module__) is not None:
        return ()
    own = (held for name, held in vars(kind).items() if name not in ("__doc__", "__module__"))
    return *own, *kind.__bases__


def _of_object(value: Any) -> list[Any]:
    """Return the parts that pickle would store; the attributes if pickling fails."""
    kind = type(value)
    try:
        reduce = copyreg.dispatch_table.get(kind)
        made = value.__reduce_ex__(4) if reduce is None else reduce(value)
        if isinstance(made, str):
            return [kind]
        function, args, state, items, pairs = (*made, None, None, None)[:5]
        return [kind, function, args, *_stated(state), list(items or ()), dict(pairs or ())]
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001 - it is code of the object's class
        return [kind, getattr(value, "__dict__", None)]


def _stated(state: Any) -> Iterable[Any]:
    return state if isinstance(state, tuple) else (state,)
