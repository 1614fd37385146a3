"""Closing of widgets, in the kernel and in the browser."""

from __future__ import annotations

from typing import Any


def discard(widget: Any) -> None:
    """Close a widget and its children, so that the kernel and the browser do not keep them."""
    for child in getattr(widget, "children", ()):
        discard(child)
    parts = [getattr(widget, name, None) for name in ("layout", "style")]
    for part in (widget, *parts):
        if part is not None:
            part.close()
