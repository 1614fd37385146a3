"""Plots of a result: each takes `ax=None` and returns the Axes.

A new figure keeps matplotlib's own background, so that its text reads on a dark page too; the
colours are of Okabe and Ito's palette, told apart by the colour-blind and dark enough for white
and bright enough for black. Nothing here changes matplotlib's settings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmnotebook.analysis.metrics import ModelMeasure, bucket_ms, quantile, samples_needed
from mmnotebook.analysis.results import Result
from mmnotebook.analysis.tables import short
from mmnotebook.errors import ResultError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"

_MARKS: dict[str, tuple[float, Literal["-", "--", ":"]]] = {
    "p50": (0.5, "-"),
    "p95": (0.95, "--"),
    "p99": (0.99, ":"),
}
_BAND = 0.55
"""Height of the highest bar of a model's band; the rest of its row is for text."""

_BINS = 40
_NAME = 20
_SIZES = {
    "parameter_bytes": ("parameters", BLUE),
    "resident_bytes": ("resident", ORANGE),
    "device_bytes": ("device", GREEN),
}
_UNITS = ((3, "kB"), (6, "MB"), (9, "GB"), (12, "TB"))
_FAR = 4
"""Free memory further than this many times the longest bar is said, not drawn to scale."""


def latency(result: Result, *, ax: Axes | None = None) -> Axes:
    """The latency distribution of each model: one sample per call, that is per batch.

    A band per model, on a common logarithmic axis in ms; p50, p95 and p99 are marked, and a
    percentile of too few samples is named as such.

    Parameters
    ----------
    result
        What a run gave.
    ax
        Where to draw; a new figure without it.

    Raises
    ------
    ResultError
        When `result` is no Result.
    """
    models = _models(result)
    ax = _axes(ax, len(models), captions=1)
    rows = _rows(ax, models)
    for name, row in rows.items():
        _band(ax, row, models[name])
    _latency_axis(ax, [key for measure in models.values() for key in measure.buckets])
    ax.set_title("Latency per batch", loc="left")
    return ax


def _band(ax: Axes, row: float, measure: ModelMeasure) -> None:
    """The histogram of one model's latencies, its percentiles and a line of text."""
    if not measure.buckets:
        _note(ax, row + _BAND * 0.75, "no calls")
        return
    edges, density = _histogram(measure.buckets)
    tops = row + _BAND * density / density.max()
    ax.stairs(tops, edges, baseline=row, fill=True, color=BLUE, alpha=0.45)
    ax.stairs(tops, edges, baseline=row, color=BLUE, linewidth=1)
    for q, style in _MARKS.values():
        at = quantile(measure.buckets, q)
        if at is not None:
            ax.plot([at, at], [row, row + _BAND * 1.1], color=ORANGE, linestyle=style, linewidth=2)
    _note(ax, row, _percentiles(measure.buckets))


def _percentiles(buckets: Mapping[int, int]) -> str:
    """Each percentile's value, or how many samples it lacks: in full words the first time."""
    parts, lack = [], "too few samples"
    for label, (q, _) in _MARKS.items():
        at = quantile(buckets, q)
        if at is None:
            count = sum(buckets.values())
            parts.append(f"{label}: {lack} ({count} of {samples_needed(q)})")
            lack = "too few"
        else:
            parts.append(f"{label} {_figure(at)} ms")
    return " · ".join(parts)


def _histogram(buckets: Mapping[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Edges in ms and counts of equal steps on a logarithmic axis, fewer for fewer samples."""
    low, high = min(buckets), max(buckets)
    bins = min(_BINS, 8 + math.isqrt(sum(buckets.values())))
    width = math.ceil((high - low + 1) / bins)
    counts = np.zeros((high - low) // width + 1)
    for key, count in buckets.items():
        counts[(key - low) // width] += count
    # A key stands for the middle of its bucket; half a step back is where the bucket begins.
    steps = low + width * np.arange(len(counts) + 1)
    middles = np.array([bucket_ms(int(key)) for key in steps])
    return middles * np.sqrt(bucket_ms(0) / bucket_ms(1)), counts


def _latency_axis(ax: Axes, keys: list[int]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if not keys:
        ax.set_xticks([])
        return
    low, high = bucket_ms(min(keys)), bucket_ms(max(keys))
    room = max(2 / (high / low) ** 0.5, 1.15)  # a factor on both sides; four in all at least
    ax.set_xscale("log")
    ax.set_xlim(low / room, high * room)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("ms, logarithmic")
    lines = [Line2D([], [], color=ORANGE, linestyle=s, linewidth=2) for _, s in _MARKS.values()]
    _legend(ax, lines, list(_MARKS))


def memory(result: Result, *, ax: Axes | None = None) -> Axes:
    """The memory of each model beside what the machine has free.

    Bars per model for its parameters, and for what it holds of the process's and of an
    accelerator's memory where that was measured; "not measured" where it was not. The free memory
    is a line, or a sentence where it is far beyond the bars.

    Parameters
    ----------
    result
        What a run gave.
    ax
        Where to draw; a new figure without it.

    Raises
    ------
    ResultError
        When `result` is no Result.
    """
    models = _models(result)
    ax = _axes(ax, len(models), captions=3)
    rows = _rows(ax, models)
    kinds = _measured_kinds(models)
    sizes = [size for m in models.values() for kind in kinds if (size := getattr(m, kind))]
    longest, free = max(sizes, default=0), result.machine.free_bytes
    unit, name = _unit(longest)
    for model, row in rows.items():
        _bars(ax, row, [(kind, getattr(models[model], kind)) for kind in kinds], unit)
    drawn = free if free is not None and free <= _FAR * longest else None
    ax.set_xlim(0, 1.2 * max(longest, drawn or 0, 1) / unit)
    if drawn is not None:
        ax.axvline(drawn / unit, color=ax.xaxis.label.get_color(), linestyle="--")
    ax.set_xlabel("\n".join([name if sizes else "", *_said(kinds, free, longest)]))
    ax.set_title("Memory", loc="left")
    if sizes:
        _memory_legend(ax, kinds, drawn is not None)
    else:
        ax.set_xticks([])
    return ax


def _measured_kinds(models: Mapping[str, ModelMeasure]) -> list[str]:
    """The parameters, and of the other sizes those that are known of a model."""
    return [
        kind
        for kind in _SIZES
        if kind == "parameter_bytes" or any(getattr(m, kind) is not None for m in models.values())
    ]


def _bars(ax: Axes, row: float, sizes: Sequence[tuple[str, int | None]], unit: float) -> None:
    """The bars of one model from the top down, each with its size or "not measured"."""
    height = 0.75 / len(sizes)
    top = row + _BAND / 2 + 0.75 / 2
    for place, (kind, size) in enumerate(sizes):
        label, color = _SIZES[kind]
        y = top - (place + 0.5) * height
        if size is not None:
            ax.barh(y, size / unit, height * 0.85, color=color)
        ax.annotate(
            f"{label} not measured" if size is None else _bytes(size),
            ((size or 0) / unit, y),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            bbox={"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 1},
        )


def _memory_legend(ax: Axes, kinds: Sequence[str], free: bool) -> None:
    from matplotlib.artist import Artist
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = [Patch(color=_SIZES[kind][1]) for kind in kinds]
    labels = [_SIZES[kind][0] for kind in kinds]
    if free:
        handles.append(Line2D([], [], color=ax.xaxis.label.get_color(), linestyle="--"))
        labels.append("free")
    _legend(ax, handles, labels)


def _said(kinds: Sequence[str], free: int | None, longest: int) -> list[str]:
    """The free memory and what was not measured, in words."""
    text = "free on this machine: " + ("not measured" if free is None else _bytes(free))
    if free is not None and 0 < longest * _FAR < free:
        text += f", {free / longest:,.0f} × the longest bar"
    lines = [text]
    missing = [label for kind, (label, _) in _SIZES.items() if kind not in kinds]
    if missing:
        lines.append(f"{' and '.join(missing)} memory: not measured")
    return lines


def _unit(longest: float) -> tuple[float, str]:
    """What the axis counts in: (bytes, name)."""
    fitting = [(10.0**power, name) for power, name in _UNITS if longest >= 10**power]
    return fitting[-1] if fitting else (1.0, "bytes")


def _bytes(size: float) -> str:
    unit, name = _unit(size)
    return f"{_figure(size / unit)} {name}"


def _figure(value: float) -> str:
    """Three digits, without a power of ten."""
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def _models(result: object) -> Mapping[str, ModelMeasure]:
    if not isinstance(result, Result):
        raise ResultError(
            f"a plot takes a Result, not {type(result).__name__} {short(result)!r}",
            remedy="pass what mm.run(graph) returned",
        )
    return result.sketches


def _axes(ax: Axes | None, models: int, captions: int) -> Axes:
    """The Axes given, or those of a new figure high enough for the models and the captions."""
    if ax is None:
        from matplotlib import pyplot

        size = (7.5, 0.9 + 0.8 * max(models, 1) + 0.2 * captions)
        ax = pyplot.subplots(figsize=size, layout="constrained")[1]
    return ax


def _rows(ax: Axes, models: Mapping[str, ModelMeasure]) -> dict[str, float]:
    """Where each model's row begins, the first on top; names the rows on the axis."""
    rows = {name: float(len(models) - 1 - place) for place, name in enumerate(models)}
    names = [name if len(name) <= _NAME else name[: _NAME - 1] + "…" for name in rows]
    ax.set_yticks([row + _BAND / 2 for row in rows.values()], names)
    ax.set_ylim(-0.35, max(len(models), 1) - 0.3)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)
    if not models:
        ax.text(0.5, 0.5, "no models in this run", transform=ax.transAxes, ha="center")
    return rows


def _note(ax: Axes, row: float, text: str) -> None:
    """A line of text under a model's band, wherever the band is on the x axis."""
    where = ax.get_yaxis_transform()
    ax.text(0.005, row - 0.05, text, transform=where, va="top", fontsize="small")


def _legend(ax: Axes, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """A legend above the axes, at the right, where no data can be."""
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
