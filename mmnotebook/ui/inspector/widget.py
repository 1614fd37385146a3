"""`Inspector`: the outputs of each node of a run as tables, and traces of elements."""

from __future__ import annotations

import threading
from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd
import traitlets
from ipywidgets import HTML, Dropdown, HBox, Layout, Tab, VBox

from mmnotebook.errors import MMError
from mmnotebook.results.inspection import failures, members
from mmnotebook.results.node_table import NodeTable
from mmnotebook.results.results import Result
from mmnotebook.ui.inspector import static_view
from mmnotebook.ui.inspector.pages import NodeRows
from mmnotebook.ui.inspector.panes import Pane
from mmnotebook.ui.inspector.trace import Trace

_NONE = pd.DataFrame({"id": []})
_NOTHING = "Nothing to show yet: run the pipeline."


class Inspector(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The elements of a node, its failures, and each element's path through the graph.

    Parameters
    ----------
    result
        The result of a run; None (the default) to show nothing until `show` is called.
    node
        A node, or the name of a group; by default, the last node of the run.
    where
        A condition for rows, as for `mm.inspect`.
    n
        Rows per page, 100 at most.
    on_node
        Called with the node of a clicked row of a trace; by default, the inspector shows that
        node.

    Attributes
    ----------
    selected
        The id of the element whose trace is shown; None if no trace is shown. Can be set.
    node
        The node that is shown.
    """

    selected = traitlets.Unicode(None, allow_none=True)

    def __init__(
        self,
        result: Result | None = None,
        node: str | None = None,
        *,
        where: str = "",
        n: int = 20,
        on_node: Callable[[str], None] | None = None,
    ) -> None:
        self.on_node = on_node
        self.node: str | None = None
        self._result: Result | None = None
        self._latest: Result | None = None
        self._failed_run: tuple[str, pd.DataFrame] | None = None
        self._lock, self._quiet = threading.RLock(), False
        self._size = min(n, static_view.MOST)
        self._nodes = Dropdown(
            description="Node",
            layout=Layout(width="auto", max_width="320px"),
            style={"description_width": "initial"},
        )
        self._counts = HTML(_NOTHING)
        self.elements = Pane(self._open, "Elements", where=where, size=self._size)
        self.failures = Pane(self._open, "Failures", size=self._size, simple=True)
        self.tabs = Tab([self.elements, self.failures])
        self.trace = Trace(self._choose, self._close)
        head = HBox([self._nodes, self._counts], layout=Layout(flex_flow="row wrap"))
        super().__init__([head, self.tabs, self.trace], layout=Layout(width="100%"))
        self.add_class("mm-inspector")
        self._nodes.observe(self._picked, "value")
        self.observe(lambda _: self._follow(), "selected")
        self.elements.pictures.observe(lambda _: self._follow(), "value")
        self._show(None, None) if result is None else self.show(result, node)

    def show(self, result: Result, node: str | None = None) -> None:
        """Show a node of a run; the search is kept if the node is the same.

        Parameters
        ----------
        result
            The result of a run.
        node
            A node, or the name of a group; by default, the shown one, or the last of the run.

        Raises
        ------
        GraphError, RunError
            If the graph has no such node, or it did not run.
        """
        with self._lock:
            names = _names(result)
            if node is None:
                node = self.node if self.node in names else names[-1] if names else None
            if result is self._result and node == self.node:
                return
            table = None if node is None else result.table(node)
            if self._result is None:
                self.tabs.selected_index = 0
            if result is not self._latest:
                self._latest, self._failed_run = result, None
            self._result = result
            self._show(node, table)

    def show_failed(self, node: str, failed: pd.DataFrame, result: Result | None = None) -> None:
        """Show the failures of the node in which a run failed.

        Parameters
        ----------
        failed
            A frame with the columns of `result.failed`.
        result
            The result of the run; None if the run failed before it had one.
        """
        with self._lock:
            if result is not None and node in result:
                self.show(result, node)
            else:
                self._failed_run, self._result, self.selected = (node, failed), None, None
                self._show(node, None)
            self.tabs.selected_index = 1

    def visit(self, result: Result | None, node: str) -> None:
        """Show the failures of the node if they ended a run; otherwise its elements, if any."""
        if self._failed_run is not None and self._failed_run[0] == node:
            self.show_failed(*self._failed_run)
        elif result is not None and node in result:
            self.show(result, node)

    def _show(self, node: str | None, table: NodeTable | None) -> None:
        keep = self.node in (None, node)
        self.node = node
        self._fill(node)
        failed, counts = _NONE, _counted(self._result, node)
        if self._result is not None and node is not None:
            failed = failures(self._result, node)
        elif self._failed_run is not None and node is not None:
            failed = self._failed_run[1].drop(columns="node")
            counts = "the run failed at this node, after the failures below"
        rows = _NONE if table is None else table
        self.elements.show(rows, keep=keep)
        self.failures.show(failed, keep=keep)
        self.tabs.titles = (f"Elements ({len(rows):,})", f"Failed ({len(failed):,})")
        self._counts.value = counts
        self._follow()

    def _fill(self, node: str | None) -> None:
        """Update the options of the dropdown to the nodes of the run."""
        self._quiet = True
        single = () if node is None else (node,)
        self._nodes.options = single if self._result is None else _names(self._result)
        self._nodes.value = node
        self._quiet = False

    def _picked(self, change: dict[str, Any]) -> None:
        with self._lock:
            if not self._quiet and self._result is not None and change["new"] is not None:
                self.show(self._result, change["new"])

    def _open(self, id: str) -> None:
        self.selected = id

    def _close(self) -> None:
        self.selected = None

    def _choose(self, node: str) -> None:
        if self.on_node is not None:
            self.on_node(node)
        elif self._result is not None:
            self.show(self._result, node)

    def _follow(self) -> None:
        """Show the trace of the selected element."""
        with self._lock:
            for pane in (self.elements, self.failures):
                pane.mark(self.selected)
            if self._result is None or self.selected is None:
                self.trace.hide()
                return
            square = self.elements.pictures.value
            try:
                self.trace.show(self._result, self.selected, self.node or "", square=square)
            except MMError as error:  # selected from Python, but not an element
                self.trace.show_error(error.message)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return {**shown, **self.static()}

    def static(self) -> dict[str, str]:
        """Return `text/html` and `text/plain` of the first rows, for use without a kernel."""
        if self._result is None or self.node is None:
            return {"text/plain": _NOTHING, "text/html": f"<div>{_NOTHING}</div>"}
        rows, failed = (
            NodeRows(self._result.table(self.node)),
            NodeRows(failures(self._result, self.node)),
        )
        plain = f"{self.node}: {len(rows):,} elements, {len(failed):,} failed"
        html = static_view.page(rows, failed, where=None, size=self._size)
        return {"text/plain": plain, "text/html": f"<div>{escape(plain)}</div>{html}"}


def _names(result: Result) -> list[str]:
    """Return the names of the nodes that ran, and of the groups."""
    return [*result, *(group.name for group in result.graph.groups if group.name in result)]


def _counted(result: Result | None, node: str | None) -> str:
    """Return the step's kind and its numbers of elements: in, out and failed."""
    if result is None or node is None:
        return _NOTHING
    nodes = members(result, node)
    if nodes != (node,):
        return f"group of {escape(', '.join(nodes))}"
    measure = result.measures[node]
    counts = [
        (measure.elements_in, "in"),
        (measure.elements_out, "out"),
        (measure.failed, "failed"),
    ]
    parts = [f"{count:,} {what}" for count, what in counts if count is not None]
    return " · ".join([measure.kind, *parts, *(["from the cache"] if measure.cached else [])])
