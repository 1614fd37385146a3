"""The editing session: one document, its history, its text and its selection; no widget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmnotebook.errors import GraphError, Problem
from mmnotebook.graph.editing import commands, texts
from mmnotebook.graph.editing.document import Document
from mmnotebook.graph.editing.history import History
from mmnotebook.graph.graph import Graph
from mmnotebook.graph.names import Names
from mmnotebook.ui.builder import scene

Command = Mapping[str, Any]
_TYPING = "what was typed"


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
        self._bindings = dict(graph.bindings)
        self._history = History(Document.of(graph))
        self._typed: str | None = None
        self._wrong: Sequence[Problem] = ()
        self._revision = 0

    @property
    def document(self) -> Document:
        return self._history.document

    @property
    def graph(self) -> Graph:
        """The document's, with the objects bound to it that were given with the first one."""
        graph = self.document.graph
        used = {name for node in graph for name in (*node.data, *node.functions)}
        return replace(graph, bindings={n: v for n, v in self.bindings.items() if n in used})

    @property
    def bindings(self) -> dict[str, Any]:
        """The objects that names stand for, whatever the notebook has under them."""
        return {**self._bindings, **self.document.graph.bindings}

    @property
    def wrong(self) -> Sequence[Problem]:
        """What is wrong with the typed text, () while that is the graph's."""
        return self._wrong

    @property
    def text(self) -> str:
        """The pipeline's text: canonical, or what was typed while that says no graph."""
        return self._typed if self._typed is not None else texts.written(self.graph)

    def problems(self) -> list[Problem]:
        """What is wrong with the graph, and the names in it that stand for nothing."""
        return texts.problems(self.graph, self.names())

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
        op = command.get("op")
        if op == "undo" and self._typed is not None:
            edit = None
        elif op in ("undo", "redo"):
            edit = self._history.undo() if op == "undo" else self._history.redo()
        else:
            edit = commands.apply(self.document, command, self.names())
            self._history.do(edit)
        self._correct()
        if edit is not None:
            wanted = self.selection if edit.selection is None else edit.selection
            self.selection = tuple(name for name in wanted if name in self.graph)

    def _correct(self) -> None:
        """Forget a text that says no graph: the canvas was changed, or the text is right again."""
        self._typed, self._wrong = None, ()

    def select(self, names: Sequence[str]) -> None:
        """Select these nodes, as far as they are there."""
        with self.lock:
            self.selection = tuple(name for name in names if name in self.graph)

    def scene(self, name: str | None) -> dict[str, Any]:
        """What the canvas is to show; `name` is the variable's that the graph has."""
        with self.lock:
            self._revision += 1
            problems = self.problems()
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
                "seen": dict(self.seen),
            }
