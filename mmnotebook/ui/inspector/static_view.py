"""Pages of a table as HTML without scripts, for light and dark themes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from mmnotebook.results.tables import html_table
from mmnotebook.ui.common.static_output import style
from mmnotebook.ui.inspector.cells import Cell
from mmnotebook.ui.inspector.pages import NodeRows, Places, Query, ShownColumn

MOST = 100
"""Maximum number of rows per page."""
STYLE = style("mm-inspector", "mm-inspect")
_FAILURES = 3
_LINE = "1px solid rgba(128,128,128,.35)"
_PAD = f"padding:.25em .7em;border-bottom:{_LINE};vertical-align:middle;text-align:"
_TABLE = (
    "border-collapse:collapse;border:none;color:inherit;background:none;margin:.4em 0;"
    "font-size:90%;font-variant-numeric:tabular-nums"
)
_PRE = (
    "white-space:pre-wrap;background:rgba(128,128,128,.12);color:inherit;padding:.4em .6em;"
    "margin:.3em 0;max-height:20em;overflow:auto"
)


def page(
    rows: NodeRows, failed: NodeRows, *, where: str | None, size: int, square: bool = False
) -> str:
    """Return the first rows of a node with their images, and its first failures, as HTML."""
    found = rows.found(Query(where=where or ""))
    shown = found[: min(size, MOST)].tolist()
    parts = [_table(rows.columns, rows.cells(shown, square=square)), _count(rows, found, shown)]
    if len(failed):
        parts.append(f"<div><b>{len(failed):,} failed</b></div>")
        parts.append(html_table(failed.frame.drop(columns="traceback"), max_rows=_FAILURES))
    return f'<div class="mm-inspect">{"".join(parts)}</div>'


def _count(rows: NodeRows, found: Places, shown: Sequence[int]) -> str:
    text = f"{len(shown):,} of {len(found):,} rows"
    if len(found) < len(rows):
        text += f" that match, {len(rows):,} in all"
    return f'<div style="opacity:.75">{text}</div>'


def _table(columns: Sequence[ShownColumn], rows: Iterable[Sequence[Cell]]) -> str:
    sides = ["right" if column.numeric else "left" for column in columns]
    head = "".join(
        f'<th style="{_PAD}{side}">{escape(column.name)}</th>'
        for column, side in zip(columns, sides, strict=True)
    )
    body = "\n".join(
        "<tr style='background:none'>"
        + "".join(
            f'<td style="{_PAD}{side}">{_cell(cell)}</td>'
            for cell, side in zip(row, sides, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="mm-table" style="overflow-x:auto"><table style="{_TABLE}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    if cell.image:
        width, height = cell.size
        image = (
            f'<img src="{escape(cell.image)}" alt="{text}" title="{escape(cell.title)}" '
            f'width="{width}" height="{height}" '
            'style="image-rendering:pixelated;max-width:none;margin:0"/>'
        )
        return image if cell.kind == "image" else f"{image} {text}"
    if cell.more:
        whole = f'<pre style="{_PRE}">{escape(cell.more)}</pre>'
        return f"<details><summary>{text}</summary>{whole}</details>"
    if cell.title:
        return f'<span title="{escape(cell.title)}">{text}</span>'
    return text
