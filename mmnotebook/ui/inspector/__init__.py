"""The inspector: the elements of a node as an interactive table, with traces.

`Inspector` is imported at its first use, since the other modules need no widgets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmnotebook.ui.inspector.widget import Inspector

__all__ = ["Inspector"]


def __getattr__(name: str) -> Any:
    if name == "Inspector":
        from mmnotebook.ui.inspector.widget import Inspector

        return Inspector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
