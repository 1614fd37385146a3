"""Calls of functions in layers above the graph layer: text, drawing, validation, step kinds.

The graph layer imports none of these layers. The package's `__init__` sets `find`, which imports a
function when it is first called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _unbound(name: str) -> Callable[..., Any]:
    raise RuntimeError(f"{name!r} is not available yet: import mmnotebook")


find: Callable[[str], Callable[..., Any]] = _unbound
"""Returns a function of a layer above by its name.

The names are: explain, from_json, html, installed_kinds, own_kinds, problems, svg, to_json,
to_text and transform.
"""


def call(name: str, *arguments: Any) -> Any:
    """Call a function of a layer above by its name."""
    return find(name)(*arguments)
