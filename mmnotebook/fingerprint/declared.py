"""User declarations about functions: `pure` and `depends`."""

from __future__ import annotations

import os
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mmnotebook.errors import MMError, one_line
from mmnotebook.fingerprint.tokens import hashed
from mmnotebook.fingerprint.unknowable import Unknowable

if TYPE_CHECKING:
    from mmnotebook.fingerprint.walk import Walk

F = TypeVar("F", bound=Callable[..., Any])

_NAME = "__mmnotebook_depends__"
_PIECE = 1 << 20


@dataclass(frozen=True)
class Dependencies:
    """The declared dependencies of a function, besides its code and its argument.

    Attributes
    ----------
    paths
        Files, whose contents count, and folders, whose file names and contents count.
    values
        Any objects; functions are called without arguments, and their return values count.
    """

    paths: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()


def pure(function: F) -> F:
    """Declare that a function returns the same value for the same argument.

    Normally, a function that reads the clock, draws random numbers or has similar effects is
    computed in every run. The results of a pure function are read from the cache even if its code
    has such effects. The results are computed again when the code, or a value that the code reads,
    changes.

    Parameters
    ----------
    function
        A Python function.

    Returns
    -------
    Callable
        The function itself, with a mark.

    Raises
    ------
    MMError
        If `function` was not defined with def or lambda.

    See Also
    --------
    mmnotebook.depends : Declare files or values on which the results depend.

    Examples
    --------
    >>> import time
    >>> import mmnotebook as mm
    >>> @mm.pure
    ... def timed(x):
    ...     started = time.perf_counter()
    ...     answer = x * 2
    ...     print(time.perf_counter() - started)
    ...     return answer
    """
    return _marked(function, Dependencies(), "pure")


def depends(
    *, path: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (), value: Any = None
) -> Callable[[F], F]:
    """Declare the dependencies of a function, in addition to its code and its argument.

    As long as the declared dependencies, the code and the argument do not change, the results are
    read from the cache, even if the code has effects. The function counts as `pure` except for the
    declared dependencies.

    Parameters
    ----------
    path
        A file or folder, or several. Their contents at the start of a run count. A path that does
        not exist counts as missing.
    value
        Any object. Its content at the start of a run counts. A function is called without
        arguments, and its return value counts.

    Returns
    -------
    Callable
        A decorator that returns the function itself, with a mark.

    Raises
    ------
    MMError
        If no dependency or a remote path is passed, or the decorated object is not a function that
        was defined with def or lambda.

    See Also
    --------
    mmnotebook.pure : Declare that there are no other dependencies.
    mmnotebook.cache : `mm.cache.dependencies` lists the observed dependencies of a node.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> release = "2026-10"
    >>> @mm.depends(path="prices.csv", value=lambda: release)
    ... def priced(x):
    ...     return x
    """
    paths = (path,) if isinstance(path, (str, os.PathLike)) else tuple(path)
    if remote := next((one for one in paths if "://" in str(one)), None):
        raise MMError(
            f"@mm.depends(path={str(remote)!r}): a path must be on this machine",
            remedy="set value= to a function that returns the version of the remote file",
        )
    if not paths and value is None:
        raise MMError(
            "@mm.depends needs at least one dependency",
            remedy="@mm.depends(path=...) or (value=...); use @mm.pure without dependencies",
        )
    named = Dependencies(tuple(str(Path(one)) for one in paths), () if value is None else (value,))
    return lambda function: _marked(function, named, "depends")


def _marked(function: F, dependencies: Dependencies, name: str) -> F:
    if not isinstance(function, types.FunctionType):
        raise MMError(
            f"@mm.{name}: {function!r} is not supported; "
            "allowed: a function defined with def or lambda"
        )
    before = vars(function).get(_NAME, Dependencies())
    both = Dependencies(
        (*before.paths, *dependencies.paths), (*before.values, *dependencies.values)
    )
    setattr(function, _NAME, both)
    return function


@contextmanager
def stating(walk: Walk, function: types.FunctionType) -> Iterator[None]:
    """Inside this block, ignore the effects of a function whose dependencies are declared."""
    if not is_stated(function):
        yield
        return
    around, walk.said, walk.stating = (walk.said, walk.stating), [], True
    try:
        yield
    finally:
        walk.said, walk.stating = around


def is_stated(value: Any) -> bool:
    """Return whether the user has declared all dependencies of a function."""
    return isinstance(value, types.FunctionType) and _NAME in vars(value)


def paths(value: Any) -> tuple[str, ...]:
    """Return the files and folders on which a function depends, as the user declared."""
    found = vars(value).get(_NAME) if is_stated(value) else None
    return found.paths if isinstance(found, Dependencies) else ()


def dependencies(walk: Walk, declared: Dependencies) -> bytes:
    """Return the token of declared dependencies, in their current state."""
    values = declared.values
    now = [_now(value) if isinstance(value, types.FunctionType) else value for value in values]
    contents = [[path, content(Path(path))] for path in declared.paths]
    return b"depends" + walk.tokens(contents, now, list(values))


def _now(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception as error:
        raise Unknowable(f"value= of @mm.depends failed: {one_line(error)}") from error


def content(path: Path) -> str:
    """Return the digest of a file, or of all files in a folder; "missing" if it does not exist."""
    try:
        if path.is_dir():
            inside = sorted(path.rglob("*"))
            names = (f"{one.relative_to(path)} {_of_file(one)}" for one in inside)
            return hashed("\n".join(names).encode()).hex()
        return _of_file(path)
    except FileNotFoundError:
        return "missing"


def _of_file(path: Path) -> str:
    if path.is_dir():
        return "folder"
    pieces = []
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            pieces.append(hashed(piece))
    return hashed(*pieces).hex()


HANDLERS: dict[type, Any] = {Dependencies: dependencies}
