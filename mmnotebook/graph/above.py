"""What the graph layer asks of layers above: text, drawing, validation, the step kinds.

The package's `__init__`, which is above all of them, says where each is found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _unbound(name: str) -> Callable[..., Any]:
    raise RuntimeError(f"{name!r} is not available yet: import mmnotebook")


find: Callable[[str], Callable[..., Any]] = _unbound
"""Returns the function of a name.

explain, from_json, html, installed_kinds, own_kinds, problems, svg, to_json or to_text.
"""


def call(name: str, *arguments: Any) -> Any:
    """Call the function of a name."""
    return find(name)(*arguments)
