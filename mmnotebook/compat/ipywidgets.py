"""The internals of ipywidgets. This module does not import ipywidgets."""

from __future__ import annotations

from typing import Any


def is_open(widget: Any) -> bool:
    """Return whether a widget is connected to the frontend; a closed widget is not.

    Relies on `ipywidgets/widgets/widget.py`.
    """
    return widget.comm is not None
