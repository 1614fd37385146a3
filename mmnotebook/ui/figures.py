"""A plot as one picture for a notebook, whatever matplotlib backend is in use."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PIXELS_PER_INCH = 144
_SHOWN = 100
"""Pixels of the page for an inch."""


def picture(
    plot: Callable[..., Any], result: Any, name: str
) -> tuple[dict[str, str], dict[str, Any]]:
    """What `plot(result, ax=ax)` draws, as a MIME bundle and its metadata.

    The figure is drawn outside pyplot: it is shown once, and no state of matplotlib changes.
    """
    canvas = _canvas(3.6)
    plot(result, ax=canvas.subplots())
    width, height = (round(inches * _SHOWN) for inches in canvas.get_size_inches())
    alt = f"{name} plot of {', '.join(result.models.index)}"
    data = {"text/plain": f"<{alt}>", "image/png": _png(canvas)}
    return data, {"image/png": {"width": width, "height": height, "alt": alt}}


def png_image(draw: Callable[[Any], Any], height: float, alt: str) -> str:
    """What `draw(ax)` draws, as an HTML image so many inches high.

    The figure is drawn outside pyplot, as by `picture`.
    """
    canvas = _canvas(height)
    draw(canvas.subplots())
    width = round(canvas.get_size_inches()[0] * _SHOWN)
    return (
        f'<img alt="{escape(alt)}" src="data:image/png;base64,{_png(canvas)}" '
        f'style="width:{width}px;max-width:100%;height:auto;display:block;margin:.4em 0" />'
    )


def _canvas(height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(7.0, height), layout="constrained")


def _png(canvas: Figure) -> str:
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", dpi=PIXELS_PER_INCH)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
