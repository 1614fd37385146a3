"""The trace of one element through every node, as a table."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd
from ipywidgets import HTML, Button, HBox, Layout, VBox

from mmnotebook.results.inspection import trace
from mmnotebook.results.results import Result
from mmnotebook.ui.inspector.cells import Cell, cell, folded
from mmnotebook.ui.inspector.table import Table

_SIDE = 192  # pixels of a picture
_COLUMNS = ("node", "kind", "id", "value", "failed")


class Trace(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The path of the selected element through the graph; hidden if no element is selected.

    Parameters
    ----------
    chosen
        Called with the node of a row that is clicked.
    closed
        Called when it is closed.
    """

    def __init__(self, chosen: Callable[[str], None], closed: Callable[[], None]) -> None:
        self._chosen, self._nodes = chosen, list[str]()
        self._id: str | None = None
        self.title = HTML()
        self.close_button = Button(
            description="Close", icon="times", tooltip="Back to the rows", layout={"width": "auto"}
        )
        self.table = Table(sortable=False, opens="Show this node")
        head = HBox([self.title, self.close_button], layout=Layout(justify_content="space-between"))
        super().__init__([head, self.table], layout=Layout(display="none"))
        self.close_button.on_click(lambda _: closed())
        self.table.on_msg(lambda _, content, __: self._on_message(content))

    def show(self, result: Result, id: str, node: str, *, square: bool) -> None:
        """Show the path of the element.

        Parameters
        ----------
        result, id
            As for `mm.trace`.
        node
            The node whose rows are marked.
        square
            Whether vectors are shown as images where possible.

        Raises
        ------
        ResultError
            If no node has the element.
        """
        frame = trace(result, id)
        self._nodes = frame["node"].tolist()
        self.title.value = (
            f'<span role="status">Element <b>{escape(id)}</b> through the graph</span>'
        )
        rows = [[cell.as_json() for cell in row] for row in _rows(frame, result.failed, square)]
        with self.table.hold_sync():
            self.table.label = f"Element {id} through the graph"
            self.table.columns = [{"name": name, "numeric": False} for name in _COLUMNS]
            self.table.rows = rows
            self.mark(node)
        self.layout.display = None
        if id != self._id:
            self._id = id
            self.table.send({"type": "reveal"})

    def show_error(self, reason: str) -> None:
        """Show why there is no trace."""
        self._nodes, self.table.rows = [], []
        self.title.value = f'<span role="alert">{escape(reason)}</span>'
        self.layout.display = None

    def mark(self, node: str) -> None:
        """Mark the rows of a node."""
        self.table.selected = [place for place, name in enumerate(self._nodes) if name == node]

    def hide(self) -> None:
        """Hide the trace."""
        self._nodes, self._id, self.table.rows = [], None, []
        self.layout.display = "none"

    def _on_message(self, content: dict[str, Any]) -> None:
        if content.get("type") == "open":
            for node in self._nodes[content["row"] :][:1]:
                self._chosen(node)


def _rows(frame: pd.DataFrame, failed: pd.DataFrame, square: bool) -> list[list[Cell]]:
    """Return the cells of a trace; a failure expands to its traceback."""
    tracebacks = dict(
        zip(zip(failed["node"], failed["id"], strict=True), failed["traceback"], strict=True)
    )
    return [
        [
            *(cell(text) for text in (node, kind, id)),
            cell(value, side=_SIDE, square=square),
            cell(None) if pd.isna(error) else folded(error, tracebacks[node, id]),
        ]
        for node, kind, id, value, error in zip(*(frame[name] for name in _COLUMNS), strict=True)
    ]
