"""Plots of a result: each takes `ax=None` and returns the Axes; also plots of several runs.

A new figure keeps matplotlib's background, so that its text is readable on a dark page, too.
Matplotlib's settings are not changed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from mmnotebook.errors import ResultError, no_attribute
from mmnotebook.results.axes import COLORS, band, latency_axis, named_rows, new_axes
from mmnotebook.results.bars import memory_bars, time_bars
from mmnotebook.results.compare import (
    cached_note,
    longest_models,
    longest_steps,
    model_rows,
    models_of,
    steps_of,
    time_rows,
)
from mmnotebook.results.metrics import ModelMeasure
from mmnotebook.results.results import Result
from mmnotebook.results.runs import Run, runs_of
from mmnotebook.results.tables import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["latency", "latency_of_runs", "memory", "memory_of_runs", "time_of_runs"]

NO_MODELS = "no models in these runs"


def latency(result: Result, *, ax: Axes | None = None) -> Axes:
    """Plot the latency distribution of each model: one sample per call, that is per batch.

    There is a band per model, on a common logarithmic axis in ms. p50, p95 and p99 are marked;
    a percentile with too few samples is listed as text.

    Parameters
    ----------
    result
        The result of a run.
    ax
        The Axes to draw on; None creates a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the plot.

    Raises
    ------
    ResultError
        If `result` is not a Result.

    See Also
    --------
    latency_of_runs : Compare several runs.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> spec = mm.register("negate", lambda batch: [-x for x in batch], framework="python")
    >>> result = mm.run(mm.pipeline("numbers | negate", numbers=[1, 2]), progress=False)
    >>> ax = mm.plot.latency(result)
    >>> ax.get_title(loc="left")
    'Latency per batch'
    """
    models = _models(result)
    ax = new_axes(ax, len(models), captions=1)
    rows = named_rows(ax, models)
    for name, row in rows.items():
        band(ax, row, models[name])
    latency_axis(ax, [key for measure in models.values() for key in measure.buckets])
    ax.set_title("Latency per batch", loc="left")
    return ax


def memory(result: Result, *, ax: Axes | None = None) -> Axes:
    """Plot the memory of each model and the free memory of the machine.

    Each model has a bar for the bytes of its parameters, a bar for its share of the memory of the
    process, and a bar for its share of the memory of an accelerator. The text "not measured"
    replaces a size that was not measured. Free memory is a line, or a
    text if it is much larger than the bars.

    Parameters
    ----------
    result
        The result of a run.
    ax
        The Axes to draw on; None creates a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the plot.

    Raises
    ------
    ResultError
        If `result` is not a Result.

    See Also
    --------
    memory_of_runs : Compare several runs.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> spec = mm.register("negate", lambda batch: [-x for x in batch], framework="python")
    >>> result = mm.run(mm.pipeline("numbers | negate", numbers=[1, 2]), progress=False)
    >>> ax = mm.plot.memory(result)
    >>> ax.get_title(loc="left")
    'Memory'
    """
    models = _models(result)
    ax = new_axes(ax, len(models), captions=3)
    memory_bars(ax, models, result.machine.free_bytes)
    ax.set_title("Memory", loc="left")
    return ax


def _models(result: object) -> Mapping[str, ModelMeasure]:
    if not isinstance(result, Result):
        raise ResultError(
            f"a plot takes a Result, not {type(result).__name__} {short(result)!r}",
            remedy="pass what mm.run(graph) returned",
        )
    return result.sketches


def latency_of_runs(*runs: Result | Run, ax: Axes | None = None) -> Axes:
    """Plot the latencies of each model in one to four runs, on a common logarithmic axis in ms.

    There is a band per model and run, as in `latency`. If the nodes of a model were read from the
    cache, its calls are those of the run that computed them, labeled "from the cache".

    Parameters
    ----------
    *runs
        The results of one to four runs. The position of a result is the number of the run.
    ax
        The Axes to draw on; None creates a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the plot.

    Raises
    ------
    ResultError
        If an argument is not a Result, or there are none or more than four.

    See Also
    --------
    latency : Plot one run.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> spec = mm.register("negate", lambda batch: [-x for x in batch], framework="python")
    >>> graph = mm.pipeline("numbers | negate", numbers=[1, 2])
    >>> first, second = (mm.run(graph, progress=False) for _ in range(2))
    >>> ax = mm.plot.latency_of_runs(first, second)
    >>> ax.get_title(loc="left")
    'Latency per batch'
    """
    known = runs_of(runs)
    rows = model_rows(known)
    ax = new_axes(ax, len(rows), captions=1)
    text = ax.xaxis.label.get_color()
    for label, row in named_rows(ax, rows, none=NO_MODELS).items():
        run, model = rows[label]
        color, prefix = COLORS[known.index(run)], cached_note(run, model)
        band(ax, row, run.models[model], color=color, mark=text, prefix=prefix)
    measures = [run.models[model] for run, model in rows.values()]
    latency_axis(ax, [key for measure in measures for key in measure.buckets], mark=text)
    ax.set_title("Latency per batch", loc="left")
    _say_left_out(
        ax, "models with the most time in calls", len(longest_models(known)), len(models_of(known))
    )
    return ax


def memory_of_runs(*runs: Result | Run, ax: Axes | None = None) -> Axes:
    """Plot the memory of each model in one to four runs, as `memory` does.

    Free memory is the smallest value at the start of any of the runs.

    Parameters
    ----------
    *runs
        The results of one to four runs. The position of a result is the number of the run.
    ax
        The Axes to draw on; None creates a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the plot.

    Raises
    ------
    ResultError
        If an argument is not a Result, or there are none or more than four.

    See Also
    --------
    memory : Plot one run.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> spec = mm.register("negate", lambda batch: [-x for x in batch], framework="python")
    >>> graph = mm.pipeline("numbers | negate", numbers=[1, 2])
    >>> first, second = (mm.run(graph, progress=False) for _ in range(2))
    >>> ax = mm.plot.memory_of_runs(first, second)
    >>> ax.get_title(loc="left")
    'Memory'
    """
    known = runs_of(runs)
    rows = model_rows(known)
    ax = new_axes(ax, len(rows), captions=3)
    free = [run.machine.free_bytes for run in known if run.machine.free_bytes is not None]
    measures = {label: run.models[model] for label, (run, model) in rows.items()}
    memory_bars(ax, measures, min(free, default=None), none=NO_MODELS)
    ax.set_title("Memory", loc="left")
    _say_left_out(
        ax, "models with the most time in calls", len(longest_models(known)), len(models_of(known))
    )
    return ax


def time_of_runs(*runs: Result | Run, ax: Axes | None = None) -> Axes:
    """Plot the time of each step in one to four runs, in seconds.

    There is a bar per step and run. For a step that was read from the cache, an outline shows the
    time that it took when it was computed.

    Parameters
    ----------
    *runs
        The results of one to four runs. The position of a result is the number of the run.
    ax
        The Axes to draw on; None creates a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The Axes with the plot.

    Raises
    ------
    ResultError
        If an argument is not a Result, or there are none or more than four.

    See Also
    --------
    latency_of_runs : Compare latencies.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
    >>> first, second = (mm.run(graph, progress=False) for _ in range(2))
    >>> ax = mm.plot.time_of_runs(first, second)
    >>> ax.get_title(loc="left")
    'Time per step'
    """
    known = runs_of(runs)
    steps = longest_steps(known)
    ax = new_axes(ax, time_rows(known), captions=1)
    time_bars(ax, known, steps)
    ax.set_title("Time per step", loc="left")
    _say_left_out(ax, "steps that took longest", len(steps), len(steps_of(known)))
    return ax


def _say_left_out(ax: Axes, what: str, drawn: int, total: int) -> None:
    """Add a line below the axis if the plot does not show everything."""
    if drawn < total:
        ax.set_xlabel(f"{ax.get_xlabel()}\nthe {drawn} of {total} {what}".strip())


class _Plots(ModuleType):
    """The class of this module: calls and unknown names raise errors that list the plots."""

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        plots = ", ".join(f"plot.{name}(...)" for name in __all__)
        raise ResultError(
            f"mm.plot is not a function; allowed: {plots}",
            remedy="mm.plot.latency(result), or %mm_plot latency memory",
        )

    def __getattr__(self, name: str) -> NoReturn:
        raise no_attribute("mm.plot", name, __all__)


sys.modules[__name__].__class__ = _Plots
