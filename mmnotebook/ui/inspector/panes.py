"""The pane of one frame: search, conditions, sorting, sampling and pages."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from html import escape
from typing import Any

import pandas as pd
from ipywidgets import HTML, Button, HBox, Layout, Text, ToggleButton, VBox

from mmnotebook.errors import ResultError
from mmnotebook.results.node_table import NodeTable
from mmnotebook.ui.inspector.pages import NodeRows, Places, Query
from mmnotebook.ui.inspector.table import Table

_LIVE = 20_000  # maximum number of rows that are searched at every key press
_ERROR = (
    "line-height:1.4;white-space:pre-wrap;padding:2px 8px;color:inherit;border-left:3px solid "
    "var(--jp-error-color1,var(--vscode-errorForeground,#d32f2f))"
)


class Pane(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The rows of a frame or table with a column `id`.

    Parameters
    ----------
    opened
        Called with the id of a row that is clicked.
    label
        A name for the rows, for screen readers: "Elements".
    where, size
        An expression as for `mm.inspect`, and the number of rows per page.
    simple
        Whether to leave out conditions, samples and images.
    """

    def __init__(
        self,
        opened: Callable[[str], None],
        label: str,
        *,
        where: str = "",
        size: int = 20,
        simple: bool = False,
    ) -> None:
        self._lock = threading.RLock()
        self._opened, self._size = opened, size
        self._rows = NodeRows(pd.DataFrame({"id": []}))
        self._query, self._marked = Query(where=where), ""
        self._shown: list[int] = []
        self.table = Table(label=label, opens="Trace it through the graph")
        self.search = _field("Search", "any text, in any column", "160px")
        self.where = _field("Where", "prediction != label", "200px")
        self.where.value, self.where.continuous_update = where, False
        self.sample = _button("Sample", "Random rows; press again for other rows", "random")
        self.first = _button("First rows", "All rows in pages, from the first one", "")
        self.pictures = ToggleButton(
            description="As images",
            tooltip="Show vectors whose length is a square number as images",
            layout=Layout(width="auto"),
        )
        self.problem = HTML(layout=Layout(display="none"))
        fields = [self.search, self.where, self.sample, self.first, self.pictures]
        for field in fields[1:]:
            field.layout.display = "none" if simple else None
        controls = HBox(fields, layout=Layout(flex_flow="row wrap"))
        super().__init__([controls, self.problem, self.table])
        self._observe()

    def _observe(self) -> None:
        self.search.observe(
            lambda change: self._change_query(search=change["new"], start=0), "value"
        )
        self.where.observe(lambda change: self._change_query(where=change["new"], start=0), "value")
        self.sample.on_click(lambda _: self._change_query(seed=_next(self._query.seed), start=0))
        self.first.on_click(lambda _: self._change_query(seed=None, start=0))
        self.pictures.observe(lambda _: self._change_query(), "value")
        self.table.observe(lambda change: self._sorted(change["new"]), "sort")
        self.table.on_msg(lambda _, content, __: self._on_message(content))

    def show(self, shown: pd.DataFrame | NodeTable, *, keep: bool = False) -> None:
        """Show other rows; if `keep`, with the same search, condition and order."""
        with self._lock:
            rows = NodeRows(shown)
            alike = rows.names == self._rows.names
            query = replace(self._query, start=0) if keep else Query()
            self._query = query if alike else replace(query, sort=None)
            self._rows = rows
            self.search.continuous_update = len(rows) <= _LIVE
            self.search.value, self.where.value = query.search, query.where
            self._draw()

    def mark(self, id: str | None) -> None:
        """Mark the rows of an element."""
        with self._lock:
            self._marked = "" if id is None else id
            self.table.selected = self._places_of_marked()

    @property
    def query(self) -> Query:
        """The current selection and order of rows."""
        return self._query

    def _change_query(self, **changes: Any) -> None:
        with self._lock:
            self._query = replace(self._query, **changes)
            self._draw()

    def _sorted(self, sort: dict[str, Any]) -> None:
        by = None
        if sort and 0 <= sort.get("column", -1) < len(self._rows.columns):
            by = (self._rows.columns[sort["column"]].place, bool(sort.get("ascending")))
        if by != self._query.sort:
            self._change_query(sort=by, start=0)

    def _draw(self) -> None:
        found = self._found()
        ordered = self._rows.ordered(found, self._query, self._size)
        start = min(self._query.start, max(0, len(ordered) - 1) // self._size * self._size)
        self._query = replace(self._query, start=start)
        self._shown = ordered[start : start + self._size].tolist()
        cells = self._rows.cells(self._shown, square=self.pictures.value)
        self.first.disabled = self._query.seed is None
        with self.table.hold_sync():
            self.table.columns = [
                {"name": column.name, "numeric": column.numeric} for column in self._rows.columns
            ]
            self.table.rows = [[cell.as_json() for cell in row] for row in cells]
            self.table.sort = self._sort()
            self.table.selected = self._places_of_marked()
            self.table.pager = self._pager(found, ordered)
            self.table.empty = self._rows.empty_text(self._query)

    def _found(self) -> Places:
        """Return the rows that match; if the condition is invalid, show why and ignore it."""
        try:
            found = self._rows.found(self._query)
        except ResultError as error:
            remedy = f"\n→ {error.remedy}" if error.remedy else ""
            text = escape(f"{error.message}{remedy}")
            self.problem.value = f'<div role="alert" style="{_ERROR}">{text}</div>'
            self.problem.layout.display = None
            return self._rows.found(replace(self._query, where=""))
        self.problem.value, self.problem.layout.display = "", "none"
        return found

    def _sort(self) -> dict[str, Any]:
        if self._query.sort is None:
            return {}
        place, ascending = self._query.sort
        places = [column.place for column in self._rows.columns]
        return {"column": places.index(place), "ascending": ascending}

    def _pager(self, found: Places, ordered: Places) -> dict[str, Any]:
        start, count = self._query.start, len(ordered)
        last = min(start + self._size, count)
        of = f"{len(found):,}"
        if len(found) < len(self._rows):
            of += f" found, {len(self._rows):,} in all"
        text = f"{start + 1:,}–{last:,} of {of}" if count else f"0 of {of}"
        if self._query.seed is not None:
            text = f"a sample of {count:,} of {of}, seed {self._query.seed}"
        return {"text": text, "back": start > 0, "forward": last < count}

    def _places_of_marked(self) -> list[int]:
        ids = self._rows.ids(self._shown)
        return [place for place, id in enumerate(ids) if id == self._marked]

    def _on_message(self, content: dict[str, Any]) -> None:
        if content.get("type") == "open":
            with self._lock:
                ids = self._rows.ids(self._shown)
            for id in ids[content["row"] :][:1]:  # another page may be shown by now
                self._opened(id)
        elif content.get("type") == "page":
            self.turn(content["to"])

    def turn(self, to: str) -> None:
        """Go to the "first", "previous", "next" or "last" page."""
        start, size = self._query.start, self._size
        most = max(0, len(self._rows))
        places = {"first": 0, "previous": max(0, start - size), "next": start + size, "last": most}
        self._change_query(start=places[to])


def _next(seed: int | None) -> int:
    return 0 if seed is None else seed + 1


def _field(label: str, placeholder: str, width: str) -> Text:
    return Text(
        description=label,
        placeholder=placeholder,
        layout=Layout(width="auto", flex=f"1 1 {width}", min_width=width, max_width="360px"),
        style={"description_width": "initial"},
    )


def _button(text: str, tooltip: str, icon: str) -> Button:
    return Button(description=text, tooltip=tooltip, icon=icon, layout=Layout(width="auto"))
