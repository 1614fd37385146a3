"""Views of the dashboard as HTML and text: tables and plots."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from mmnotebook.results import compare, plot
from mmnotebook.results.axes import height, in_bytes, in_digits, in_seconds, percentiles
from mmnotebook.results.runs import Run
from mmnotebook.results.tables import MISSING, text_table
from mmnotebook.ui.common.figures import plot_html

Table = tuple[list[str], list[list[str]], list[bool]]
"""The names of the columns, the rows, and for each column, whether it is right-aligned."""

_MOST_MODELS = 50
_WIDE = 4
"""Maximum number of models that are shown as columns."""

_SPACE = "\N{NO-BREAK SPACE}"
_NONE = "no run is selected"
_FEW = re.compile(rf"{MISSING} \(([\d,]+) of ([\d,]+)\)")
"""A percentile with too few calls, as `compare.measure_text` formats it."""
_CACHED = (
    "From the cache: the model was not called in this run; its measures are those of the run that "
    "computed the cached outputs."
)


def models(runs: Sequence[Run], base: Run | None = None) -> Table:
    """Tabulate the models of one run, as columns if they are few, or of several runs."""
    names = compare.longest_models(runs, _MOST_MODELS * len(runs))
    if len(runs) == 1:
        return _one_run(runs[0], names)
    base = runs[0] if base is None else base
    ratios = compare.compare(runs, runs.index(base))
    head, right = ["model", "measure"], [False, False]
    for run in runs:
        head += [f"{run.name} (baseline)"] if run is base else [run.name, f"÷ {base.name}"]
        right += [True] if run is base else [True, True]
    rows = []
    for model in names:
        rows.append([model, "calls", *_calls(runs, model, base)])
        for measure, title in compare.TITLES.items():
            cells = ["", title]
            for run in runs:
                cells.append(compare.measure_text(run, model, measure))
                if run is not base:
                    ratio = ratios.at[(model, measure), f"{run.name} ÷ {base.name}"]
                    cells.append(_ratio(ratio))
            rows.append(cells)
    return head, rows, right


def _ratio(value: float) -> str:
    if value != value:
        return MISSING
    return f"{value:.2f}×" if 0.1 <= value < 100 else f"{in_digits(value)}×"


def _one_run(run: Run, names: Sequence[str]) -> Table:
    head = ["model", "calls", *compare.TITLES.values()]
    rows = [
        [
            name,
            compare.where_from(run, name),
            *(compare.measure_text(run, name, measure) for measure in compare.TITLES),
        ]
        for name in names
    ]
    if len(rows) > _WIDE:
        return head, rows, [False, False, *[True] * len(compare.TITLES)]
    turned = [list(cells) for cells in zip(head, *rows, strict=True)]
    return ["measure", *turned[0][1:]], turned[1:], [False, *[True] * len(rows)]


def _calls(runs: Sequence[Run], model: str, base: Run) -> list[str]:
    cells = []
    for run in runs:
        is_known = model in run.models
        cells.append(compare.where_from(run, model) if is_known else f"{MISSING} (not in this run)")
        cells += [] if run is base else [""]
    return cells


def steps(runs: Sequence[Run]) -> Table:
    """Tabulate the time of each step in each run."""
    head = ["step", "kind", *(run.name for run in runs)]
    rows = []
    for step in compare.steps_of(runs):
        kind = next(run.nodes[step].kind for run in runs if step in run.nodes)
        rows.append([step, kind, *(_seconds(run, step) for run in runs)])
    return head, rows, [False, False, *[True] * len(runs)]


def _seconds(run: Run, step: str) -> str:
    node = run.nodes.get(step)
    if node is None:
        return f"{MISSING} (not in this run)"
    took = f"{MISSING} (not measured)" if node.seconds is None else in_seconds(node.seconds)
    return f"from the cache, took {took}" if node.cached else took


def listed(runs: Sequence[Run]) -> Table:
    """Tabulate the runs: when they ended, their size, their speed, and what changed."""
    head = ["run", "ended", "elements", "time", "elements/s", "steps", "models", "failed"]
    rows = [
        [
            run.name if run.label is None else f"{run.name} · {run.label}",
            f"{run.finished:%H:%M:%S}",
            f"{run.elements:,}",
            in_seconds(run.seconds),
            rate(run),
            _steps(run),
            f"{len(run.models):,}",
            f"{sum(node.failed for node in run.nodes.values()):,}",
            changes(run),
        ]
        for run in runs
    ]
    return [*head, "what changed"], rows, [False, False, *[True] * 6, False]


def _steps(run: Run) -> str:
    count = f"{len(run.nodes):,}"
    return f"{count}, {run.cached:,} from the cache" if run.cached else count


def rate(run: Run) -> str:
    """Return the source elements per second of a run, if no node was read from the cache."""
    if run.cached:
        return f"{MISSING} (from the cache)"
    return in_digits(run.elements / run.seconds) if run.seconds else f"{MISSING} (not measured)"


def changes(run: Run) -> str:
    return "; ".join(run.changes) or "nothing changed"


def html(table: Table, notes: Sequence[str] = ()) -> str:
    """Return the HTML of a table with notes below it; the cells do not wrap."""
    names, rows, right = table
    below = "".join(f'<div style="opacity:.8">{escape(note)}</div>' for note in notes)
    return f'<div style="white-space:nowrap">{text_table(names, rows, right)}</div>{below}'


def runs_html(runs: Sequence[Run]) -> str:
    """Return the HTML of the list of runs; texts such as "run 2" and "453 ms" do not wrap."""
    if not runs:
        return _paragraph("no runs yet")
    names, rows, right = listed(runs[::-1])
    for row in rows:
        row[0] = row[0].replace(" ", _SPACE, 1)
        row[3] = row[3].replace(" ", _SPACE)
    return text_table(names, rows, right)


def models_html(runs: Sequence[Run], base: Run | None = None) -> str:
    """Return the HTML of the table of models, with notes on missing and cached measures."""
    if not runs:
        return _paragraph(_NONE)
    names = compare.models_of(runs)
    if not names:
        return _paragraph(plot.NO_MODELS)
    table = models(runs, base)
    cells = [cell for row in table[1] for cell in row]
    few = next(filter(None, map(_FEW.fullmatch, cells)), None)
    notes = [] if few is None else [_too_few(*few.groups())]
    notes += [_CACHED] if any("from the cache" in cell for cell in cells) else []
    if len(names) > _MOST_MODELS:
        notes.append(f"The {_MOST_MODELS} of {len(names):,} models with the most time in calls.")
    return html(table, notes)


def _too_few(calls: str, needed: str) -> str:
    why = f"there were {calls} calls, and the percentile needs {needed}"
    return f"{MISSING} ({calls} of {needed}): {why}."


def latency_html(runs: Sequence[Run]) -> str:
    rows = compare.model_rows(runs) if runs else {}
    texts = [f"{model} in {run.name}: {_latency(run, model)}" for run, model in rows.values()]
    return _picture(plot.latency_of_runs, runs, len(rows), 1, "Latency per batch", texts)


def _latency(run: Run, model: str) -> str:
    buckets = run.models[model].buckets
    return compare.cached_note(run, model) + (percentiles(buckets) if buckets else "no calls")


def memory_html(runs: Sequence[Run]) -> str:
    rows = compare.model_rows(runs) if runs else {}
    texts = [f"{model} in {run.name}: {_memory(run, model)}" for run, model in rows.values()]
    return _picture(plot.memory_of_runs, runs, len(rows), 3, "Memory", texts)


def _memory(run: Run, model: str) -> str:
    known = run.models[model]
    sizes = {"parameters": known.parameter_bytes, "device memory": known.device_bytes}
    return ", ".join(
        f"{name} {'not measured' if size is None else in_bytes(size)}"
        for name, size in sizes.items()
    )


def steps_html(runs: Sequence[Run]) -> str:
    if not runs:
        return _paragraph(_NONE)
    names = compare.longest_steps(runs)
    texts = [f"{name} in {run.name}: {_seconds(run, name)}" for name in names for run in runs]
    rows = compare.time_rows(runs)
    return _picture(plot.time_of_runs, runs, rows, 1, "Time per step", texts) + html(steps(runs))


def _picture(
    draw: Callable[..., Any],
    runs: Sequence[Run],
    rows: float,
    captions: int,
    name: str,
    texts: Sequence[str],
) -> str:
    """Return the HTML of a plot, with `name` and `texts` as its alternative text."""
    if not runs:
        return _paragraph(_NONE)
    if not texts:
        return _paragraph(plot.NO_MODELS)
    alt = f"{name}. {'; '.join(texts)}"
    return plot_html(lambda ax: draw(*runs, ax=ax), height(rows, captions), alt)


def _paragraph(text: str) -> str:
    return f'<div style="margin:.6em 0;opacity:.8">{escape(text[:1].upper() + text[1:])}.</div>'


def text(runs: Sequence[Run], base: Run | None = None) -> str:
    """Return the runs, and the table of their models, as aligned text."""
    if not runs:
        return "no runs yet"
    lines = [f"{run} · {changes(run)}" for run in runs]
    if not compare.models_of(runs):
        return "\n".join([*lines, plot.NO_MODELS])
    names, rows, right = models(runs, base)
    cells = [names, *rows]
    widths = [max(len(row[place]) for row in cells) for place in range(len(names))]
    aligned = [
        "  ".join(
            cell.rjust(width) if at_right else cell.ljust(width)
            for cell, width, at_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join([*lines, "", *aligned])
