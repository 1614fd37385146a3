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
    """What the results of a function depend on, besides its code and its argument.

    Attributes
    ----------
    paths
        Files, by their content, and folders, by the names in them and the content of each file.
    values
        Any objects; functions without parameters are called for their value.
    """

    paths: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()


def pure(function: F) -> F:
    """Declare that a function returns the same value for the same argument.

    Its results are then read from the cache even if its code reads the clock, draws random numbers,
    or has another effect for which it would otherwise be computed in every run. Its code and what
    it reads count as for any other function.

    Parameters
    ----------
    function
        A Python function.

    Returns
    -------
    Callable
        The function itself, marked.

    Raises
    ------
    MMError
        If it is not a function that can have attributes.

    See Also
    --------
    mmnotebook.depends : Declare files or values that the results depend on.

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
    """Declare what a function depends on, in addition to its code and its argument.

    As long as none of these change, its results are read from the cache, whatever else its code
    does: it is `pure` except for these dependencies.

    Parameters
    ----------
    path
        A file or folder, or several; their content at the start of a run counts. A path that does
        not exist counts as missing.
    value
        Any object; its content at the start of a run counts. A function without parameters is
        called, and its return value counts.

    Returns
    -------
    Callable
        A decorator that returns the function itself, marked.

    Raises
    ------
    MMError
        If nothing or a remote path is passed, or the decorated object is not a function that can
        have attributes.

    See Also
    --------
    mmnotebook.pure : Declare that nothing else counts.
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
            remedy="set value= to a function that returns its version",
        )
    if not paths and value is None:
        raise MMError(
            "@mm.depends needs at least one dependency",
            remedy="@mm.depends(path=...) or (value=...); use @mm.pure if there is none",
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
    """Inside this block, ignore the effects of a function that its user has declared."""
    if not is_stated(function):
        yield
        return
    around, walk.said, walk.stating = (walk.said, walk.stating), [], True
    try:
        yield
    finally:
        walk.said, walk.stating = around


def is_stated(value: Any) -> bool:
    """Return whether the user has declared all that a function's results depend on."""
    return isinstance(value, types.FunctionType) and _NAME in vars(value)


def dependencies(walk: Walk, said: Dependencies) -> bytes:
    """Return the token of declared dependencies, in their current state."""
    now = [_now(value) if isinstance(value, types.FunctionType) else value for value in said.values]
    contents = [[path, content(Path(path))] for path in said.paths]
    return b"depends" + walk.tokens(contents, now, list(said.values))


def _now(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception as error:
        raise Unknowable(f"value= of @mm.depends failed: {one_line(error)}") from error


def content(path: Path) -> str:
    """Return the digest of a file, or of all files in a folder; "missing" if neither exists."""
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
