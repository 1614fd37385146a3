"""A plot as one picture for a notebook, whatever matplotlib backend is in use."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

PIXELS_PER_INCH = 144


def picture(
    plot: Callable[..., Any], result: Any, name: str
) -> tuple[dict[str, str], dict[str, Any]]:
    """What `plot(result, ax=ax)` draws, as a MIME bundle and its metadata.

    The figure is drawn outside pyplot: it is shown once, and no state of matplotlib changes.
    """
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(7.0, 3.6), layout="constrained")
    plot(result, ax=canvas.subplots())
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", dpi=PIXELS_PER_INCH)
    width, height = (round(inches * 100) for inches in canvas.get_size_inches())
    alt = f"{name} plot of {', '.join(result.models.index)}"
    data = {
        "text/plain": f"<{alt}>",
        "image/png": base64.b64encode(buffer.getvalue()).decode("ascii"),
    }
    return data, {"image/png": {"width": width, "height": height, "alt": alt}}
