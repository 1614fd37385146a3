"""The owner of the code in a frame: the user, a library, Python or mmnotebook."""

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
    """The owner of some code."""

    USER = enum.auto()
    LIBRARY = enum.auto()
    PYTHON = enum.auto()
    IMPORT = enum.auto()
    """Python's import system, which executes modules."""
    OURS = enum.auto()
    """This package, and Beam, which calls it."""


def of(frame: FrameType) -> Whose:
    """Return the owner of the code in a frame."""
    file = frame.f_code.co_filename
    if not file.startswith("<") or file.startswith("<frozen"):
        return _of(file, "")
    # Generated code has no file. It belongs to its module or, if the module is unknown, to the
    # library that calls it. Code that `collections.namedtuple` generates always belongs to its
    # caller.
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
    """Return whether a file is code of Python, of an installed package or of mmnotebook."""
    return path.endswith(_suffixes()) and _is_installed(path)


def is_code_folder(path: str) -> bool:
    """Return whether a folder is part of mmnotebook or Beam, which any import of them lists."""
    return f"{path}/".startswith(_OWN)


def source(path: str) -> str:
    """Return the path of the source file for a .pyc file; return any other path unchanged."""
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
    """Yield a frame and its callers, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


_FINALIZES = weakref.finalize.__call__.__code__


class Origin(NamedTuple):
    """The code that performed an action, according to the stack.

    Attributes
    ----------
    whose
        The user, a library, or mmnotebook. Code of Python counts as code of its caller.
    by_user
        Whether the innermost frame outside of libraries and Python belongs to the user.
    importing
        Whether the action was part of an import.
    outermost
        The frame of a library or of Python that code of the user or mmnotebook called; None if that
        code performed the action itself.
    """

    whose: Whose
    by_user: bool
    importing: bool
    outermost: FrameType | None


def caller(frame: FrameType | None, entries: Container[object] = ()) -> Origin:
    """Return the origin of an action in a frame.

    Functions in `entries` that mmnotebook calls count as code of the user.
    """
    library = importing = False
    inner: FrameType | None = None
    ended = None
    for one in stack(frame):
        if one.f_code is _FINALIZES or one.f_code.co_name == "__del__":
            # The object that is freed may belong to any code.
            return Origin(Whose.OURS, False, False, None)
        whose = of(one)
        if whose in (Whose.USER, Whose.OURS):
            ended = whose
            break
        library |= whose is Whose.LIBRARY
        importing |= whose is Whose.IMPORT
        inner = one
    entered = not library and inner is not None and inner.f_code in entries
    # A thread without code of the user or mmnotebook counts as a thread of the user.
    by_user = ended is not Whose.OURS or entered
    whose = Whose.LIBRARY if library else Whose.USER if by_user else Whose.OURS
    return Origin(whose, by_user, importing, inner)


def is_imported(frame: FrameType) -> bool:
    """Return whether a frame belongs to a module of Python that is being imported."""
    for one in stack(frame):
        if of(one) not in (Whose.IMPORT, Whose.PYTHON):
            return False
        if of(one) is Whose.PYTHON and one.f_code.co_name == "<module>":
            return True
    return False


def has_ours(frame: FrameType | None) -> bool:
    """Return whether a frame or one of its callers runs code of mmnotebook or Beam."""
    return any(of(one) is Whose.OURS for one in stack(frame))


def is_users(file: str) -> bool:
    """Return whether a file name belongs to code of the user, including code created from text."""
    return _of(file, "") is Whose.USER
