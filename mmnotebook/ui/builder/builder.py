"""`Builder`: the widget in which a graph is built, run and inspected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipywidgets import HBox, Layout, VBox

from mmnotebook.errors import GraphError, Problem, shown
from mmnotebook.graph.graph import Graph
from mmnotebook.notation.text import bound
from mmnotebook.results.results import Result
from mmnotebook.ui.builder.studio import Studio
from mmnotebook.ui.common.closing import discard

_HINT = "(the visual builder; execute this cell to open it)"


class Builder(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The visual builder: canvas, palette, panel, pipeline text, runs and their results.

    Every edit is available as text and in Python: `graph` and `text` match
    the canvas.

    Parameters
    ----------
    graph
        The graph to edit, or a pipeline's text; None (the default) for an empty canvas. The graph
        that is passed is not modified.
    name
        The name of the graph in a cell that is inserted.
    changed
        A function that is called with the graph after every edit that leaves it valid.

    Raises
    ------
    GraphError
        If `graph` is neither, or its text is not valid.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> builder = mm.Builder()
    >>> builder.edit("add", kind="vote")
    >>> builder.text
    '... | vote()'
    """

    def __init__(
        self,
        graph: Graph | str | None = None,
        *,
        name: str | None = None,
        changed: Callable[[Graph], None] | None = None,
    ) -> None:
        self._studio = studio = Studio(_graph(graph), name, changed)
        above = HBox([studio.canvas, studio.side], layout=Layout(width="100%"))
        above.add_class("mm-upper")
        super().__init__([above, studio.tables.tab], layout=Layout(width="100%"))
        self.add_class("mm-studio")

    @property
    def graph(self) -> Graph:
        """The current graph; it may be incomplete, see `problems`."""
        return self._studio.editor.graph

    @property
    def last_good(self) -> Graph | None:
        """The latest valid graph; None before the first."""
        return self._studio.last_good

    @property
    def text(self) -> str:
        """The pipeline's text; steps without an input begin with `...`."""
        return self._studio.editor.text

    @property
    def problems(self) -> list[Problem]:
        """The problems of the graph; [] if it can run."""
        return self._studio.editor.problems()

    @property
    def result(self) -> Result | None:
        """The result of the latest run; None before the first."""
        return self._studio.tables.result

    @property
    def selection(self) -> tuple[str, ...]:
        """The names of the selected nodes."""
        return self._studio.editor.selection

    def undo(self) -> None:
        """Undo the latest change."""
        self._studio.do({"op": "undo"})

    def redo(self) -> None:
        """Redo the change that was undone last."""
        self._studio.do({"op": "redo"})

    def edit(self, op: str, **fields: Any) -> None:
        """Run a canvas command, such as `edit("connect", source="a", port=None, target="b")`.

        Places are (x, y), the top-left corner of a node; wires are (source, port, target), the
        port None for an only output.

        ==========  ==============================================================================
        op          fields; those in brackets can be left out
        ==========  ==============================================================================
        add         kind [params, after=(source, port), at]: a step, beside what it comes after
        template    name, fill={data, models, function} [at]: one of the patterns of the palette
        connect     source, port, target [old=a wire that is replaced]
        disconnect  wires
        remove      nodes, wires
        move        places={node: place}
        arrange     [nodes]
        rename      old, new: a node or a group
        configure   node, params={name: value}; None is one that is not given
        wire        source, port, target [key, select, label]: what flows through a wire
        gather      node, gather: "join" or "union"
        group       name, nodes, gather
        ungroup     name
        paste       clip [at]
        text        text: the whole pipeline
        undo, redo
        ==========  ==============================================================================

        Raises
        ------
        GraphError
            When it cannot be done; nothing is changed then.
        """
        refused = self._studio.do({"op": op, **fields})
        if refused is not None:
            raise GraphError([Problem(refused)])

    def run(
        self,
        *,
        until: str | None = None,
        limit: int | None = None,
        fresh: bool = False,
        max_failed: float | None = None,
    ) -> None:
        """Start a run of the graph in the background; `wait` waits for it.

        Parameters
        ----------
        until
            Run only what this node needs, the node included.
        limit
            Take only the first `limit` elements of each source.
        fresh
            Compute every node, whatever is in the cache.
        max_failed
            The share of a node's elements, from 0 to 1, that may fail before the run counts as
            failed; None for what the panel says, 0.1 at first.

        Raises
        ------
        GraphError
            When something is wrong with what is to run.
        RunError
            When a run of this builder goes on.
        """
        most = {} if max_failed is None else {"max_failed": max_failed}
        self._studio.run(until, limit=limit, fresh=fresh, **most)

    def stop(self) -> None:
        """Cancel the current run; the results of finished nodes are kept."""
        self._studio.runner.stop()

    def wait(self, timeout: float | None = None) -> Result | None:
        """Wait up to `timeout` seconds until no run is active; return the latest result."""
        self._studio.runner.wait(timeout)
        return self.result

    def cell(self, name: str | None = None) -> str:
        """Return the `%%mm_pipeline` cell that creates this graph.

        Raises
        ------
        GraphError
            When something is wrong with the graph, or it uses objects that were given and are no
            variables of the notebook.
        """
        return self._studio.cell(name)

    def take(self, graph: Graph) -> None:
        """Replace the edited graph by this one; `undo` restores the previous graph.

        What is being built stays when the graph is the latest that had nothing wrong, `last_good`.

        Raises
        ------
        GraphError
            When it is no graph, or one with faults.
        """
        self._studio.take(_graph(graph))

    def close(self) -> None:
        """Close the widget and cancel its run; the graph is kept."""
        self._studio.close()
        for part in (*self.children, self.layout):
            discard(part)
        super().close()

    def __del__(self) -> None:
        """Close nothing: until they are closed widgets are kept, so that this is Python's end."""

    def _ipython_display_(self) -> None:
        self._studio.static.show(self, _HINT)

    def __repr__(self) -> str:
        return f"Builder({self.text!r})"


def _graph(given: Any) -> Graph:
    if given is None:
        return Graph()
    if isinstance(given, str):
        text = repr(given) if "\n" not in given else "..."
        return bound(given, {}, lambda more: f"mm.Builder(mm.pipeline({text}, {more}))")
    if isinstance(given, Graph):
        return given
    problem = Problem("a builder takes a graph", found=shown(given))
    raise GraphError([problem], remedy="mm.Builder(mm.pipeline('data | model')), or mm.Builder()")
