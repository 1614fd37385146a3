"""The parts of the builder and their connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from ipywidgets import Layout

from mmnotebook.errors import GraphError, MMError, Problem, RunError, one_line
from mmnotebook.graph.graph import Graph
from mmnotebook.graph.models import registry
from mmnotebook.graph.names import Names, notebook_names
from mmnotebook.notebook_state import shell
from mmnotebook.results.results import Result
from mmnotebook.ui.builder import example, palette, scene, static_view, status
from mmnotebook.ui.builder.background_runs import Runner, error_text
from mmnotebook.ui.builder.canvas import Canvas
from mmnotebook.ui.builder.editor import Editor
from mmnotebook.ui.builder.form.register_form import RegisterForm
from mmnotebook.ui.builder.panel import Panel
from mmnotebook.ui.builder.side import Side
from mmnotebook.ui.builder.tables import Tables
from mmnotebook.ui.common.static_output import StaticOutput

Command = Mapping[str, Any]
NAME = "pipeline"


class Studio:
    """Canvas, panel, form, inspector and dashboard around one `Editor` and one `Runner`.

    Parameters
    ----------
    graph
        The graph to edit.
    name
        The variable that an inserted cell assigns the graph to; None for `NAME`.
    changed
        Called with the graph after every change that leaves it without problems.

    Attributes
    ----------
    last_good
        The latest graph without problems; None before the first.
    """

    def __init__(
        self, graph: Graph, name: str | None, changed: Callable[[Graph], None] | None
    ) -> None:
        self.name = name or NAME
        self.last_good: Graph | None = graph if len(graph) else None
        self._changed = changed
        self._status = status.IDLE
        self._closed = False
        self._viewed: tuple[Any, Result | None, dict[str, str]] = (None, None, {})
        self.editor = Editor(graph, self._names)
        self.runner = Runner(self._show_status, self._show_result, self._show_error)
        self.static = StaticOutput(self.view)
        self.canvas = Canvas(kinds=scene.kinds(), layout=Layout(flex="1 1 auto", min_width="0"))
        self.panel = Panel(self.do, self._names)
        self.side = Side(self.panel, lambda: RegisterForm(notebook_names, self._registered))
        self.tables = Tables(self._go_to)
        self.canvas.on_msg(self._on_message)
        self._show_palette()
        self._show()
        _after_cells("register", self._after_cell)

    def close(self) -> None:
        """Cancel the run in progress, and no longer update after cells."""
        self._closed = True
        self.runner.stop()
        self.static.close()
        _after_cells("unregister", self._after_cell)

    def do(self, command: Command) -> str | None:
        """Apply a command; return why it cannot be applied, or None."""
        refused = self.editor.apply(command)
        self._show()
        return refused

    def run(self, until: str | None, **options: Any) -> None:
        """Run the graph, or the part that `until` needs; raise GraphError if that has problems.

        `options` are those of `mm.run`; the default of `max_failed` is the panel's value.
        """
        graph = self.editor.graph
        part = graph if until is None else graph.upto(until)
        problems = [*self.editor.text_problems, *self.editor.problems(part)]
        if not len(part):
            problems.append(Problem("there is nothing to run", allowed="data | step"))
        if problems:
            self._select([problems[0].node] if problems[0].node else [])
            raise GraphError(problems)
        if not self.runner.start(part, **{"max_failed": self.panel.max_failed, **options}):
            raise RunError("a run is already in progress", remedy="stop it, or wait until it ends")

    def check(self, where: Any, probe: bool) -> Any:
        """Check the graph for workers elsewhere; return the findings and show them in the panel."""
        from mmnotebook.clusters.check import check

        graph = self.editor.graph
        found = check(graph, where, probe=probe)
        told = [Problem(f"{one.reason} → {one.remedy}", one.node or None) for one in found.findings]
        self.panel.checked = graph, told
        self._show_selection(self.editor.problems())
        return found

    def take(self, graph: Graph) -> None:
        """Show the variable's current graph; undo restores the previous one."""
        if graph == self.last_good:
            self.editor.bind(graph.bindings)
        else:
            self.editor.take(graph)
        self._show()

    def cell(self, name: str | None) -> str:
        """Return the cell that creates the graph; raise GraphError if the graph is not valid."""
        return _cell_text(self.editor, name or self.name)

    def view(self) -> dict[str, str]:
        """Return the static view; it is drawn again only after changes."""
        editor = self.editor
        with editor.lock:  # only to read the state, not to draw the view
            shown, result = (editor.graph, editor.text, editor.problems()), self.tables.result
        before, drawn_result, made = self._viewed
        if result is not drawn_result or shown != before:
            made = static_view.bundle(*shown, result)
            self._viewed = shown, result, made
        return made

    def _names(self) -> Names:
        return Names(models=registry, given=self.editor.bindings, notebook=notebook_names())

    # Messages from the canvas.

    def _on_message(self, _: Any, content: Any, buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        try:
            self._handle(content)
        except MMError as error:
            self.canvas.notify(str(error), "error")
        except Exception as error:  # noqa: BLE001 - else it would only be logged
            self.canvas.notify(one_line(error), "error")
        finally:
            self.canvas.busy = False

    def _handle(self, content: dict[str, Any]) -> None:
        kind = content.get("type")
        if kind == "command":
            self.editor.handled(str(content["view"]), int(content["number"]))
            self._execute(content["command"])
        elif kind == "insert":
            self.canvas.insert_cell(self.cell(content.get("name")))
        elif kind == "focus_panel":
            self._select(list(content["nodes"]))
            self.panel.focus()

    def _execute(self, command: Command) -> None:
        """Execute a command of a view, and show its effect."""
        if command.get("op") == "select":
            self._select(list(command["nodes"]))
            return
        self.canvas.busy = True
        try:
            self._do(command)
        finally:
            self._show()

    def _do(self, command: Command) -> None:
        """Execute a command of a view, except for `select`."""
        op = command.get("op")
        if op == "run":
            options = {"limit": command.get("limit"), "fresh": bool(command.get("fresh"))}
            self.run(command.get("until"), **options)
        elif op == "stop":
            self.runner.stop()
        elif op == "refresh":
            self._show_palette()
        elif op == "register":
            self.side.open_form()
            self.canvas.send({"type": "form"})  # the view focuses it when it is drawn
        elif op == "example":
            self._load_example()
        else:
            self._edit(command)

    def _edit(self, command: Command) -> None:
        if command.get("op") == "template" and not command.get("fill"):
            command = {**command, "fill": palette.filling(self._names(), str(command["name"]))}
        refused = self.editor.apply(command)
        if refused is not None:
            self.canvas.notify(refused, "error")

    def _load_example(self) -> None:
        loaded = example.load()
        self._show_palette()
        if not len(self.editor.graph):
            self.editor.apply({"op": "template", "name": "ab_split", "fill": loaded.fill})
            self.editor.select(())
        self.canvas.notify(loaded.message)

    def _select(self, names: list[str]) -> None:
        if tuple(names) != self.editor.selection:
            self.editor.select(names)
            self._show_selection(self.editor.problems())
        self._send_selection()

    def _send_selection(self) -> None:
        """Send the selection to the canvas, and the numbers of the last handled commands."""
        with self.canvas.hold_sync():
            self.canvas.selection = list(self.editor.selection)
            self.canvas.seen = dict(self.editor.seen)

    def _go_to(self, node: str) -> None:
        """Select a node and show its elements, even if it was deleted from the graph."""
        self._select([node])
        self.tables.show(node)

    def _registered(self, name: str) -> None:
        self._show_palette()
        self._show()
        self.canvas.notify(f"{name} is registered; it is now in the palette")

    # Updates of the views.

    def _show(self) -> bool:
        """Show the current document in all parts; return whether anything changed."""
        editor = self.editor
        with editor.lock:
            problems, graph = editor.problems(), editor.graph
            made = editor.scene(self.name, problems)
            new = {**made, "revision": 0} != {**self.canvas.scene, "revision": 0}
            with self.canvas.hold_sync():
                if new:
                    self.canvas.scene = made
                self._send_selection()
                self.canvas.status = status.as_of(self._status, self.runner.graph, graph)
            self._show_selection(problems)
        if new:
            self.static.schedule()
        self._report(graph, problems)
        return new

    def _show_selection(self, problems: list[Problem]) -> None:
        editor = self.editor
        with editor.lock:  # so that a newer document is never replaced by an older one
            self.panel.show(editor.document, editor.selection, [*editor.text_problems, *problems])
        for name in self._single():
            self.tables.visit(name)

    def _single(self) -> tuple[str, ...]:
        """Return the selected node if it is the only one; else ()."""
        selection = self.editor.selection
        return selection if len(selection) == 1 else ()

    def _report(self, graph: Graph, problems: list[Problem]) -> None:
        """Call `changed` with the graph if it has changed and has no problems."""
        if self.editor.text_problems or problems or graph == self.last_good:
            return
        self.last_good = graph
        if self._changed is not None:
            try:
                self._changed(graph)
            except Exception as error:  # noqa: BLE001 - the canvas must keep working
                self.canvas.notify(one_line(error), "error")

    def _after_cell(self, *_: Any) -> None:
        """Update after a cell: names may have changed, and it may have run a graph."""
        with suppress(Exception):  # an error here must not be printed in the user's cell
            self._show_palette()
            self._show()
            self.tables.take_latest()
            self.static.flush()

    def _show_palette(self) -> None:
        self.canvas.palette = palette.sections(self._names())

    def _show_status(self, shown: dict[str, Any]) -> None:
        """Show the status of a run; called in the thread of the run."""
        if self._closed:
            return
        self._status = shown
        with self.editor.lock:
            self.canvas.status = status.as_of(shown, self.runner.graph, self.editor.graph)
        if shown["state"] not in ("preparing", "running"):
            self.canvas.send_state("status")  # the last status must be sent even during hold_sync()
            self.static.schedule()

    def _show_error(self, error: MMError) -> None:
        """Show the error of a run; called in the thread of the run."""
        if not self._closed:
            self.canvas.notify(error_text(error), "error")
            self._try_to_show(lambda: self.tables.failed(error))

    def _show_result(self, result: Result) -> None:
        """Show the result of a run; called in the thread of the run."""
        self.tables.result = result
        if not self._closed:
            self._try_to_show(lambda: self.tables.ended(result, self._single()))

    def _try_to_show(self, show: Callable[[], None]) -> None:
        try:
            show()
        except Exception as error:  # noqa: BLE001 - the run itself has not failed
            self.canvas.notify(
                f"the elements or metrics of the run cannot be shown: {one_line(error)}", "error"
            )


def _cell_text(editor: Editor, name: str) -> str:
    """Return the cell that creates the graph; raise GraphError if the graph is not valid."""
    problems = [*editor.text_problems, *editor.problems()]
    if problems:
        raise GraphError(problems)
    known = notebook_names()
    unknown = ", ".join(name for name in editor.graph.bindings if name not in known)
    if unknown:
        problem = Problem(
            "passed to the builder, but not a variable of the notebook", found=unknown
        )
        raise GraphError([problem], remedy=f"assign {unknown} in a cell, then insert this one")
    return f"%%mm_pipeline {name}\n{editor.text}"


def _after_cells(action: str, callback: Callable[..., None]) -> None:
    """Register or unregister a callback after each cell; do nothing outside of IPython."""
    if (ipython := shell()) is not None:
        with suppress(ValueError):  # it is no longer registered
            getattr(ipython.events, action)("post_run_cell", callback)
