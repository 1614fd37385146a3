"""The editing session: document, history, text and selection; no widget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from mmnotebook.editing import commands, node_positions, texts
from mmnotebook.editing.document import Document, Edit
from mmnotebook.editing.history import History
from mmnotebook.errors import GraphError, Problem
from mmnotebook.graph.graph import Graph, rebound
from mmnotebook.graph.names import Names
from mmnotebook.steps import shapes
from mmnotebook.steps.shapes import Shape
from mmnotebook.ui.builder import scene

Command = Mapping[str, Any]
_TYPING = "typing"
VIEWS, _NAMED = 32, 64
"""The maximum number of views (one per loaded page) whose commands are counted, and the maximum
length of a view's name."""


class Editor:
    """A document that is edited with commands from the canvas, the panel, the text and Python.

    Parameters
    ----------
    graph
        The graph to edit.
    names
        Returns the current lookup of names.

    Attributes
    ----------
    lock
        Held during changes, and while several attributes are read together, as commands can come
        from any thread.
    selection
        The names of the selected nodes.
    seen
        The number of the last handled command, by view.
    """

    def __init__(self, graph: Graph, names: Callable[[], Names]) -> None:
        self.lock = threading.RLock()
        self.names = names
        self.selection: tuple[str, ...] = ()
        self.seen: dict[str, int] = {}
        self._history = History(Document.of(graph))
        self._typed: str | None = None
        self._text_problems: Sequence[Problem] = ()
        self._dropped: tuple[Document, str, Sequence[Problem]] | None = None
        self._revision = 0
        graph = self.document.graph
        self._bare = graph, graph

    @property
    def document(self) -> Document:
        return self._history.document

    @property
    def graph(self) -> Graph:
        """The document's graph, with only the bindings that it uses."""
        graph = self.document.graph
        if self._bare[0] is not graph:
            used = {name for node in graph for name in (*node.data, *node.functions)}
            bindings = {n: v for n, v in graph.bindings.items() if n in used}
            self._bare = graph, rebound(graph, bindings)
        return self._bare[1]

    @property
    def bindings(self) -> Mapping[str, Any]:
        """The objects bound to names, which take precedence over the notebook's variables."""
        return self.document.graph.bindings

    @property
    def text_problems(self) -> Sequence[Problem]:
        """The problems of an invalid typed text; () if the text is that of the graph."""
        return self._text_problems

    @property
    def text(self) -> str:
        """The pipeline's text: canonical, or as it was typed if that is not valid."""
        return self._typed if self._typed is not None else texts.written(self.graph)

    def problems(self, part: Graph | None = None) -> list[Problem]:
        """Return the problems of the graph or a part of it, including unknown names and fields."""
        return texts.problems(self.graph if part is None else part, self.names(), _of_data)

    def handled(self, view: str, number: int) -> None:
        """Record that a view's command was handled, whether it succeeded or not."""
        with self.lock:
            self.seen.pop(view[:_NAMED], None)
            self.seen[view[:_NAMED]] = number
            for name in [*self.seen][:-VIEWS]:
                del self.seen[name]

    def apply(self, command: Command) -> str | None:
        """Apply a command; return why it cannot be applied, or None."""
        with self.lock:
            try:
                self._do(command)
            except GraphError as error:
                if command.get("op") != "text":
                    return error.message
                self._typed, self._text_problems = str(command.get("text")), error.problems
            return None

    def _do(self, command: Command) -> None:
        op, before = command.get("op"), self.document
        if op == "undo" and self._typed is not None:
            edit = None
        elif op in ("undo", "redo"):
            edit = self._history.undo() if op == "undo" else self._history.redo()
        else:
            edit = commands.apply(before, command, self.names())
            self._history.do(edit)
        self._update_text(op, before)
        if edit is not None:
            wanted = self.selection if edit.selection is None else edit.selection
            self.selection = tuple(name for name in wanted if name in self.document.graph)

    def _update_text(self, op: Any, before: Document) -> None:
        """Discard an invalid text when the canvas changes the graph; undo restores it."""
        if self._typed is not None and op not in ("undo", "text"):
            if self.document.graph == before.graph:
                return  # only positions changed, which are not in the text
            self._dropped = before, self._typed, self._text_problems
        self._typed, self._text_problems = None, ()
        if op == "undo" and self._dropped is not None and self._dropped[0] is self.document:
            if before is not self.document:
                _, self._typed, self._text_problems = self._dropped
            self._dropped = None

    def take(self, graph: Graph) -> None:
        """Replace the graph and its bindings; undo restores the previous ones."""
        with self.lock:
            before = self.document
            places = node_positions.completed(Document.of(graph).graph, before.places)
            self._history.do(Edit(Document(graph, places), "load the variable's graph"))
            self._update_text("take", before)
            self.select(self.selection)

    def bind(self, objects: Mapping[str, Any]) -> None:
        """Replace the bindings of the graph."""
        with self.lock:
            graph = rebound(self.document.graph, objects)
            self._history.document = replace(self.document, graph=graph)

    def select(self, names: Sequence[str]) -> None:
        """Select nodes by name; unknown names are ignored."""
        with self.lock:
            self.selection = tuple(name for name in names if name in self.document.graph)

    def scene(self, name: str | None, problems: Sequence[Problem]) -> dict[str, Any]:
        """Return the scene that the canvas shows.

        Parameters
        ----------
        name
            The variable that holds the graph.
        problems
            The problems of the graph.
        """
        with self.lock:
            self._revision += 1
            return {
                "revision": self._revision,
                "name": name,
                "nodes": scene.nodes(self.document, problems, self.names()),
                "groups": scene.groups(self.document),
                "text": self.text,
                "textProblems": scene.listed(self._text_problems),
                "problems": scene.listed(problems),
                "undo": self._history.undoable if self._typed is None else _TYPING,
                "redo": self._history.redoable,
            }


def _of_data(value: Any) -> Shape:
    """Return the shape of the elements of data; for paths, read it from the files."""
    if not isinstance(value, (str, PurePath)):
        return shapes.of_data(value)
    from mmnotebook.sources import fields

    return fields.of_data(value)
