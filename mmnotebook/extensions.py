"""Load what other installed packages bring: objects behind entry points."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mmnotebook.errors import one_line


def load(group: str, what: str, problem: Callable[[Any], str | None]) -> list[Any]:
    """Return the objects behind the entry points of a group; one that cannot be used is warned of.

    Parameters
    ----------
    group
        The entry points' group.
    what
        What such an object is, in a few words.
    problem
        Returns what is wrong with an object, None if it can be used.
    """
    found = []
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        try:
            loaded = entry.load()
            wrong = problem(loaded)
        except Exception as error:  # noqa: BLE001 - whatever another's package raises
            loaded, wrong = None, one_line(error)
        if wrong is None:
            found.append(loaded)
        else:
            warnings.warn(_refusal(entry, what, wrong), RuntimeWarning, stacklevel=2)
    return found


def _refusal(entry: EntryPoint, what: str, wrong: str) -> str:
    package = "a package" if entry.dist is None else f"the package {entry.dist.name!r}"
    return f"{what} {entry.name!r} ({entry.value}) of {package} is not available: {wrong}"
