"""Aliases of modules under their former names, for pickles that refer to them.

Only modules whose objects users keep have an alias: results, failures, events, elements.
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from types import ModuleType
from typing import Any

_PACKAGE = __name__.rpartition(".")[0]
_MOVED = {
    "analysis.memory": "results.memory",
    "analysis.metrics": "results.metrics",
    "analysis.records": "results.records",
    "analysis.results": "results.results",
    "runtime.blocks.block": "elements.block",
    "runtime.blocks.columns": "elements.columns",
    "runtime.blocks.packing": "elements.packing",
    "runtime.data.elements": "elements.elements",
    "runtime.events": "state.events",
    "runtime.explaining": "running.explain",
}


class _Moved(ModuleType):
    """A module with a former name; it reads each attribute from the renamed module."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__(f"{_PACKAGE}.{old}", f"Moved to {_PACKAGE}.{new}.")
        self._new = f"{_PACKAGE}.{new}"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python reads these attributes of every loaded module
            raise AttributeError(name)
        found = getattr(import_module(self._new), name)
        text = (
            f"{self.__name__}.{name} is now {self._new}.{name}; "
            "update the code or file that uses the old name"
        )
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return found


def install() -> None:
    """Make the modules importable under their former names."""
    for old, new in _MOVED.items():
        sys.modules.setdefault(f"{_PACKAGE}.{old}", _Moved(old, new))
