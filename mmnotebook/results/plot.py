"""Plots of a result: each takes `ax=None` and returns the Axes; also plots of several runs.

A new figure keeps matplotlib's own background, so that its text reads on a dark page too. Nothing
here changes matplotlib's settings.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from mmnotebook.errors import ResultError, no_attribute
from mmnotebook.results.axes import COLOURS, band, latency_axis, named_rows, new_axes
from mmnotebook.results.bars import memory_bars, time_bars
from mmnotebook.results.compare import (
    cached_note,
    longest,
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
    ax = new_axes(ax, len(models), captions=1)
    rows = named_rows(ax, models)
    for name, row in rows.items():
        band(ax, row, models[name])
    latency_axis(ax, [key for measure in models.values() for key in measure.buckets])
    ax.set_title("Latency per batch", loc="left")
    return ax


def memory(result: Result, *, ax: Axes | None = None) -> Axes:
    """Plot the memory of each model and the free memory of the machine.

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

    A band per model and run, drawn as by `latency`; where the calls are those of an earlier run,
    as the nodes were in the cache, that is said.

    Parameters
    ----------
    runs
        What runs gave; numbered by their place.
    ax
        Where to draw; a new figure without it.

    Raises
    ------
    ResultError
        When one is no Result, or there are none or more than four.
    """
    known = runs_of(runs)
    rows = model_rows(known)
    ax = new_axes(ax, len(rows), captions=1)
    text = ax.xaxis.label.get_color()
    for label, row in named_rows(ax, rows, none=NO_MODELS).items():
        run, model = rows[label]
        color, said = COLOURS[known.index(run)], cached_note(run, model)
        band(ax, row, run.models[model], color=color, mark=text, said=said)
    measures = [run.models[model] for run, model in rows.values()]
    latency_axis(ax, [key for measure in measures for key in measure.buckets], mark=text)
    ax.set_title("Latency per batch", loc="left")
    _say_left_out(ax, "models that were called", len(longest(known)), len(models_of(known)))
    return ax


def memory_of_runs(*runs: Result | Run, ax: Axes | None = None) -> Axes:
    """Plot the memory of each model in one to four runs, as `memory` does.

    The free memory is the least that the machine had when one of the runs began.

    Parameters
    ----------
    runs
        What runs gave; numbered by their place.
    ax
        Where to draw; a new figure without it.

    Raises
    ------
    ResultError
        When one is no Result, or there are none or more than four.
    """
    known = runs_of(runs)
    rows = model_rows(known)
    ax = new_axes(ax, len(rows), captions=3)
    free = [run.machine.free_bytes for run in known if run.machine.free_bytes is not None]
    measures = {label: run.models[model] for label, (run, model) in rows.items()}
    memory_bars(ax, measures, min(free, default=None), none=NO_MODELS)
    ax.set_title("Memory", loc="left")
    _say_left_out(ax, "models that were called", len(longest(known)), len(models_of(known)))
    return ax


def time_of_runs(*runs: Result | Run, ax: Axes | None = None) -> Axes:
    """Plot the time of each step in one to four runs, in seconds.

    A bar per step and run; an outline is what a step took that is now from the cache, when it was
    computed.

    Parameters
    ----------
    runs
        What runs gave; numbered by their place.
    ax
        Where to draw; a new figure without it.

    Raises
    ------
    ResultError
        When one is no Result, or there are none or more than four.
    """
    known = runs_of(runs)
    steps = longest_steps(known)
    ax = new_axes(ax, time_rows(known), captions=1)
    time_bars(ax, known, steps)
    ax.set_title("Time per step", loc="left")
    _say_left_out(ax, "steps that took", len(steps), len(steps_of(known)))
    return ax


def _say_left_out(ax: Axes, what: str, drawn: int, there: int) -> None:
    """A line under the axis where not all are drawn."""
    if drawn < there:
        ax.set_xlabel(f"{ax.get_xlabel()}\nthe {drawn} of {there} {what} longest".strip())


class _Plots(ModuleType):
    """The module itself; called, or asked for another plot, it says which plots there are."""

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        plots = ", ".join(f"plot.{name}(...)" for name in __all__)
        raise ResultError(
            f"mm.plot is not a function; allowed: {plots}",
            remedy="mm.plot.latency(result), or %mm_plot latency memory",
        )

    def __getattr__(self, name: str) -> NoReturn:
        raise no_attribute("mm.plot", name, __all__)


sys.modules[__name__].__class__ = _Plots
