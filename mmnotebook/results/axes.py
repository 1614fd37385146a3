"""Shared parts of the plots: colors, labels, latency bands, legends.

The colors are from Okabe and Ito's palette. Color-blind people can distinguish these colors. They
are dark enough on a white background and bright enough on a black background.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmnotebook.results.metrics import ModelMeasure, bucket_ms, quantile, samples_needed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.typing import ColorType

BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
COLORS = (BLUE, ORANGE, GREEN, PURPLE)
"""The color of each compared run, by position."""

MARKS: dict[str, tuple[float, Literal["-", "--", ":"]]] = {
    "p50": (0.5, "-"),
    "p95": (0.95, "--"),
    "p99": (0.99, ":"),
}
BAND = 0.55
"""The height of the highest bar of a model's band; the rest of its row is for text."""

WIDTH = 7.5
"""The width of a figure, in inches."""

_BINS = 40
_NAME = 20
_UNITS = ((3, "kB"), (6, "MB"), (9, "GB"), (12, "TB"))


def band(
    ax: Axes,
    row: float,
    measure: ModelMeasure,
    *,
    color: ColorType = BLUE,
    mark: ColorType = ORANGE,
    prefix: str = "",
) -> None:
    """Draw the histogram of a model's latencies and its percentiles, listed after `prefix`."""
    if not measure.buckets:
        note(ax, row + BAND * 0.75, f"{prefix}no calls")
        return
    edges, density = histogram(measure.buckets)
    tops = row + BAND * density / density.max()
    ax.stairs(tops, edges, baseline=row, fill=True, color=color, alpha=0.45)
    ax.stairs(tops, edges, baseline=row, color=color, linewidth=1)
    for q, style in MARKS.values():
        at = quantile(measure.buckets, q)
        if at is not None:
            ax.plot([at, at], [row, row + BAND * 1.1], color=mark, linestyle=style, linewidth=2)
    note(ax, row, prefix + percentiles(measure.buckets))


def percentiles(buckets: Mapping[int, int]) -> str:
    """Format the percentiles; if there are too few samples, show how many are needed."""
    parts, lack = [], "too few samples"
    for label, (q, _) in MARKS.items():
        at = quantile(buckets, q)
        if at is None:
            count = sum(buckets.values())
            parts.append(f"{label}: {lack} ({count} of {samples_needed(q)})")
            lack = "too few"
        else:
            parts.append(f"{label} {in_digits(at)} ms")
    return " · ".join(parts)


def histogram(buckets: Mapping[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges in ms, and the counts, of a logarithmic histogram.

    The more samples there are, the more bins the histogram can have.
    """
    low, high = min(buckets), max(buckets)
    bins = min(_BINS, 8 + math.isqrt(sum(buckets.values())))
    width = math.ceil((high - low + 1) / bins)
    counts = np.zeros((high - low) // width + 1)
    for key, count in buckets.items():
        counts[(key - low) // width] += count
    # bucket_ms(key) is the middle of a bucket. The lower edge is half a bucket below the middle.
    steps = low + width * np.arange(len(counts) + 1)
    middles = np.array([bucket_ms(int(key)) for key in steps])
    return middles * np.sqrt(bucket_ms(0) / bucket_ms(1)), counts


def latency_axis(ax: Axes, keys: Sequence[int], mark: ColorType = ORANGE) -> None:
    """Make the x axis logarithmic, in ms, wide enough for `keys`; add a legend of percentiles."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if not keys:
        ax.set_xticks([])
        return
    low, high = bucket_ms(min(keys)), bucket_ms(max(keys))
    room = max(2 / (high / low) ** 0.5, 1.15)  # the axis spans a factor of 4 or more
    ax.set_xscale("log")
    ax.set_xlim(low / room, high * room)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("ms, logarithmic")
    lines = [Line2D([], [], color=mark, linestyle=s, linewidth=2) for _, s in MARKS.values()]
    legend(ax, lines, list(MARKS))


def unit_of(longest: float) -> tuple[float, str]:
    """Return the unit for an axis of this length, in bytes, as (bytes per unit, name)."""
    fitting = [(10.0**power, name) for power, name in _UNITS if longest >= 10**power]
    return fitting[-1] if fitting else (1.0, "bytes")


def in_bytes(size: float) -> str:
    """Format a size: `1.2 MB`."""
    unit, name = unit_of(size)
    return f"{in_digits(size / unit)} {name}"


def in_digits(value: float) -> str:
    """Format a number with three significant digits; from 1,000, as a whole number."""
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def in_seconds(seconds: float) -> str:
    """Format a time in seconds, such as `2.1 s`, or in ms if it is below a second."""
    return f"{in_digits(seconds)} s" if seconds >= 1 else f"{in_digits(seconds * 1000)} ms"


def height(rows: float, captions: int) -> float:
    """Return the height of a figure, in inches, for a number of rows and lines of captions."""
    return 0.9 + 0.8 * max(rows, 1) + 0.2 * captions


def new_axes(ax: Axes | None, rows: float, captions: int) -> Axes:
    """Return `ax`, or the Axes of a new figure that is high enough for the rows and captions."""
    if ax is None:
        from matplotlib import pyplot

        size = (WIDTH, height(rows, captions))
        ax = pyplot.subplots(figsize=size, layout="constrained")[1]
    return ax


def named_rows(
    ax: Axes, labels: Collection[str], none: str = "no models in this run"
) -> dict[str, float]:
    """Label the rows on the y axis, from the top; return the lower edge of each row.

    If there are no rows, the text `none` is written instead.
    """
    rows = {label: float(len(labels) - 1 - place) for place, label in enumerate(labels)}
    names = ["\n".join(map(_cut, label.split("\n"))) for label in rows]
    ax.set_yticks([row + BAND / 2 for row in rows.values()], names)
    ax.set_ylim(-0.35, max(len(rows), 1) - 0.3)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)
    if not rows:
        ax.text(0.5, 0.5, none, transform=ax.transAxes, ha="center")
    return rows


def _cut(name: str) -> str:
    """Shorten a long name in the middle, because most names differ at the end."""
    half = _NAME // 2
    return name if len(name) <= _NAME else f"{name[: half - 1]}…{name[-half:]}"


def note(ax: Axes, row: float, text: str) -> None:
    """Write a line of text below a model's band, at the left of the axes."""
    where = ax.get_yaxis_transform()
    ax.text(0.005, row - 0.05, text, transform=where, va="top", fontsize="small")


def legend(ax: Axes, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Draw a legend above the axes, at the right, where it hides no data."""
    ax.legend(
        handles,
        labels,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        borderaxespad=0.2,
        ncols=len(labels) or 1,
        frameon=False,
        fontsize="small",
    )
