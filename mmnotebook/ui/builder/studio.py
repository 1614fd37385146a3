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
from mmnotebook.results.results import Result
from mmnotebook.ui.builder import cells, example, palette, scene, static_view, status
from mmnotebook.ui.builder.background_runs import Runner, said
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
        The graph's name in a cell that is inserted; None for `NAME`.
    changed
        Called with the graph after every change that leaves it without problems.

    Attributes
    ----------
    last_good
        The latest graph without problems, None before the first.
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
        self.runner = Runner(self._tell, self._ended, self._failed)
        self.static = StaticOutput(self.view)
        self.canvas = Canvas(kinds=scene.kinds(), layout=Layout(flex="1 1 auto", min_width="0"))
        self.panel = Panel(self.do, self._names)
        self.side = Side(self.panel, lambda: RegisterForm(notebook_names, self._registered))
        self.tables = Tables(self._go)
        self.canvas.on_msg(self._heard)
        self._palette()
        self._show()
        cells.after_each("register", self._after_cell)

    def close(self) -> None:
        """Stop the run in progress, and no longer react to cells."""
        self._closed = True
        self.runner.stop()
        self.static.close()
        cells.after_each("unregister", self._after_cell)

    def do(self, command: Command) -> str | None:
        """Apply a command; return why it cannot be applied, or None."""
        refused = self.editor.apply(command)
        self._show()
        return refused

    def run(self, until: str | None, **how: Any) -> None:
        """Run the graph, or the part that `until` needs; raise GraphError if that has problems.

        `how` is passed to `mm.run`; without `max_failed` in it, the panel's is used.
        """
        graph = self.editor.graph
        part = graph if until is None else graph.upto(until)
        wrong = [*self.editor.wrong, *self.editor.problems(part)]
        if not len(part):
            wrong.append(Problem("there is nothing to run", allowed="data | step"))
        if wrong:
            self._select([wrong[0].node] if wrong[0].node else [])
            raise GraphError(wrong)
        if not self.runner.start(part, **{"max_failed": self.panel.max_failed, **how}):
            raise RunError("a run is already in progress", remedy="stop it, or wait until it ends")

    def take(self, graph: Graph) -> None:
        """Show the variable's current graph; undo brings back what was built."""
        if graph == self.last_good:
            self.editor.bind(graph.bindings)
        else:
            self.editor.take(graph)
        self._show()

    def cell(self, name: str | None) -> str:
        """Return the cell that creates the graph; raise GraphError if the graph is not valid."""
        return cells.text_of(self.editor, name or self.name)

    def view(self) -> dict[str, str]:
        """Return the view without a kernel, which is redrawn only after changes."""
        editor = self.editor
        with editor.lock:  # only to read the state, not to draw it
            shown, result = (editor.graph, editor.text, editor.problems()), self.tables.result
        before, of, made = self._viewed
        if result is not of or shown != before:
            made = static_view.bundle(*shown, result)
            self._viewed = shown, result, made
        return made

    def _names(self) -> Names:
        return Names(models=registry, given=self.editor.bindings, notebook=notebook_names())

    # Messages from the canvas.

    def _heard(self, _: Any, content: Any, buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        try:
            self._answer(content)
        except MMError as error:
            self.canvas.say(str(error), "error")
        except Exception as error:  # noqa: BLE001 - it would only be in the kernel's log
            self.canvas.say(one_line(error), "error")
        finally:
            self.canvas.busy = False

    def _answer(self, content: dict[str, Any]) -> None:
        kind = content.get("type")
        if kind == "command":
            self.editor.handled(str(content["view"]), int(content["number"]))
            self._ask(content["command"])
        elif kind == "insert":
            self.canvas.insert_cell(self.cell(content.get("name")))
        elif kind == "focus_panel":
            self._select(list(content["nodes"]))
            self.panel.focus()

    def _ask(self, command: Command) -> None:
        """Execute a view's command, and show its effect."""
        if command.get("op") == "select":
            self._select(list(command["nodes"]))
            return
        self.canvas.busy = True
        try:
            self._do(command)
        finally:
            self._show()

    def _do(self, command: Command) -> None:
        """Execute a view's command; show in the view why it is refused."""
        op = command.get("op")
        if op == "run":
            how = {"limit": command.get("limit"), "fresh": bool(command.get("fresh"))}
            self.run(command.get("until"), **how)
        elif op == "stop":
            self.runner.stop()
        elif op == "refresh":
            self._palette()
        elif op == "register":
            self.side.open_form()
            self.canvas.send({"type": "form"})  # to focus it once it is drawn
        elif op == "example":
            self._example()
        else:
            self._edit(command)

    def _edit(self, command: Command) -> None:
        if command.get("op") == "template" and not command.get("fill"):
            command = {**command, "fill": palette.filling(self._names(), str(command["name"]))}
        refused = self.editor.apply(command)
        if refused is not None:
            self.canvas.say(refused, "error")

    def _example(self) -> None:
        made = example.load()
        self._palette()
        if not len(self.editor.graph):
            self.editor.apply({"op": "template", "name": "ab_split", "fill": made.fill})
            self.editor.select(())
        self.canvas.say(made.said)

    def _select(self, names: list[str]) -> None:
        if tuple(names) != self.editor.selection:
            self.editor.select(names)
            self._show_selection(self.editor.problems())
        self._show_chosen()

    def _show_chosen(self) -> None:
        """Send the selection to the canvas, and the numbers of the last commands handled."""
        with self.canvas.hold_sync():
            self.canvas.selection = list(self.editor.selection)
            self.canvas.seen = dict(self.editor.seen)

    def _go(self, node: str) -> None:
        """Select the node that a row of a trace names, and show its elements, deleted or not."""
        self._select([node])
        self.tables.show(node)

    def _registered(self, name: str) -> None:
        self._palette()
        self._show()
        self.canvas.say(f"{name} is registered; it is now in the palette")

    # What is shown.

    def _show(self) -> bool:
        """Show the current document everywhere; return whether anything was new."""
        editor = self.editor
        with editor.lock:
            problems, graph = editor.problems(), editor.graph
            made = editor.scene(self.name, problems)
            new = {**made, "revision": 0} != {**self.canvas.scene, "revision": 0}
            with self.canvas.hold_sync():
                if new:
                    self.canvas.scene = made
                self._show_chosen()
                self.canvas.status = status.as_of(self._status, self.runner.graph, graph)
            self._show_selection(problems)
        if new:
            self.static.schedule()
        self._hand_on(graph, problems)
        return new

    def _show_selection(self, problems: list[Problem]) -> None:
        editor = self.editor
        with editor.lock:  # so that no older document is shown after a newer one
            self.panel.show(editor.document, editor.selection, [*editor.wrong, *problems])
        for name in self._single():
            self.tables.visit(name)

    def _single(self) -> tuple[str, ...]:
        """Return the selected node, if it is a single one."""
        selection = self.editor.selection
        return selection if len(selection) == 1 else ()

    def _hand_on(self, graph: Graph, problems: list[Problem]) -> None:
        """Call `changed` with the graph once it has no problems."""
        if self.editor.wrong or problems or graph == self.last_good:
            return
        self.last_good = graph
        if self._changed is not None:
            try:
                self._changed(graph)
            except Exception as error:  # noqa: BLE001 - the canvas must go on working
                self.canvas.say(one_line(error), "error")

    def _after_cell(self, *_: Any) -> None:
        """Update after a cell: names may have changed, and it may have run a graph."""
        with suppress(Exception):  # an error here must not show up in the user's cell
            self._palette()
            self._show()
            self.tables.take_latest()
            self.static.flush()

    def _palette(self) -> None:
        self.canvas.palette = palette.sections(self._names())

    def _tell(self, shown: dict[str, Any]) -> None:
        """Show the status of a run; called in its thread."""
        if self._closed:
            return
        self._status = shown
        with self.editor.lock:
            self.canvas.status = status.as_of(shown, self.runner.graph, self.editor.graph)
        if shown["state"] not in ("preparing", "running"):
            self.canvas.send_state("status")  # the last status is sent even during a hold
            self.static.schedule()

    def _failed(self, error: MMError) -> None:
        """Show the error of a run; called in its thread."""
        if not self._closed:
            self.canvas.say(said(error), "error")
            self._shown(lambda: self.tables.failed(error))

    def _ended(self, result: Result) -> None:
        """Show the result of a run; called in its thread."""
        self.tables.result = result
        if not self._closed:
            self._shown(lambda: self.tables.ended(result, self._single()))

    def _shown(self, show: Callable[[], None]) -> None:
        try:
            show()
        except Exception as error:  # noqa: BLE001 - the run itself has not failed
            self.canvas.say(f"its elements or metrics cannot be shown: {one_line(error)}", "error")
