"""The internals of ipywidgets. Nothing here imports it."""

from __future__ import annotations

from typing import Any


def is_open(widget: Any) -> bool:
    """Return whether a widget is connected to the frontend; this is so until it is closed.

    Relies on `ipywidgets/widgets/widget.py`.
    """
    return widget.comm is not None
