"""The summary of a result as text and HTML: counts and names, without times."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from mmnotebook.notebook_state import shell
from mmnotebook.results.latest import expression_of
from mmnotebook.results.tables import html_table, short

if TYPE_CHECKING:
    from mmnotebook.results.results import Result

_FAILURES = 3


def text(result: Result) -> str:
    """Return a headline, the counts of the nodes and the models, and a note, as text."""
    return f"{tables(result)}\n\n{_note(result)}"


def tables(result: Result) -> str:
    """Return a headline and the counts of the nodes and the models, as text."""
    parts = [_headline(result), _plain(_nodes(result))]
    if result.sketches:
        parts.append(_plain(_models(result)))
    return "\n\n".join(parts)


def html(result: Result) -> str:
    """Return the drawn graph with its counts, the tables, and the first failures, as HTML."""
    from mmnotebook.steps import drawing

    parts = [
        f"<div><b>{_headline(result)}</b></div>",
        drawing.html(result.graph, result.counts()),
        html_table(_nodes(result), max_rows=len(result)),
    ]
    if result.sketches:
        parts += [html_table(_models(result), max_rows=len(result.sketches))]
    parts += [f'<div style="opacity:.75">{escape(_note(result))}</div>']
    if len(result.failed):
        attribute = escape(_named(result, "failed"))
        parts += [f"<div><b>First failures</b>; all of them: {attribute}</div>"]
        parts += [html_table(result.failed.drop(columns="traceback"), max_rows=_FAILURES)]
    return f'<div class="mm-result">{"".join(parts)}</div>'


def _headline(result: Result) -> str:
    counts = [(len(result), "node"), (len(result.sketches), "model")]
    parts = [f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts]
    cached = sum(measure.cached for measure in result.measures.values())
    if cached:
        parts[0] += f" ({cached if cached < len(result) else 'all'} from the cache)"
    failed = sum(measure.failed for measure in result.measures.values())
    return ", ".join(["Result: " + parts[0], parts[1], f"{failed:,} failed"])


def _note(result: Result) -> str:
    """Return a line that names the attributes with the other measures."""
    parts = [("Times and sizes", "nodes")]
    if result.sketches:
        parts.insert(0, ("Latencies, per batch", "models"))
    if result.why:
        parts.append(("Why a node was computed", "why"))
    if count := len(result.warned):
        parts.append((f"{count:,} warning{'' if count == 1 else 's'}", "warnings"))
    named = [f"{what}: {_named(result, attribute)}." for what, attribute in parts]
    return " ".join([*([f"Note: {result.note}."] if result.note else []), *named])


def _named(result: Result, attribute: str) -> str:
    unnamed = "r" if shell() is None else "its "  # in a script, the name used in the documentation
    return f"{expression_of(result) or unnamed}.{attribute}"


def _nodes(result: Result) -> pd.DataFrame:
    return result.nodes[["kind", "elements_in", "elements_out", "failed", "cached"]]


def _models(result: Result) -> pd.DataFrame:
    frame = result.models[["predictions", "batches", "mean_batch", "failed"]]
    megabytes = result.models["parameter_bytes"].astype("Float64") / 1e6
    return frame.assign(parameter_mb=megabytes)


def _plain(frame: pd.DataFrame) -> str:
    """Format a frame as aligned text, with the same cells as in HTML; missing cells are dashes."""
    cells = {name: map(short, values) for name, values in frame.reset_index().items()}
    return str(pd.DataFrame(cells).to_string(index=False))
