"""The origin of code: the user or a library."""

from __future__ import annotations

import functools
import importlib.util
import platform
import sys
import sysconfig
import types
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from mmnotebook.fingerprint import installed

_INSTALLED = {"site-packages", "dist-packages"}
_OURS = __name__.partition(".")[0]


def library(name: str | None) -> str | None:
    """Return the library of a module, with its version: "numpy 2.1.0 8f3c...", "python 3.11.7".

    The result is None for the notebook, for a file in its folder, and for every other module of the
    user.
    """
    if not isinstance(name, str) or not _is_library(name, sys.modules.get(name)):
        return None
    return _version(name)


def is_users(name: Any) -> bool:
    """Return whether a loaded module is the notebook or another module of the user."""
    if name == "__main__":
        return True
    module = sys.modules.get(name) if isinstance(name, str) else None
    return isinstance(getattr(module, "__file__", None), str) and not _is_library(name, module)


def home(value: Any, name: str) -> str | None:
    """Return the name of the module that contains a value under this name, as in pickle."""
    stated = getattr(value, "__module__", None)
    if stated is None and isinstance(value, Hashable):
        return _home(value, name)
    return stated if isinstance(stated, str) else None


@functools.lru_cache(maxsize=4096)
def _home(value: Any, name: str) -> str | None:
    modules = [(key, one) for key, one in sys.modules.items() if isinstance(one, types.ModuleType)]
    places = (key for key, one in modules if vars(one).get(name) is value)
    return min((key for key in places if _is_library(key, sys.modules[key])), default=None)


def library_of(module: types.ModuleType) -> str | None:
    """Return the same as `library` for a module object."""
    return _version(module.__name__) if _is_library(module.__name__, module) else None


def not_loaded(name: str) -> str | None:
    """Return the same as `library` for a module that is not loaded, without importing it."""
    top = name.partition(".")[0]
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    return _version(top) if not places or is_installed(places[0]) else None


@functools.lru_cache(maxsize=8192)
def _is_library(name: str, module: types.ModuleType | None) -> bool:
    if name == "__main__" or module is None:
        return False
    if name.partition(".")[0] == _OURS:
        return True
    file = getattr(module, "__file__", None)
    if file is None:
        spec = getattr(module, "__spec__", None)
        places = list(getattr(module, "__path__", ()))
        if not places:
            # A module that compiled code created, such as torch._C._nn, belongs to its package.
            outer = name.rpartition(".")[0]
            return spec is not None or _is_library(outer, sys.modules.get(outer))
        file = places[0]
    return is_installed(file)


@functools.lru_cache(maxsize=4096)
def is_installed(file: str | None) -> bool:
    """Return whether a file is part of Python or an installed package."""
    if file is None:
        return True
    path = Path(file)
    if _INSTALLED.intersection(path.parts):
        return True
    return any(path.is_relative_to(folder) for folder in _python_folders())


@functools.lru_cache(maxsize=1)
def _python_folders() -> tuple[str, ...]:
    return tuple(sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib"))


def _version(name: str) -> str:
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return f"python {platform.python_version()}"
    module = sys.modules.get(top)
    stated = vars(module).get("__version__") if module is not None else ""
    stated = stated if isinstance(stated, str) else ""
    # Files of mmnotebook do not count: the cache ignores entries of other mmnotebook versions.
    return f"{top} {stated} {'' if top == _OURS else installed.content(name).digest}"


def packages(name: str) -> frozenset[str]:
    """Return the package that contains a module, and the packages of its requirements."""
    top = name.partition(".")[0]
    known = top in sys.stdlib_module_names or top == _OURS
    return frozenset({top}) if known else installed.content(name).packages


def edited(name: str) -> str:
    """Return a loaded module whose code differs from its file; "" if there is none.

    Only modules of the package that contains `name`, and of its requirements, are compared.
    """
    top = name.partition(".")[0]
    known = top in sys.stdlib_module_names or top == _OURS
    return "" if known else installed.content(name).edited


def package(name: str) -> str | None:
    """Return the import name of the package that contains a module, which may not be loaded.

    The result is None for Python's own modules and those of the user.
    """
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top == "builtins":
        return None
    return top if name not in sys.modules or library(name) is not None else None


def is_importable(value: types.FunctionType) -> bool:
    """Return whether another process can import a function, so that pickle stores only its name."""
    found: Any = sys.modules.get(value.__module__)
    if value.__module__ == "__main__" or found is None:
        return False
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is value
