"""Bar plots with labels: the memory of models, the time of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mmnotebook.results.axes import (
    BAND,
    BLUE,
    COLORS,
    GREEN,
    ORANGE,
    in_bytes,
    in_digits,
    legend,
    named_rows,
    unit_of,
)
from mmnotebook.results.metrics import ModelMeasure, NodeMeasure
from mmnotebook.results.runs import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZES = {
    "parameter_bytes": ("parameters", BLUE),
    "resident_bytes": ("resident", ORANGE),
    "device_bytes": ("device", GREEN),
}
_BARS = 0.75
"""The total height of the bars of a row."""

_FAR = 4
"""If free memory is more than this many times the longest bar, it is written as text, not drawn."""


def memory_bars(
    ax: Axes,
    models: Mapping[str, ModelMeasure],
    free: int | None,
    none: str = "no models in this run",
) -> None:
    """Draw a row per label with a bar for each kind of size, and the machine's free memory."""
    rows = named_rows(ax, models, none=none)
    kinds = _measured_kinds(models)
    sizes = [size for m in models.values() for kind in kinds if (size := getattr(m, kind))]
    longest = max(sizes, default=0)
    unit, name = unit_of(longest)
    for model, row in rows.items():
        _bars(ax, row, [(kind, getattr(models[model], kind)) for kind in kinds], unit)
    drawn = free if free is not None and free <= _FAR * longest else None
    ax.set_xlim(0, 1.2 * max(longest, drawn or 0, 1) / unit)
    if drawn is not None:
        ax.axvline(drawn / unit, color=ax.xaxis.label.get_color(), linestyle="--")
    ax.set_xlabel("\n".join([name if sizes else "", *_memory_notes(kinds, free, longest)]))
    if sizes:
        _memory_legend(ax, kinds, drawn is not None)
    else:
        ax.set_xticks([])


def _measured_kinds(models: Mapping[str, ModelMeasure]) -> list[str]:
    """List the kinds of size to draw: parameters, and other kinds that any model has."""
    return [
        kind
        for kind in _SIZES
        if kind == "parameter_bytes" or any(getattr(m, kind) is not None for m in models.values())
    ]


def _bars(ax: Axes, row: float, sizes: Sequence[tuple[str, int | None]], unit: float) -> None:
    """Draw the bars of one model from the top down, each with its size or "not measured"."""
    height = _BARS / len(sizes)
    top = row + BAND / 2 + _BARS / 2
    for place, (kind, size) in enumerate(sizes):
        label, color = _SIZES[kind]
        y = top - (place + 0.5) * height
        if size is not None:
            ax.barh(y, size / unit, height * 0.85, color=color)
        text = f"{label} not measured" if size is None else in_bytes(size)
        _at_end(ax, (size or 0) / unit, y, text)


def _memory_legend(ax: Axes, kinds: Sequence[str], free: bool) -> None:
    from matplotlib.artist import Artist
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = [Patch(color=_SIZES[kind][1]) for kind in kinds]
    labels = [_SIZES[kind][0] for kind in kinds]
    if free:
        handles.append(Line2D([], [], color=ax.xaxis.label.get_color(), linestyle="--"))
        labels.append("free")
    legend(ax, handles, labels)


def _memory_notes(kinds: Sequence[str], free: int | None, longest: int) -> list[str]:
    """Describe the free memory and the sizes that were not measured."""
    text = "free on this machine: " + ("not measured" if free is None else in_bytes(free))
    if free is not None and 0 < longest * _FAR < free:
        text += f", {free / longest:,.0f} × the longest bar"
    lines = [text]
    missing = [label for kind, (label, _) in _SIZES.items() if kind not in kinds]
    if missing:
        lines.append(f"{' and '.join(missing)} memory: not measured")
    return lines


def time_bars(ax: Axes, runs: Sequence[Run], steps: Sequence[str]) -> None:
    """Draw a row per step with a bar per run, in seconds, or in ms if all bars are below 1 s."""
    rows = named_rows(ax, steps, none="no steps in these runs")
    seconds = [run.nodes[s].seconds or 0 for run in runs for s in steps if s in run.nodes]
    longest = max(seconds, default=0)
    per_second, unit = (1, "s") if longest >= 1 else (1000, "ms")
    height = _BARS / len(runs)
    for step, row in rows.items():
        top = row + BAND / 2 + _BARS / 2
        for place, run in enumerate(runs):
            node, y = run.nodes.get(step), top - (place + 0.5) * height
            took = None if node is None or node.seconds is None else node.seconds * per_second
            if took is not None:
                cached = node is not None and node.cached
                _time_bar(ax, y, took, 0.85 * height, COLORS[place], cached)
            _at_end(ax, took or 0, y, _time(node, took, unit))
    ax.set_xlim(0, 1.35 * longest * per_second or 1)
    ax.set_xlabel(unit)
    _time_legend(ax, runs)


def _time_bar(ax: Axes, y: float, took: float, height: float, color: str, outline: bool) -> None:
    if outline:
        ax.barh(y, took, height, fill=False, edgecolor=color, linestyle="--")
    else:
        ax.barh(y, took, height, color=color)


def _time(node: NodeMeasure | None, took: float | None, unit: str) -> str:
    if node is None:
        return "not in this run"
    text = "not measured" if took is None else f"{in_digits(took)} {unit}"
    return f"from the cache, took {text}" if node.cached else text


def _time_legend(ax: Axes, runs: Sequence[Run]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=color) for color, _ in zip(COLORS, runs, strict=False)]
    legend(ax, handles, [run.name for run in runs])


def _at_end(ax: Axes, x: float, y: float, text: str) -> None:
    """Write a text to the right of a bar's end."""
    ax.annotate(
        text,
        (x, y),
        (5, 0),
        textcoords="offset points",
        va="center",
        fontsize="small",
        bbox={"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 1},
    )
