"""References of pickles to the classes and functions of modules."""

from __future__ import annotations

import functools
import platform
import sys
import threading
import types
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from mmnotebook.fingerprint import installed, origin
from mmnotebook.fingerprint.identity import Unknowable, digest_of_classes
from mmnotebook.observing import audit_hook

Reference = tuple[str, str]
"""A module of the user and a name in it; or the package of a library and an empty name."""

_OURS = __name__.partition(".")[0]
_MADE = (type, types.FunctionType)
_noting = threading.local()


class NotedReferences:
    """The references that a `noting` block found; `references` is set at the end of the block."""

    def __init__(self) -> None:
        self.names: set[tuple[str, str]] = set()
        self.references: frozenset[Reference] = frozenset()


@contextmanager
def noting() -> Iterator[NotedReferences]:
    """Collect the references of pickles that this thread loads or writes inside this block."""
    _listen()
    noted = NotedReferences()
    _under_way().append(noted)
    try:
        yield noted
    finally:
        _under_way().pop()
        found = (_reference(*names) for names in noted.names)
        noted.references = frozenset(one for one in found if one is not None)


def note(module: str, name: str) -> None:
    """Record that a pickle refers to a name in a module."""
    for noted in _under_way():
        noted.names.add((module, name))


def content(references: Iterable[Reference]) -> str:
    """Return the digest of the objects and packages to which references lead now.

    Raises
    ------
    mmnotebook.fingerprint.identity.Unknowable
        If a class or function among them cannot be fingerprinted, or a package was changed on disk.
    """
    return digest_of_classes(map(_now, sorted(references)))


def package(module: str) -> Reference:
    """Return the reference to the package of a library's module; "python" for the stdlib."""
    top = module.partition(".")[0]
    return ("python" if top in sys.stdlib_module_names else top), ""


def imported(kind: type) -> Iterator[Reference]:
    """Yield references to the libraries that the modules of a class and its bases use."""
    for base in kind.__mro__:
        for held in vars(sys.modules.get(base.__module__, object)).values():
            name = held.__name__ if isinstance(held, types.ModuleType) else _home(held)
            if name.partition(".")[0] != _OURS and origin.library(name) is not None:
                yield package(name)


def _home(value: Any) -> str:
    name = getattr(value, "__module__", None) if isinstance(value, _MADE) else None
    return name if isinstance(name, str) else _OURS


def _now(reference: Reference) -> Any:
    module, name = reference
    if name:
        return module, name, _held(module, name)
    if module == "python":
        return module, platform.python_version()
    return module, _installed(module)


def _installed(package: str) -> str:
    found = installed.content(package)
    if found.edited:
        raise Unknowable(f"it uses {package}, whose file changed after it was imported")
    return found.digest


def _held(module: str, name: str) -> Any:
    try:
        return functools.reduce(getattr, name.split("."), sys.modules[module])
    except (KeyError, AttributeError):
        return None


def _reference(module: str, name: str) -> Reference | None:
    if module not in sys.modules or module.partition(".")[0] == _OURS:
        return None  # a module that is not loaded has a name from an older Python version
    return (module, name) if origin.library(module) is None else package(module)


def _under_way() -> list[NotedReferences]:
    if not hasattr(_noting, "under_way"):
        _noting.under_way = []
    found: list[NotedReferences] = _noting.under_way
    return found


@functools.lru_cache(maxsize=1)
def _listen() -> None:
    """Listen to all unpicklers of this process, in any library."""
    audit_hook.start(_on_event)


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "pickle.find_class":
        note(*map(str, arguments[:2]))
