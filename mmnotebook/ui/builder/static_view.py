"""The static view of the builder, shown without a kernel: graph, text and result."""

from __future__ import annotations

from html import escape

from mmnotebook.errors import Problem
from mmnotebook.graph.graph import Graph
from mmnotebook.results.results import Result
from mmnotebook.results.tables import html_table
from mmnotebook.steps import drawing
from mmnotebook.ui.common.static_output import style

_STYLE = style("mm-builder", "mm-static")
_PRE = (
    "margin:.4em 0;padding:.6em .8em;border-radius:6px;overflow-x:auto;white-space:pre;"
    "background:rgba(128,128,128,.12);color:inherit;font-size:90%;"
    "font-family:var(--jp-code-font-family,monospace)"
)


def bundle(
    graph: Graph, text: str, problems: list[Problem], result: Result | None
) -> dict[str, str]:
    """Return `text/html` and `text/plain` of the current graph."""
    wrong = "".join(f"\nproblem: {problem}" for problem in problems)
    return {
        "text/plain": (text or "(empty graph)") + wrong,
        "text/html": _html(graph, text, problems, result),
    }


def _html(graph: Graph, text: str, problems: list[Problem], result: Result | None) -> str:
    ran = result is not None and result.graph == graph
    counts = result.counts() if result is not None and ran else None
    parts = [drawing.html(graph, counts)]
    if text:
        parts.append(f'<pre style="{_PRE}">{escape(text)}</pre>')
    if problems:
        items = "".join(f"<li>{escape(str(problem))}</li>" for problem in problems)
        parts.append(f"<div><b>Problems</b><ul>{items}</ul></div>")
    if result is not None and ran:
        parts += _run_parts(result)
    return f'{_STYLE}<div class="mm-static">{"".join(parts)}</div>'


def _run_parts(result: Result) -> list[str]:
    """Return the HTML of a run's tables, and of the plots of its models."""
    from mmnotebook.results.runs import Run
    from mmnotebook.ui.dashboard import views

    nodes = result.nodes[["kind", "elements_in", "elements_out", "failed"]]
    parts = [html_table(nodes, max_rows=len(nodes))]
    if len(result.failed):
        parts.append("<div><b>First failures</b></div>")
        parts.append(html_table(result.failed.drop(columns="traceback"), max_rows=3))
    if result.sketches:
        runs = [Run.of(result, 1)]
        parts.append(views.models_html(runs))
        parts += [views.latency_html(runs), views.memory_html(runs)]
    return parts
