"""The names that the arguments of `python -m mmnotebook run` set, and the objects behind them."""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from mmnotebook.errors import MMError, nearest, one_line


class UsageError(MMError):
    """The arguments of the command cannot be used."""


def pairs(option: str, given: Iterable[str]) -> dict[str, str]:
    """Return the values of an option `NAME=VALUE` by name.

    Raises
    ------
    UsageError
        If a value has another form, or a name is given twice.
    """
    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name or not value:
            raise UsageError(f"{option} {one!r}; allowed: NAME=VALUE")
        if name in found:
            raise UsageError(f"{option} {name}=... was given twice")
        found[name] = value
    return found


def functions(given: Iterable[str], names: Iterable[str]) -> dict[str, Callable[..., Any]]:
    """Return the functions of the graph that modules have, by name.

    Parameters
    ----------
    given
        The values of `--functions`.
    names
        The names that the graph uses.

    Raises
    ------
    UsageError
        If a module cannot be imported, or has no such function.
    """
    wanted, found = set(names), {}
    for one in given:
        if ":" in one and not one.endswith(".py"):
            function = named(one)
            found[one.rpartition(":")[2]] = function
            continue
        known = vars(_module(one))
        found.update({name: known[name] for name in wanted if callable(known.get(name))})
    return found


def named(text: str) -> Callable[..., Any]:
    """Return the function that a text `module:function` names.

    Raises
    ------
    UsageError
        If there is no such function.
    """
    module, colon, name = text.rpartition(":")
    if not colon or not module or not name:
        raise UsageError(f"{text!r} is not a function; allowed: module:function")
    found: Callable[..., Any] | None = getattr(_module(module), name, None)
    if found is None or not callable(found):
        known = [one for one, value in vars(_module(module)).items() if callable(value)]
        close = nearest(name, known)
        raise UsageError(
            f"the module {module!r} has no function {name!r}"
            + (f"; did you mean {close!r}?" if close else "")
        )
    return found


def _module(text: str) -> ModuleType:
    """Import a module by its name or by the path of its file."""
    try:
        if not text.endswith(".py"):
            return importlib.import_module(text)
        path = Path(text).expanduser().absolute()
        if not path.is_file():
            raise UsageError(f"there is no file {text!r}", remedy=f"the folder is {Path.cwd()}")
        folder = str(path.parent)
        if folder not in sys.path:  # as for a script, so that it can import its neighbors
            sys.path.insert(0, folder)
        known = sys.modules.get(path.stem)
        if known is not None and getattr(known, "__file__", None) != str(path):
            raise UsageError(
                f"{text!r} has the name of another module, {path.stem!r}", remedy="rename the file"
            )
        return importlib.import_module(path.stem)
    except MMError:
        raise
    except Exception as error:
        raise UsageError(f"cannot import {text!r}: {one_line(error)}") from error


def missing(
    needed: Mapping[str, Iterable[str]], given: Mapping[str, Iterable[str]]
) -> UsageError | None:
    """Return the error for names of the graph that no option sets; None if all are set.

    Parameters
    ----------
    needed, given
        Names by role: "data", "functions" and "models".
    """
    remedies = {
        "data": "--set {0}=path",
        "functions": "--functions module.py, or --set {0}=module:{0}",
        "models": "--model {0}=path",
    }
    lines = []
    for role, remedy in remedies.items():
        known = {*given[role], *(vars(builtins) if role == "functions" else ())}
        for name in needed[role]:
            if name not in known:
                lines.append(f"{_SINGULAR[role]} {name!r} is not set: {remedy.format(name)}")
    return UsageError("\n".join(lines)) if lines else None


_SINGULAR = {"data": "the data", "functions": "the function", "models": "the model"}
