"""`Builder`: the widget in which a graph is built, run and looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ipywidgets import HBox, Layout, Tab, VBox

from mmnotebook.analysis.results import Result
from mmnotebook.errors import GraphError, MMError, Problem, one_line
from mmnotebook.graph.editing import texts
from mmnotebook.graph.graph import Graph
from mmnotebook.graph.models import registry
from mmnotebook.graph.names import Names, notebook_names
from mmnotebook.graph.text import pipeline
from mmnotebook.ui.builder import example, palette, scene, static_view, status
from mmnotebook.ui.builder.canvas import Canvas
from mmnotebook.ui.builder.editor import Editor
from mmnotebook.ui.builder.panel import Panel
from mmnotebook.ui.builder.registering import RegisterForm
from mmnotebook.ui.builder.running import Runner
from mmnotebook.ui.builder.showing import StaticOutput, in_a_notebook
from mmnotebook.ui.dashboard import Dashboard
from mmnotebook.ui.inspector import Inspector

Command = Mapping[str, Any]
_HINT = "(the visual builder; execute this cell to open it)"
_NAME = "pipeline"


class Builder(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The visual builder: a canvas, a palette, a panel, the text, runs and what came of them.

    Whatever is done in it is text and Python at every moment: `graph` and `text` are what the
    canvas shows.

    Parameters
    ----------
    graph
        What is edited: a graph, or a pipeline's text; None for an empty canvas. A graph is a
        value: the one that is given stays as it is.
    name
        What the graph is called in a cell that is inserted.
    changed
        Is given the graph after every change that leaves nothing wrong with it.

    Attributes
    ----------
    last_good
        The latest graph with nothing wrong, None before the first.

    Raises
    ------
    GraphError
        When `graph` is neither, or its text is wrong.

    Examples
    --------
    >>> builder = mm.Builder(mm.pipeline('digits["x"] | [mlp, tree]'))
    >>> builder
    >>> builder.graph
    """

    def __init__(
        self,
        graph: Graph | str | None = None,
        *,
        name: str | None = None,
        changed: Callable[[Graph], None] | None = None,
    ) -> None:
        self.name = name
        self.last_good: Graph | None = graph if isinstance(graph, Graph) else None
        self._changed = changed
        self._result: Result | None = None
        self._status = status.IDLE
        self._editor = Editor(_graph(graph), self._names)
        self._runner = Runner(self._tell, self._ended)
        self._static = StaticOutput(self._view)
        self._canvas = Canvas(kinds=scene.kinds(), layout=Layout(flex="1 1 auto", min_width="0"))
        self._panel = Panel(self._edit, self._names)
        self._form = RegisterForm(notebook_names, self._registered)
        self._inspector, self._dashboard = Inspector(), Dashboard()
        super().__init__(self._parts(), layout=Layout(width="100%"))
        self.add_class("mm-studio")
        self._canvas.on_msg(self._heard)
        self._canvas.observe(self._selected, "selection")
        self._palette()
        self._show()
        _after_cells(self._palette)

    def _parts(self) -> list[Any]:
        side = VBox([self._panel, self._form], layout=Layout(flex="0 0 270px", width="270px"))
        tabs = Tab([self._inspector, self._dashboard], titles=("Elements", "Metrics"))
        tabs.layout.width = "100%"
        return [HBox([self._canvas, side], layout=Layout(width="100%")), tabs]

    @property
    def graph(self) -> Graph:
        """The graph as it stands; it may be incomplete, see `problems`."""
        return self._editor.graph

    @property
    def text(self) -> str:
        """The pipeline's text; what nothing flows into yet begins with `...`."""
        return self._editor.text

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with the graph; [] when it can run."""
        return self._editor.problems()

    @property
    def result(self) -> Result | None:
        """What the latest run gave, None before the first."""
        return self._result

    def undo(self) -> None:
        """Take back the latest change."""
        self._do({"op": "undo"})

    def redo(self) -> None:
        """Do again what was taken back."""
        self._do({"op": "redo"})

    def edit(self, op: str, **fields: Any) -> None:
        """Do what the canvas does with a command, such as `edit("connect", source="a", ...)`.

        Raises
        ------
        GraphError
            When it cannot be done.
        """
        refused = self._do({"op": op, **fields})
        if refused is not None:
            raise GraphError([Problem(refused)])

    def run(
        self, *, until: str | None = None, limit: int | None = None, fresh: bool = False
    ) -> None:
        """Run the graph in the background; `wait` waits for it.

        Parameters
        ----------
        until
            Run only what this node needs, the node included.
        limit
            Take only the first `limit` elements of each source.
        fresh
            Compute every node, whatever is in the cache.

        Raises
        ------
        GraphError
            When something is wrong with what is to run.
        """
        part = self.graph if until is None else self.graph.upto(until)
        wrong = [*self._editor.wrong, *texts.problems(part, self._names())]
        if not len(part):
            wrong.append(Problem("there is nothing to run", allowed="data | step"))
        if wrong:
            self._select([wrong[0].node] if wrong[0].node else [])
            raise GraphError(wrong)
        self._runner.start(part, limit=limit, fresh=fresh)

    def stop(self) -> None:
        """Stop the run that goes on; what its nodes have finished is kept."""
        self._runner.stop()

    def wait(self, timeout: float | None = None) -> Result | None:
        """Wait until no run goes on, `timeout` seconds at most; the latest result."""
        self._runner.wait(timeout)
        return self._result

    def cell(self, name: str | None = None) -> str:
        """The `%%mm_pipeline` cell that makes this graph.

        Raises
        ------
        GraphError
            When something is wrong with the graph.
        """
        wrong = [*self._editor.wrong, *self.problems]
        if wrong:
            raise GraphError(wrong)
        return f"%%mm_pipeline {name or self.name or _NAME}\n{self.text}"

    def _names(self) -> Names:
        return Names(models=registry, given=self._editor.bindings, notebook=notebook_names())

    # What the canvas says.

    def _heard(self, _: Any, content: Any, buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        self._canvas.busy = True
        try:
            self._answer(content)
        except MMError as error:
            self._canvas.say(str(error), "error")
        except Exception as error:  # noqa: BLE001 - it would end in the kernel's log, unseen
            self._canvas.say(one_line(error), "error")
        finally:
            self._canvas.busy = False

    def _answer(self, content: dict[str, Any]) -> None:
        kind = content.get("type")
        if kind == "command":
            self._editor.seen[str(content["view"])] = int(content["number"])
            try:
                self._ask(content["command"])
            finally:
                self._show()
        elif kind == "insert":
            self._canvas.insert_cell(self.cell(content.get("name")))
        elif kind == "focus_panel":
            self._panel.focus()

    def _ask(self, command: Command) -> None:
        """Do what a view asks for; a refusal is shown there."""
        op = command.get("op")
        if op == "run":
            words = {name: command.get(name) for name in ("until", "limit")}
            self.run(**words, fresh=bool(command.get("fresh")))
        elif op == "stop":
            self.stop()
        elif op == "refresh":
            self._palette()
        elif op == "register":
            self._form.open()
        elif op == "example":
            self._example()
        elif (refused := self._editor.apply(command)) is not None:
            self._canvas.say(refused, "error")

    def _example(self) -> None:
        made = example.load()
        self._palette()
        if not len(self.graph):
            self._editor.apply({"op": "template", "name": "ab_split", "fill": made.fill})
            self._editor.apply({"op": "arrange"})
        self._canvas.say(made.said)

    # What the panel and Python say.

    def _edit(self, command: dict[str, Any]) -> str | None:
        return self._do(command)

    def _do(self, command: Command) -> str | None:
        refused = self._editor.apply(command)
        self._show()
        return refused

    def _registered(self, name: str) -> None:
        self._palette()
        self._show()
        self._canvas.say(f"{name} is registered; it stands in the palette now")

    def _selected(self, change: Any) -> None:
        self._editor.select(change["new"])
        self._show_selection()

    def _select(self, names: list[str]) -> None:
        self._editor.select(names)
        self._canvas.selection = list(self._editor.selection)

    # What is shown.

    def _show(self) -> None:
        """Show the document as it stands, everywhere."""
        with self._editor.lock, self._canvas.hold_sync():
            self._canvas.scene = self._editor.scene(self.name or _NAME)
            self._canvas.selection = list(self._editor.selection)
            self._canvas.status = status.as_of(self._status, self._runner.graph, self.graph)
        self._show_selection()
        self._static.renew()
        self._hand_on()

    def _hand_on(self) -> None:
        """Give the graph to whoever follows it, once nothing is wrong with it."""
        if self._editor.wrong or self.problems or self.graph == self.last_good:
            return
        self.last_good = self.graph
        if self._changed is not None:
            try:
                self._changed(self.graph)
            except Exception as error:  # noqa: BLE001 - it must not keep the canvas from changing
                self._canvas.say(one_line(error), "error")

    def _show_selection(self) -> None:
        selection = self._editor.selection
        self._panel.show(self._editor.document, selection, self.problems)
        if len(selection) == 1 and self._result is not None and selection[0] in self._result:
            self._inspector.show(self._result, selection[0])

    def _palette(self, *_: Any) -> None:
        self._canvas.palette = palette.sections(self._names())

    def _tell(self, shown: dict[str, Any]) -> None:
        self._status = shown
        self._canvas.status = status.as_of(shown, self._runner.graph, self.graph)
        if shown["state"] not in ("preparing", "running"):
            self._static.renew()

    def _ended(self, result: Result) -> None:
        self._result = result
        self._dashboard.add(result)
        wanted = [name for name in self._editor.selection if name in result]
        self._inspector.show(result, (wanted or list(result.keys())[-1:])[0])

    def _view(self) -> dict[str, str]:
        with self._editor.lock:
            return static_view.bundle(self.graph, self.text, self.problems, self._result)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if in_a_notebook():
            display({**self._repr_mimebundle_(), "text/plain": _HINT}, raw=True)
            self._static.display()
        else:
            display(self._view(), raw=True)

    def __repr__(self) -> str:
        return f"Builder({self.text!r})"


def _graph(given: Graph | str | None) -> Graph:
    if given is None:
        return Graph()
    if isinstance(given, str):
        return pipeline(given)
    if isinstance(given, Graph):
        return given
    problem = Problem("a builder edits a graph", found=repr(given))
    raise GraphError([problem], remedy="mm.Builder(mm.pipeline('data | model')), or mm.Builder()")


def _after_cells(do: Callable[..., None]) -> None:
    """Have something done after every cell that is executed, where there are cells."""
    import sys

    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    if shell is not None:
        shell.events.register("post_run_cell", do)
