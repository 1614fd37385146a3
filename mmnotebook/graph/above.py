"""What a graph offers that other modules make of it: its text, its drawing, its problems.

The package's `__init__`, which is above all of them, says where each is found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _unbound(name: str) -> Callable[..., Any]:
    raise RuntimeError(f"nothing says where {name!r} is found: import mmnotebook")


find: Callable[[str], Callable[..., Any]] = _unbound
"""Gives the function of a name: explain, from_json, html, problems, svg, to_json or to_text."""


def call(name: str, *arguments: Any) -> Any:
    """Call the function of a name."""
    return find(name)(*arguments)
