"""The editing session: one document, its history, its text and its selection; no widget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from mmnotebook.editing import commands, placing, texts
from mmnotebook.editing.document import Document, Edit
from mmnotebook.editing.history import History
from mmnotebook.errors import GraphError, Problem
from mmnotebook.graph.graph import Graph
from mmnotebook.graph.names import Names
from mmnotebook.steps import shapes
from mmnotebook.steps.shapes import Shape
from mmnotebook.ui.builder import scene

Command = Mapping[str, Any]
_TYPING = "what was typed"
VIEWS, _NAMED = 32, 64
"""Views whose commands are counted, the latest; each page that is loaded has one. And how long the
name of a view may be."""


class Editor:
    """A document that is edited by commands, from the canvas, the panel, the text and Python.

    Parameters
    ----------
    graph
        What is edited at first.
    names
        Gives what names stand for now.

    Attributes
    ----------
    lock
        Held while anything here changes or is read together: commands may come from any thread.
    selection
        The names of the selected nodes.
    seen
        By view, the number of the last command that was handled.
    """

    def __init__(self, graph: Graph, names: Callable[[], Names]) -> None:
        self.lock = threading.RLock()
        self.names = names
        self.selection: tuple[str, ...] = ()
        self.seen: dict[str, int] = {}
        self._history = History(Document.of(graph))
        self._typed: str | None = None
        self._wrong: Sequence[Problem] = ()
        self._dropped: tuple[Document, str, Sequence[Problem]] | None = None
        self._revision = 0

    @property
    def document(self) -> Document:
        return self._history.document

    @property
    def graph(self) -> Graph:
        """The document's, with those of the objects bound to it that it uses."""
        graph = self.document.graph
        used = {name for node in graph for name in (*node.data, *node.functions)}
        return replace(graph, bindings={n: v for n, v in self.bindings.items() if n in used})

    @property
    def bindings(self) -> Mapping[str, Any]:
        """The objects that names stand for, whatever the notebook has under them."""
        return self.document.graph.bindings

    @property
    def wrong(self) -> Sequence[Problem]:
        """What is wrong with the typed text, () while that is the graph's."""
        return self._wrong

    @property
    def text(self) -> str:
        """The pipeline's text: canonical, or what was typed while that says no graph."""
        return self._typed if self._typed is not None else texts.written(self.graph)

    def problems(self, part: Graph | None = None) -> list[Problem]:
        """What is wrong with the graph, or a part of it; names and fields of nothing too."""
        return texts.problems(self.graph if part is None else part, self.names(), _of_data)

    def handled(self, view: str, number: int) -> None:
        """Count a view's command, whatever comes of it."""
        with self.lock:
            self.seen.pop(view[:_NAMED], None)
            self.seen[view[:_NAMED]] = number
            for name in [*self.seen][:-VIEWS]:
                del self.seen[name]

    def apply(self, command: Command) -> str | None:
        """Do what a command says; what stands against it, in words, when it cannot be done."""
        with self.lock:
            try:
                self._do(command)
            except GraphError as error:
                if command.get("op") != "text":
                    return error.message
                self._typed, self._wrong = str(command.get("text")), error.problems
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
        self._correct(op, before)
        if edit is not None:
            wanted = self.selection if edit.selection is None else edit.selection
            self.selection = tuple(name for name in wanted if name in self.document.graph)

    def _correct(self, op: Any, before: Document) -> None:
        """Forget a text that says no graph when the canvas is changed; undo brings it back."""
        if self._typed is not None and op not in ("undo", "text"):
            if self.document.graph == before.graph:
                return  # steps were moved: it says as much as before
            self._dropped = before, self._typed, self._wrong
        self._typed, self._wrong = None, ()
        if op == "undo" and self._dropped is not None and self._dropped[0] is self.document:
            if before is not self.document:
                _, self._typed, self._wrong = self._dropped
            self._dropped = None

    def take(self, graph: Graph) -> None:
        """Take another graph, with its objects; undo brings back the one before."""
        with self.lock:
            before = self.document
            places = placing.completed(Document.of(graph).graph, before.places)
            self._history.do(Edit(Document(graph, places), "take the variable's graph"))
            self._correct("take", before)
            self.select(self.selection)

    def bind(self, objects: Mapping[str, Any]) -> None:
        """Let names stand for these objects, in place of those that were given before."""
        with self.lock:
            graph = replace(self.document.graph, bindings=objects)
            self._history.document = replace(self.document, graph=graph)

    def select(self, names: Sequence[str]) -> None:
        """Select these nodes, as far as they are there."""
        with self.lock:
            self.selection = tuple(name for name in names if name in self.document.graph)

    def scene(self, name: str | None, problems: Sequence[Problem]) -> dict[str, Any]:
        """What the canvas is to show.

        Parameters
        ----------
        name
            The variable's that the graph has.
        problems
            Those of the graph.
        """
        with self.lock:
            self._revision += 1
            return {
                "revision": self._revision,
                "name": name,
                "nodes": scene.nodes(self.document, problems, self.names()),
                "groups": scene.groups(self.document),
                "text": self.text,
                "textProblems": scene.listed(self._wrong),
                "problems": scene.listed(problems),
                "undo": self._history.undoable if self._typed is None else _TYPING,
                "redo": self._history.redoable,
            }


def _of_data(value: Any) -> Shape:
    """The shape of the elements of data; files are looked into, which takes the runtime."""
    if not isinstance(value, (str, PurePath)):
        return shapes.of_data(value)
    from mmnotebook.sources import fields

    return fields.of_data(value)
