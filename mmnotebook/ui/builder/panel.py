"""The property panel of the selection on the canvas."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from ipywidgets import HTML, BoundedFloatText, Dropdown, HBox, Layout, Text, VBox

from mmnotebook.editing.document import Document
from mmnotebook.errors import Problem, counted
from mmnotebook.graph import checks
from mmnotebook.graph.graph import Graph
from mmnotebook.graph.kinds import KINDS
from mmnotebook.graph.names import Names
from mmnotebook.ui.builder.controls import style
from mmnotebook.ui.builder.controls.fields import Context, models_of
from mmnotebook.ui.builder.node_view import Edit, NodeView, rows_of
from mmnotebook.ui.common.close_widgets import discard

_LISTED = 8
_KEPT = 4
"""Number of node views that are kept, as input may still arrive for a view that was just hidden."""
_GATHERS = [("join: one dict by name", "join"), ("union: each element separately", "union")]


class Panel(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Shows the selected node, the selected nodes, or the graph.

    Parameters
    ----------
    edit
        Applies a command; returns why it cannot be applied, or None.
    names
        Returns the current lookup of names.

    Attributes
    ----------
    checked
        The graph that was checked for workers elsewhere, and what was found. It is shown until the
        graph changes.
    """

    def __init__(self, edit: Edit, names: Callable[[], Names]) -> None:
        self._edit, self._names = edit, names
        self._lock = threading.RLock()
        self._graph = Graph()
        self._selection: tuple[str, ...] = ()
        self._problems: Sequence[Problem] = ()
        self.checked: tuple[Graph, Sequence[Problem]] = (Graph(), ())
        self.node: NodeView | None = None
        self._views: deque[NodeView] = deque()
        self.several = SeveralView(edit)
        self.summary = style.note()
        self.may_fail = style.field(
            BoundedFloatText, "elements that may fail, in %", value=10.0, max=100.0, step=1.0
        )
        self.may_fail.tooltip = "A run fails if more than this share of a step's elements fail"
        self._sheet = style.sheet()
        super().__init__([self._sheet, self.summary], layout=Layout(width="100%"))
        self.add_class(style.CLASS)

    def show(
        self, document: Document, selection: Sequence[str], problems: Sequence[Problem]
    ) -> None:
        """Show the selection; controls that already show it are reused.

        Parameters
        ----------
        selection
            The names of nodes; unknown names are ignored.
        problems
            All problems of the graph.
        """
        names = self._names()  # before the lock is taken, as this may wait for another lock
        with self._lock:
            before, self._graph = self._graph, document.graph
            checked, findings = self.checked
            self._problems = [*problems, *(findings if checked == self._graph else ())]
            self._selection = tuple(name for name in selection if name in document.graph)
            if len(self._selection) == 1:
                self._show_node(self._selection[0], before, names)
                return
            self.node = None
            if self._selection:
                self.several.show(self._graph, self._selection)
                self._put(self.several)
            else:
                found = self._problems[len(problems) :]
                style.put(self.summary, _summary(self._graph, names, problems, found))
                self._put(self.summary, *([self.may_fail] if len(self._graph) else []))

    @property
    def max_failed(self) -> float:
        """The share of a step's elements, from 0 to 1, that may fail without failing the run."""
        return float(self.may_fail.value) / 100

    def focus(self) -> None:
        """Focus the first control of the selection."""
        with self._lock:
            if self.node is not None:
                self.node.focus_first()
            elif self._selection:
                self.several.name.focus()

    def close(self) -> None:
        """Close the panel and its hidden views."""
        for view in (*self._views, self.several, self.summary, self.may_fail):
            discard(view)
        super().close()

    def _show_node(self, name: str, before: Graph, names: Names) -> None:
        node = self._graph[name]
        if node.kind not in KINDS:
            self.node = None
            style.put(self.summary, style.problems(p for p in self._problems if p.node == name))
            self._put(self.summary)
            return
        view = self.node
        if view is None or view.kind.name != node.kind or not self._same(view.node, name, before):
            view = NodeView(KINDS[node.kind], self._edit)
            self._views.append(view)
        view.show(Context(self._graph, node, names), self._problems)
        self.node = view
        self._put(view)
        while len(self._views) > _KEPT:
            discard(self._views.popleft())

    def _same(self, shown: str, name: str, before: Graph) -> bool:
        """Return whether the shown node is this one, possibly renamed."""
        return shown == name or (shown not in self._graph and name not in before)

    def _put(self, *views: Any) -> None:
        children = (self._sheet, *views)
        style.put(self, children, "children")

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        shown = super()._repr_mimebundle_(**kwargs)
        with self._lock:
            title, rows = self._static()
        return style.bundle(shown, title, rows)

    def _static(self) -> tuple[str, list[tuple[str, str]]]:
        if len(self._selection) == 1:
            node = self._graph[self._selection[0]]
            return node.name, rows_of(node, self._problems)
        if self._selection:
            return f"{len(self._selection)} steps are selected", [
                ("steps", _listed(self._selection))
            ]
        rows = [("problem", str(problem)) for problem in self._problems]
        return counted(len(self._graph), "step"), rows


class SeveralView(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The controls of several selected nodes: their group, and a button that deletes them."""

    def __init__(self, edit: Edit) -> None:
        self._edit = edit
        self._nodes: tuple[str, ...] = ()
        self._group_name: str | None = None
        self._title = HTML()
        self.name = style.field(Text, "name of the group")
        self.gather = style.field(Dropdown, "a step after the group receives", options=_GATHERS)
        self.group = style.button("Group", "group the selected steps under this name", "tag")
        self.ungroup = style.button("Ungroup", "remove the group; its steps are kept", "times")
        self.remove = style.button("Delete", "delete the selected steps and their wires", "trash")
        self._line = style.note()
        self.name.observe(lambda _: self._check(), "value")
        self.group.on_click(lambda _: self._make_group())
        self.ungroup.on_click(lambda _: self._apply({"op": "ungroup", "name": self._group_name}))
        self.remove.on_click(lambda _: self._remove())
        buttons = HBox([self.group, self.ungroup, self.remove])
        buttons.layout.flex_flow = "row wrap"
        super().__init__([self._title, self.name, self.gather, self._line, buttons])

    @property
    def message(self) -> str:
        """The message below the name, as HTML."""
        return str(self._line.value)

    def show(self, graph: Graph, nodes: tuple[str, ...]) -> None:
        """Show these nodes; if they are already shown, keep the typed name."""
        groups = (g for g in graph.groups if set(g.members) == set(nodes))
        group = next(groups, None)
        self._group_name = None if group is None else group.name
        named = "" if group is None else f", grouped as <b>{escape(group.name)}</b>"
        listed = style.hint(_listed(nodes))
        style.put(self._title, f"<h3>{len(nodes)} steps are selected{named}</h3>{listed}")
        style.show_if(self.ungroup, group is not None)
        for control in (self.name, self.gather, self.group):
            style.show_if(control, group is None)
        if nodes != self._nodes:
            self._nodes = nodes
            style.put(self.name, "")
            style.put(self._line, "")

    def _check(self) -> bool:
        name = self.name.value.strip()
        good = checks.is_name(name)
        wrong = f"{name!r} is not a valid name: {checks.NAMING}"
        style.put(self._line, style.error(wrong) if name and not good else "")
        return good

    def _make_group(self) -> None:
        if self._check():
            nodes, gather = list(self._nodes), self.gather.value
            name = self.name.value.strip()
            self._apply({"op": "group", "name": name, "nodes": nodes, "gather": gather})
        elif not self.name.value.strip():
            style.put(self._line, style.error("type a name first"))

    def _remove(self) -> None:
        self._apply({"op": "remove", "nodes": list(self._nodes), "wires": []})

    def _apply(self, command: dict[str, Any]) -> None:
        refused = self._edit(command)
        style.put(self._line, "" if refused is None else style.error(refused))


def _summary(
    graph: Graph, names: Names, problems: Sequence[Problem], findings: Sequence[Problem]
) -> str:
    """Return the HTML that describes the graph: its steps, models, problems and findings."""
    if not len(graph):
        return style.hint("The canvas is empty: drag data, models and steps onto it.")
    models = models_of(graph)
    unknown = {name for name in models if name not in names.models}
    listed = ", ".join(f"{name} (not registered)" if name in unknown else name for name in models)
    count = len(problems)
    state = (
        "No problems: the graph can run." if not count else f"{count} problem{'s' * (count != 1)}:"
    )
    more = [f"and {count - _LISTED} more"] if count > _LISTED else []
    return (
        f"<h3>{len(graph)} step{'s' * (len(graph) != 1)}</h3>"
        f"{style.hint(f'models: {listed}' if listed else 'no models yet')}"
        f'<div class="mm-summary">{state}</div>'
        f"{style.problems([*problems[:_LISTED], *more])}"
        f"{_elsewhere(findings)}"
        f"{style.hint('Select a step to see and change what it does.')}"
    )


def _elsewhere(findings: Sequence[Problem]) -> str:
    """Return the HTML of the findings of a check for workers elsewhere; "" for none."""
    if not findings:
        return ""
    more = [f"and {len(findings) - _LISTED} more"] if len(findings) > _LISTED else []
    head = '<div class="mm-summary">On workers elsewhere:</div>'
    return head + style.problems([*findings[:_LISTED], *more])


def _listed(names: Sequence[str]) -> str:
    more = ", …" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
