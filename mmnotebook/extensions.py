"""Load objects from other installed packages, which declare them as entry points."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mmnotebook.errors import one_line


def load(group: str, what: str, problem: Callable[[Any], str | None]) -> list[Any]:
    """Load the objects of a group of entry points; warn about each that cannot be used.

    Parameters
    ----------
    group
        The group of the entry points.
    what
        A short description of the objects in this group; the warning shows it.
    problem
        Returns what is wrong with an object, or None if the object can be used.

    Returns
    -------
    list
        The objects that can be used, sorted by the names of their entry points.
    """
    found = []
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        try:
            loaded = entry.load()
            wrong = problem(loaded)
        except Exception as error:  # noqa: BLE001 - another package can raise anything
            loaded, wrong = None, one_line(error)
        if wrong is None:
            found.append(loaded)
        else:
            warnings.warn(_refusal(entry, what, wrong), RuntimeWarning, stacklevel=2)
    return found


def _refusal(entry: EntryPoint, what: str, wrong: str) -> str:
    package = "a package" if entry.dist is None else f"the package {entry.dist.name!r}"
    return f"{what} {entry.name!r} ({entry.value}) of {package} is not available: {wrong}"
