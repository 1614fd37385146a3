"""Whose code a frame runs: the user's, a library's, Python's own, or ours."""

from __future__ import annotations

import enum
import functools
import importlib.machinery
import importlib.util
import sys
import weakref
from collections.abc import Container, Iterator
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import apache_beam

from mmnotebook.fingerprint import origin

_OWN = tuple(
    f"{folder}/" for folder in (Path(__file__).parents[1], Path(apache_beam.__file__).parent)
)
_INSTALLED = ("site-packages", "dist-packages")


class Whose(enum.Enum):
    """Whose code it is."""

    USER = enum.auto()
    LIBRARY = enum.auto()
    PYTHON = enum.auto()
    IMPORT = enum.auto()
    """Python's import system, which runs what is imported."""
    OURS = enum.auto()
    """That of this package and of Beam, which runs it."""


def of(frame: FrameType) -> Whose:
    """Whose code a frame runs."""
    file = frame.f_code.co_filename
    if not file.startswith("<") or file.startswith("<frozen"):
        return _of(file, "")
    # Generated code has no file of its own; it is its module's. What is in no module is of the
    # library that calls it; of whoever calls it, where `collections` made it for a named tuple.
    module = str(frame.f_globals.get("__name__"))
    if module not in sys.modules and frame.f_back is not None:
        back = of(frame.f_back)
        if back in (Whose.LIBRARY, Whose.PYTHON) or module.startswith("namedtuple_"):
            return back
    return _of(file, module)


@functools.lru_cache(maxsize=8192)
def _of(file: str, module: str) -> Whose:
    if file.startswith("<frozen importlib"):
        return Whose.IMPORT
    if file.startswith("<"):
        known = None if module == "__main__" else sys.modules.get(module)
        name = known.__spec__.origin if known is not None and known.__spec__ is not None else None
        if file.startswith("<frozen") or name in ("built-in", "frozen"):
            return Whose.PYTHON
        return Whose.USER if name is None else _of(name, "")
    if file.startswith(_OWN):
        return Whose.OURS
    if not origin.is_installed(file):
        return Whose.USER
    return Whose.LIBRARY if any(f"/{part}/" in file for part in _INSTALLED) else Whose.PYTHON


def is_code(path: str) -> bool:
    """Is a file code of Python or of an installed package, which is known by its version?"""
    return path.endswith(_suffixes()) and _is_installed(path)


def source(path: str) -> str:
    """The file that a module is written in, for what Python has compiled of it."""
    if not path.endswith(".pyc"):
        return path
    try:
        return importlib.util.source_from_cache(path)
    except (ValueError, NotImplementedError):
        return path


@functools.lru_cache(maxsize=1)
def _suffixes() -> tuple[str, ...]:
    return tuple(importlib.machinery.all_suffixes())


@functools.lru_cache(maxsize=4096)
def _is_installed(path: str) -> bool:
    return origin.is_installed(path) or path.startswith(_OWN)


def stack(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame and those that called it, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


_FINALIZES = weakref.finalize.__call__.__code__


class Origin(NamedTuple):
    """Who did something, as the stack says.

    Attributes
    ----------
    whose
        The user, a library, or us: code of Python's own works for who called it.
    by_user
        Is the innermost code, beside that of libraries, the user's?
    importing
        Did an import that it made do it?
    outermost
        The frame of a library or of Python that code of the user's, or ours, called.
    """

    whose: Whose
    by_user: bool
    importing: bool
    outermost: FrameType | None


def caller(frame: FrameType | None, entries: Container[object] = ()) -> Origin:
    """Who does what a frame does; `entries` are codes whose call by us is a call by the user."""
    library = importing = False
    inner: FrameType | None = None
    ended = None
    for one in stack(frame):
        if one.f_code is _FINALIZES or one.f_code.co_name == "__del__":
            # What is freed at this moment may be anybody's.
            return Origin(Whose.OURS, False, False, None)
        whose = of(one)
        if whose in (Whose.USER, Whose.OURS):
            ended = whose
            break
        library |= whose is Whose.LIBRARY
        importing |= whose is Whose.IMPORT
        inner = one
    entered = not library and inner is not None and inner.f_code in entries
    # A thread without code of ours or of the user's works for one who does not say so.
    by_user = ended is not Whose.OURS or entered
    whose = Whose.LIBRARY if library else Whose.USER if by_user else Whose.OURS
    return Origin(whose, by_user, importing, inner)


def is_imported(frame: FrameType) -> bool:
    """Does a module of Python's own, while it is imported, do what a frame does?"""
    for one in stack(frame):
        if of(one) not in (Whose.IMPORT, Whose.PYTHON):
            return False
        if of(one) is Whose.PYTHON and one.f_code.co_name == "<module>":
            return True
    return False


def has_ours(frame: FrameType | None) -> bool:
    """Is code of ours at work in this thread?"""
    return any(of(one) is Whose.OURS for one in stack(frame))


def is_users(file: str) -> bool:
    """Is the code of a file the user's, or made by them of a text?"""
    return _of(file, "") is Whose.USER
