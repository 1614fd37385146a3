"""Plots as pictures for a notebook, independent of the matplotlib backend."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from hashlib import blake2b
from html import escape
from typing import TYPE_CHECKING, Any

from mmnotebook.steps import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PIXELS_PER_INCH = 144
_SHOWN = 100
"""Pixels of the page per inch."""
_UNUSED = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>|(?<=>)\s+(?=<)", re.DOTALL)
_NAMED = re.compile(r'( id="|href="#|url\(#)')
_ROOT = re.compile(r"^.*?<svg[^>]*viewBox=\"([^\"]*)\"[^>]*>", re.DOTALL)


def picture(
    plot: Callable[..., Any], result: Any, name: str
) -> tuple[dict[str, str], dict[str, Any]]:
    """Draw `plot(result, ax=ax)`; return the picture as a MIME bundle and its metadata.

    The figure is drawn without pyplot, so that it is shown only once, and matplotlib's state does
    not change.
    """
    canvas = _canvas(3.6)
    plot(result, ax=canvas.subplots())
    width, height = (round(inches * _SHOWN) for inches in canvas.get_size_inches())
    alt = f"{name} plot of {', '.join(result.models.index)}"
    data = {"text/plain": f"<{alt}>", "image/png": _png(canvas, PIXELS_PER_INCH)}
    return data, {"image/png": {"width": width, "height": height, "alt": alt}}


def plot_html(draw: Callable[[Any], Any], height: float, alt: str) -> str:
    """Call `draw(ax)`; return the drawing as HTML, `height` inches high, in the page's text color.

    The figure is drawn without pyplot, as in `picture`.
    """
    canvas = _canvas(height)
    canvas.set_facecolor("none")
    ax = canvas.subplots()
    ax.set_facecolor("none")
    draw(ax)
    source = f"data:image/png;base64,{_png(canvas, _SHOWN, facecolor='white')}"
    return drawing.inline_or_image(_svg(canvas, alt), source, alt)


def _canvas(height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(7.0, height), layout="constrained")


def _png(canvas: Figure, pixels_per_inch: int, **how: Any) -> str:
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", dpi=pixels_per_inch, **how)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _svg(canvas: Figure, alt: str) -> str:
    """Return the figure as an inline SVG with unique ids; its text has the color `currentColor`."""
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", metadata={"Date": None})
    text = " ".join(_UNUSED.sub("", buffer.getvalue()).split()).replace("xlink:href", "href")
    for ax in canvas.axes:
        for color in _text_colors(ax):
            text = text.replace(color, "currentColor")
    digest = blake2b(text.encode(), digest_size=5).hexdigest()
    text = _NAMED.sub(rf"\1p{digest}-", text)
    width = round(canvas.get_size_inches()[0] * _SHOWN)
    root = (
        r'<svg viewBox="\1" role="img" aria-label="{}" fill="currentColor" '
        rf'style="width:{width}px;max-width:100%;height:auto;display:block;margin:.4em 0">'
    )
    return _ROOT.sub(root, text).replace("{}", escape(alt), 1)


def _text_colors(ax: Axes) -> set[str]:
    """Return the colors of the texts and axis lines, which the user's settings determine."""
    from matplotlib.colors import to_hex

    texts = (ax.title, ax.xaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels())
    return {
        to_hex(ax.spines["bottom"].get_edgecolor()),
        *(to_hex(text.get_color()) for text in texts),
    }
