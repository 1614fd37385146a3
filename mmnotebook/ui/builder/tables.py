"""What came of the runs, below the canvas: a node's elements, and the metrics of the session."""

from __future__ import annotations

from collections.abc import Callable

from ipywidgets import Tab

import mmnotebook as mm
from mmnotebook.analysis.results import Result
from mmnotebook.errors import MMError, RunError
from mmnotebook.ui.dashboard import Dashboard
from mmnotebook.ui.inspector import Inspector


class Tables:
    """The tabs "Elements" and "Metrics", hidden until there is something to look at.

    Parameters
    ----------
    go
        Is told the node of a trace's row that is chosen.

    Attributes
    ----------
    result
        What the builder's latest run gave, None before the first.
    tab
        The widget.
    """

    def __init__(self, go: Callable[[str], None]) -> None:
        self.result: Result | None = None
        self._known = mm.last
        self.inspector, self.dashboard = Inspector(), Dashboard()
        self.inspector.on_node = go
        self.tab = Tab([self.inspector, self.dashboard], titles=("Elements", "Metrics"))
        self.tab.layout.display = "none"

    def visit(self, node: str) -> None:
        """Show the elements of a node that was selected, where there are any."""
        self.inspector.visit(self.result, node)

    def show(self, node: str) -> None:
        """Show the elements of a node, also when it is in the graph no more."""
        if self.result is not None:
            self.inspector.show(self.result, node)

    def ended(self, result: Result, selected: tuple[str, ...]) -> None:
        """Show a run of the builder: the elements of the selected node, else of the last one."""
        self.result = self._known = result
        self.tab.layout.display = None
        self.dashboard.add(result)
        for name in [*result.keys(), *(name for name in selected if name in result)][-1:]:
            self.inspector.show(result, name)

    def failed(self, error: MMError) -> None:
        """Show the elements that a run was given up for."""
        if isinstance(error, RunError) and error.failed is not None:
            self.tab.layout.display = None
            self.inspector.show_failed(str(error.node), error.failed, error.result)

    def take_latest(self) -> None:
        """Put the metrics of a cell's own run beside those of the builder's."""
        result = mm.last
        if result is not None and result is not self._known:
            self._known = result
            self.tab.layout.display = None
            self.dashboard.add(result)
