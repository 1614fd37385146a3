"""The results below the canvas: elements of a node, and metrics of the session."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ipywidgets import Layout, Tab

from mmnotebook.errors import MMError, RunError
from mmnotebook.results import latest
from mmnotebook.results.results import Result
from mmnotebook.ui.dashboard import Dashboard
from mmnotebook.ui.inspector import Inspector


class Tables:
    """The tabs "Elements" and "Metrics", created when there are results to show.

    Parameters
    ----------
    go_to
        Called with the node of a clicked row of a trace.

    Attributes
    ----------
    result
        The result of the builder's latest run; None before the first.
    tab
        The widget.
    """

    def __init__(self, go_to: Callable[[str], None]) -> None:
        self.result: Result | None = None
        self._known = latest.last()
        self._go_to = go_to
        self._lock = threading.Lock()
        self._shown: tuple[Inspector, Dashboard] | None = None
        self.tab = Tab(layout=Layout(display="none"))

    def visit(self, node: str) -> None:
        """Show the elements of a selected node, if there are results."""
        if self._shown is not None:
            self.inspector.visit(self.result, node)

    def show(self, node: str) -> None:
        """Show the elements of a node, even if it was deleted from the graph."""
        if self.result is not None:
            self.inspector.show(self.result, node)

    def ended(self, result: Result, selected: tuple[str, ...]) -> None:
        """Show a run of the builder: the elements of the selected node, or of the last one."""
        self.result = self._known = result
        self.dashboard.add(result)
        for name in [*result.keys(), *(name for name in selected if name in result)][-1:]:
            self.inspector.show(result, name)

    def failed(self, error: MMError) -> None:
        """Show the failures of a node that ended a run."""
        if isinstance(error, RunError) and error.failed is not None:
            self.inspector.show_failed(str(error.node), error.failed, error.result)

    def take_latest(self) -> None:
        """Add the latest result to the metrics, if a cell has run a graph."""
        result = latest.last()
        if result is not None and result is not self._known:
            self._known = result
            self.dashboard.add(result)

    @property
    def inspector(self) -> Inspector:
        """The widget that shows the elements."""
        return self._made()[0]

    @property
    def dashboard(self) -> Dashboard:
        """The widget that shows the metrics."""
        return self._made()[1]

    def _made(self) -> tuple[Inspector, Dashboard]:
        with self._lock:
            if self._shown is None:
                inspector, dashboard = self._shown = Inspector(on_node=self._go_to), Dashboard()
                self.tab.children = (inspector, dashboard)
                self.tab.titles, self.tab.selected_index = ("Elements", "Metrics"), 0
                self.tab.layout.display = None
            return self._shown
