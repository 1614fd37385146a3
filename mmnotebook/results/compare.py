"""Tables for the comparison of runs, and the models and steps that a plot of runs shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mmnotebook.errors import ResultError
from mmnotebook.results import metrics
from mmnotebook.results.axes import in_bytes, in_digits
from mmnotebook.results.metrics import ModelMeasure
from mmnotebook.results.results import Result
from mmnotebook.results.runs import Run, runs_of
from mmnotebook.results.tables import MISSING

MOST_ROWS = 24
"""The maximum number of rows of a plot, one row per model and run."""

RATE = "predictions_per_s"
TITLES = {
    "predictions": "predictions",
    "batches": "batches",
    "mean_batch": "mean batch",
    "failed": "failed",
    "p50_ms": "p50 ms",
    "p90_ms": "p90 ms",
    "p95_ms": "p95 ms",
    "p99_ms": "p99 ms",
    "max_ms": "max ms",
    RATE: "predictions/s",
    "loads": "loads",
    "load_ms": "load ms",
    "parameter_bytes": "parameters",
    "device_bytes": "device memory",
}
"""The title of each measure of a model."""

FROM_CACHE = "from the cache"
_CALLS = {False: "in this run", True: FROM_CACHE, None: f"some {FROM_CACHE}"}
_COUNTS = ("predictions", "batches", "failed", "loads")


def measures_of(known: ModelMeasure) -> dict[str, Any]:
    """Return the measures of a model by the names in `TITLES`; None if unknown."""
    row = dict(zip(metrics.MODEL_COLUMNS, metrics.model_row(known), strict=True))
    ms = _call_ms(known)
    row[RATE] = known.predictions / ms * 1000 if ms else None
    return {name: row[name] for name in TITLES}


def _call_ms(known: ModelMeasure) -> float:
    """Return the total time of a model's calls in ms, within 1 %."""
    return sum(metrics.bucket_ms(key) * count for key, count in known.buckets.items())


def table(run: Run) -> pd.DataFrame:
    """Return the measures of a run's models, with predictions per second and column `calls`.

    Returns
    -------
    DataFrame
        Index "model"; the columns of `TITLES`, and calls: "in this run"; "from the cache" if
        an earlier run made the calls; or "some from the cache". predictions_per_s is predictions
        divided by the time of the calls, which is known within 1 %.
    """
    frame = metrics.model_table(run.models)
    rates = [measures_of(known)[RATE] for known in run.models.values()]
    calls = [where_from(run, model) for model in run.models]
    frame = frame.assign(
        **{RATE: pd.Series(rates, index=frame.index, dtype="float64")},
        calls=pd.Series(calls, index=frame.index, dtype="object"),
    )
    return frame[[*TITLES, "calls"]]


def where_from(run: Run, model: str) -> str:
    """Return where the calls of a model were made, as in the column `calls` of `table`."""
    return _CALLS[run.is_cached(model)]


def cached_note(run: Run, model: str) -> str:
    """Return a prefix for the measures of a model with calls from the cache; otherwise ""."""
    cached = run.is_cached(model)
    return "" if cached is False else f"{_CALLS[cached]}: "


def compare(runs: Sequence[Result | Run], baseline: int = 0) -> pd.DataFrame:
    """Compare the models of several runs side by side.

    Parameters
    ----------
    runs
        One to four results or runs.
    baseline
        The position, from 0, of the run by which the other runs are divided.

    Returns
    -------
    DataFrame
        Index (model, measure). A column per run with its values, such as `run 1`, and a column per
        other run with the ratios to the baseline, such as `run 2 ÷ run 1`. A value that was
        not measured is missing, and so is a ratio to 0.

    Raises
    ------
    ResultError
        If there are no runs or too many, or if `baseline` is not the position of a run.
    """
    known = runs_of(runs)
    if baseline not in range(len(known)):
        raise ResultError(f"baseline={baseline!r}; allowed: 0 to {len(known) - 1}")
    names = models_of(known)
    index = pd.MultiIndex.from_product([names, list(TITLES)], names=["model", "measure"])
    frame = pd.DataFrame(index=index)
    for run in known:
        found = {name: measures_of(measure) for name, measure in run.models.items()}
        values = [found.get(model, {}).get(measure) for model, measure in index]
        frame[run.name] = pd.Series(values, index=index, dtype="float64")
    base = known[baseline].name
    for name in [run.name for run in known if run.name != base]:
        frame[f"{name} ÷ {base}"] = frame[name] / frame[base].where(frame[base] != 0)
    return frame


def models_of(runs: Sequence[Run]) -> list[str]:
    """List the models of all runs, each once."""
    return list(dict.fromkeys(model for run in runs for model in run.models))


def longest_models(runs: Sequence[Run], most: int = MOST_ROWS) -> list[str]:
    """List the models; if they need more than `most` rows, those with the longest call time."""
    names = models_of(runs)
    keep = max(1, most // len(runs))
    if len(names) <= keep:
        return names
    spent = {
        name: max(_call_ms(run.models[name]) for run in runs if name in run.models)
        for name in names
    }
    kept = set(sorted(names, key=lambda name: -spent[name])[:keep])
    return [name for name in names if name in kept]


def measure_text(run: Run, model: str, measure: str) -> str:
    """Format a measure of a model; if it is missing, return a dash and the reason."""
    known = run.models.get(model)
    if known is None:
        return f"{MISSING} (not in this run)"
    value = measures_of(known)[measure]
    if value is None:
        return f"{MISSING} ({_reason(known, measure)})"
    if measure.endswith("_bytes"):
        return in_bytes(value)
    return f"{value:,}" if measure in _COUNTS else in_digits(value)


def _reason(known: ModelMeasure, measure: str) -> str:
    """Return why a measure is missing; "8 of 100" means 8 calls where 100 are needed."""
    if measure.endswith("_bytes"):
        return "not measured"
    if measure == "load_ms":
        return "no load"
    count = sum(known.buckets.values())
    if measure in metrics.PERCENTILES and count:
        return f"{count} of {metrics.samples_needed(metrics.PERCENTILES[measure])}"
    return "no calls"


def model_rows(runs: Sequence[Run]) -> dict[str, tuple[Run, str]]:
    """Return a dict with the label of each row of a plot, and the row's run and model.

    The label contains the run's name if there are several runs.
    """
    return {
        f"{model}\n{run.name}" if len(runs) > 1 else model: (run, model)
        for model in longest_models(runs)
        for run in runs
        if model in run.models
    }


def steps_of(runs: Sequence[Run]) -> list[str]:
    """List the nodes that ran in any of the runs, in the order of the runs."""
    return list(dict.fromkeys(name for run in runs for name in run.nodes))


def longest_steps(runs: Sequence[Run], most: int = MOST_ROWS) -> list[str]:
    """List the nodes that ran; if there are more than `most`, the slowest ones."""
    names = steps_of(runs)
    spent = {
        name: max(run.nodes[name].seconds or 0 for run in runs if name in run.nodes)
        for name in names
    }
    kept = set(sorted(names, key=lambda name: -spent[name])[:most])
    return [name for name in names if name in kept]


def time_rows(runs: Sequence[Run]) -> float:
    """Return the height of a plot of step times, measured in rows of a plot of models."""
    return len(longest_steps(runs)) * max(0.5, 0.3 * len(runs))
