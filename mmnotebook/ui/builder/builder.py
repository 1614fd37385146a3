"""`Builder`: the widget in which a graph is built, run and inspected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from ipywidgets import HBox, Layout, VBox

from mmnotebook.compat.ipywidgets import is_open
from mmnotebook.errors import GraphError, Problem, shown
from mmnotebook.graph.graph import Graph
from mmnotebook.notation.text import bound
from mmnotebook.results.results import Result
from mmnotebook.ui.builder.studio import Studio
from mmnotebook.ui.common.close_widgets import discard

_HINT = "(the visual builder; execute this cell to open it)"


class Builder(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The visual builder: canvas, palette, panel, pipeline text, runs and their results.

    Every edit is available as text and in Python: `graph` and `text` match the canvas.

    Parameters
    ----------
    graph
        The graph to edit, or a pipeline's text; None (the default) for an empty canvas. The graph
        that is passed is not modified.
    name
        The variable that an inserted cell assigns the graph to.
    changed
        A function that is called with the graph after every edit that leaves it valid.

    Raises
    ------
    GraphError
        If `graph` is neither a graph nor a valid text.

    See Also
    --------
    pipeline : Create a graph from its text.
    run : Run a graph.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> builder = mm.Builder()
    >>> builder.edit("add", kind="vote")
    >>> builder.text
    '... | vote()'
    >>> builder.undo()
    >>> builder.graph.names
    ()
    """

    def __init__(
        self,
        graph: Graph | str | None = None,
        *,
        name: str | None = None,
        changed: Callable[[Graph], None] | None = None,
    ) -> None:
        self._studio = studio = Studio(_graph(graph), name, changed)
        upper = HBox([studio.canvas, studio.side], layout=Layout(width="100%"))
        upper.add_class("mm-upper")
        super().__init__([upper, studio.tables.tab], layout=Layout(width="100%"))
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
        """Undo the latest change; do nothing if there is none.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> builder = mm.Builder()
        >>> builder.edit("add", kind="vote")
        >>> builder.undo()
        >>> builder.graph.names
        ()
        """
        self._studio.do({"op": "undo"})

    def redo(self) -> None:
        """Redo the change that was undone last; do nothing if there is none.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> builder = mm.Builder()
        >>> builder.edit("add", kind="vote")
        >>> builder.undo()
        >>> builder.redo()
        >>> builder.graph.names
        ('vote',)
        """
        self._studio.do({"op": "redo"})

    def edit(self, op: str, **fields: Any) -> None:
        """Apply a canvas command, such as `edit("connect", source="a", port=None, target="b")`.

        Places are (x, y), the top-left corner of a node, in pixels. Wires are (source, port,
        target); the port is None if the source has a single output.

        ==========  ==============================================================================
        op          fields; those in brackets are optional
        ==========  ==============================================================================
        add         kind [params, after=(source, port), at]: a step, next to its input
        template    name, fill={data, models, function} [at]: one of the patterns of the palette
        connect     source, port, target [old=a wire that is replaced]
        disconnect  wires
        remove      nodes, wires
        move        places={node: place}
        arrange     [nodes]
        rename      old, new: a node or a group
        configure   node, params={name: value}; None removes a parameter
        wire        source, port, target [key, select, label]: the fields and the key of a wire
        gather      node, gather: "join" or "union"
        group       name, nodes, gather
        ungroup     name
        paste       clip [at]
        text        text: the whole pipeline
        undo, redo
        ==========  ==============================================================================

        Parameters
        ----------
        op
            The name of the command.
        **fields
            The fields of the command.

        Raises
        ------
        GraphError
            If the command cannot be applied; then nothing is changed.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> builder = mm.Builder('read("rows.csv") | write("out.csv")')
        >>> builder.edit("rename", old="read", new="rows")
        >>> print(builder.text)
        rows = read("rows.csv")
        rows | write("out.csv")
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
            Run only this node and the nodes that it needs. Default: all nodes.
        limit
            Use only the first `limit` elements of each source. Default: all.
        fresh
            Recompute every node, also cached ones.
        max_failed
            The share of a node's elements, from 0 to 1, that may fail without failing the run.
            None (the default) uses the panel's value, which is 0.1 at first.

        Raises
        ------
        GraphError
            If the nodes to run have problems.
        RunError
            If a run of this builder is in progress.

        See Also
        --------
        wait : Wait for the run and return its result.
        stop : Cancel the run.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> def double(x):
        ...     return 2 * x
        >>> graph = mm.pipeline("numbers | double", numbers=[1, 2, 3], double=double)
        >>> builder = mm.Builder(graph)
        >>> builder.run(limit=2)
        >>> builder.wait(timeout=60)["double"]["value"].tolist()
        [2, 4]
        """
        options = {} if max_failed is None else {"max_failed": max_failed}
        self._studio.run(until, limit=limit, fresh=fresh, **options)

    def stop(self) -> None:
        """Cancel the current run; the outputs of finished nodes stay in the cache.

        Do nothing if no run is in progress.

        See Also
        --------
        run : Start a run.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.pipeline("numbers | double", numbers=[1], double=lambda x: 2 * x)
        >>> builder = mm.Builder(graph)
        >>> builder.run()
        >>> _ = builder.wait(timeout=60)
        >>> builder.stop()
        >>> builder.result["double"]["value"].tolist()
        [2]
        """
        self._studio.runner.stop()

    def wait(self, timeout: float | None = None) -> Result | None:
        """Wait until no run is in progress.

        Parameters
        ----------
        timeout
            The maximum number of seconds to wait; None (the default) waits until the run ends.

        Returns
        -------
        Result or None
            The latest result; None before the first.

        See Also
        --------
        run : Start a run.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> builder = mm.Builder()
        >>> print(builder.wait())
        None
        """
        self._studio.runner.wait(timeout)
        return self.result

    def check(self, where: Any = None, *, probe: bool = False) -> Any:
        """Check the graph for workers elsewhere; the panel shows what is found.

        Parameters
        ----------
        where
            Where the graph will run: `mm.cluster(...)`; None for any workers elsewhere.
        probe
            Run a pipeline of one element, which asks a worker for its packages and memory.

        Returns
        -------
        Readiness
            The findings. The panel shows them until the graph changes.

        Raises
        ------
        GraphError, ModelError, RunError
            If the graph is not valid, or a name is unknown.

        See Also
        --------
        mmnotebook.check : The same for a graph.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.pipeline("numbers | double", numbers=[1], double=lambda x: 2 * x)
        >>> mm.Builder(graph).check()
        ready: no findings
        """
        return self._studio.check(where, probe)

    def cell(self, name: str | None = None) -> str:
        """Return the `%%mm_pipeline` cell that creates this graph.

        Parameters
        ----------
        name
            The variable that the cell assigns; None (the default) for the builder's `name`.

        Returns
        -------
        str
            The text of the cell.

        Raises
        ------
        GraphError
            If the graph has problems, or uses objects that are not variables of the notebook.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> builder = mm.Builder('read("rows.csv") | write("out.csv")')
        >>> print(builder.cell("copied"))
        %%mm_pipeline copied
        read("rows.csv") | write("out.csv")
        """
        return self._studio.cell(name)

    def take(self, graph: Graph) -> None:
        """Replace the edited graph; `undo` restores the previous one.

        If `graph` equals `last_good`, the latest valid graph, later edits are kept.

        Parameters
        ----------
        graph
            The graph to edit, or a pipeline's text.

        Raises
        ------
        GraphError
            If `graph` is neither a graph nor a valid text.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> builder = mm.Builder()
        >>> builder.take('read("rows.csv") | write("out.csv")')
        >>> builder.text
        'read("rows.csv") | write("out.csv")'
        """
        self._studio.take(_graph(graph))

    def close(self) -> None:
        """Close the widget and cancel its run; `graph` and `text` remain available.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> builder = mm.Builder('read("rows.csv") | write("out.csv")')
        >>> builder.close()
        >>> builder.text
        'read("rows.csv") | write("out.csv")'
        """
        self._studio.close()
        for part in (*self.children, self.layout):
            discard(part)
        super().close()

    def __del__(self) -> None:
        """Do nothing, as this is called only when Python exits: ipywidgets keeps open widgets."""

    def _ipython_display_(self) -> None:
        self._studio.static.show(self, _HINT)

    def __repr__(self) -> str:
        return f"Builder({self.text!r})"


def _graph(graph: Any) -> Graph:
    if graph is None:
        return Graph()
    if isinstance(graph, str):
        text = repr(graph) if "\n" not in graph else "..."
        return bound(graph, {}, lambda more: f"mm.Builder(mm.pipeline({text}, {more}))")
    if isinstance(graph, Graph):
        return graph
    problem = Problem("a builder takes a graph", found=shown(graph))
    raise GraphError([problem], remedy="mm.Builder(mm.pipeline('data | model')), or mm.Builder()")


_open: WeakValueDictionary[str, Builder] = WeakValueDictionary()
"""The builders that `%mm_builder` opened, by variable."""


def opened(name: str, graph: Graph | None, changed: Callable[[Graph], None]) -> Builder:
    """Return the open builder of a variable, updated to its graph, or create one.

    Parameters
    ----------
    name
        The name of the variable.
    graph
        Its graph; None if there is no such variable.
    changed
        Called with the graph after every change that leaves it without problems.
    """
    before = _open.get(name)
    if before is not None and is_open(before):
        if graph is not None:
            before.take(graph)
        return before
    builder = Builder(graph, name=name, changed=changed)
    _open[name] = builder
    return builder
