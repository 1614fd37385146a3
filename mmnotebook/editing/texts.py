"""The text of a document, with `...` for missing parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from mmnotebook.editing import fields, node_positions
from mmnotebook.editing.document import Document, Edit
from mmnotebook.editing.fields import Command
from mmnotebook.errors import Gap, GraphError, Problem, nearest
from mmnotebook.graph.graph import Graph, rebound
from mmnotebook.graph.names import AbsentTransform, Names, Role
from mmnotebook.notation.log import Log
from mmnotebook.notation.reader import NotationReader
from mmnotebook.notation.writer import to_text
from mmnotebook.steps import field_flow, shapes, validation
from mmnotebook.steps.shapes import Shape


@dataclass(frozen=True)
class TextReading:
    """The graph that was read from a text, with its problems.

    Attributes
    ----------
    graph
        The graph, which may be incomplete; None if the text is not valid.
    problems
        The invalid and missing parts, each with its line and column.
    remedy
        How to fix the problems.
    """

    graph: Graph | None
    problems: tuple[Problem, ...] = ()
    remedy: str | None = None


def written(graph: Graph) -> str:
    """Return the canonical text of a graph, with `...` for missing parts.

    `... | mlp` is a step without an input, `map(...)` a step without its function.
    """
    return to_text(graph)


def read(text: str, names: Names | None, known: Graph | None = None) -> TextReading:
    """Read a text, in which `...` is a placeholder for a missing part.

    Parameters
    ----------
    text
        Lines `name = data | step | step`.
    names
        Lookup of bare names; None for no lookup.
    known
        The graph before the text was edited. Its bindings are kept. A name that the lookup does not
        find, such as a model that is no longer registered, keeps its role in this graph.
    """
    known = known or Graph()
    log = Log(text, incomplete=True)
    try:
        graph = NotationReader(_with_known(names, known), log).read(log.tree())
    except GraphError as error:
        return TextReading(None, error.problems, error.remedy)
    except RecursionError:
        return TextReading(None, (Problem("nested too deeply", None, 1, 1),))
    found = tuple(sorted(log.problems, key=lambda p: (p.line or 0, p.column or 0)))
    remedy = "\n  → ".join(log.remedies) or None
    if not all(isinstance(problem, Gap) for problem in found):
        return TextReading(None, found, remedy)
    pipelines = dict.fromkeys((*known.pipelines, *graph.pipelines))
    graph = rebound(graph, {**known.bindings, **graph.bindings}, tuple(pipelines))
    return TextReading(graph, found, remedy)


def _with_known(names: Names | None, known: Graph) -> Names | None:
    """Return a lookup that also finds names of a graph, with their roles in the graph."""
    if names is None:
        return None
    names = replace(names, given={**known.bindings, **names.given})
    models, given = dict(names.models), dict(names.given)
    for node in known:
        models.update((m, None) for m in node.models if names.role(m) in (None, "unregistered"))
        absent = AbsentTransform() if node.transforms else _function
        given.update((f, absent) for f in node.functions if _is_nothing(names, f))
        given.update((d, _DATA) for d in node.data if _is_nothing(names, d))
    return replace(names, models=models, given=given)


def _is_nothing(names: Names, name: str) -> bool:
    return names.role(name) is None and names.function(name) is None


_DATA: list[object] = []


def _function(value: object) -> object:
    """Return the value. This is a placeholder for a function that no longer exists."""
    return value


def problems(
    graph: Graph, names: Names | None, of_data: Callable[[Any], Shape] = shapes.of_data
) -> list[Problem]:
    """Return the problems of a graph, including missing parts, unknown names and unknown fields.

    Parameters
    ----------
    graph
        A graph, valid or not.
    names
        Lookup of the graph's names. If None, names and fields are not checked.
    of_data
        Returns the shape of the elements of a data object, or of files if its argument is a path.
    """
    found = validation.problems(graph)
    if names is not None:
        names = replace(names, given={**graph.bindings, **names.given})
        whole = all(isinstance(problem, Gap) for problem in found)
        found += _unknown(graph, names)
        if whole:
            known = field_flow.of_notebook(graph, names, of_data)
            found += field_flow.problems(graph, known, names.models)
    return found


def _unknown(graph: Graph, names: Names) -> Iterator[Problem]:
    """Yield a problem for each name of a model, function or data that does not exist."""
    for node in graph:
        for name in node.models:
            if name not in names.models:
                message = "no model is registered under this name"
                if names.role(name) == "unregistered":
                    message = f"a model that is not registered: %mm_model {name} {name}"
                close = nearest(name, names.known("model"))
                yield Problem(message, node.name, found=repr(name), nearest=close)
        for name in node.functions:
            role: Role = "transform" if node.transforms else "function"
            if names.role(name) != role and (node.transforms or names.function(name) is None):
                close = nearest(name, names.known(role))
                message = f"no {'Beam transform' if node.transforms else role} with this name"
                yield Problem(message, node.name, found=repr(name), nearest=close)
        for name in node.data:
            if not names.is_data(name):
                close = nearest(name, names.known("data"))
                yield Problem("no data with this name", node.name, found=repr(name), nearest=close)


def typed(document: Document, command: Command, names: Names | None) -> Edit:
    """Replace the graph of a document by the graph of a text.

    The layout places all nodes again. If the user has moved a node, all nodes keep their places.
    """
    reading = read(fields.text(command, "text"), names, document.graph)
    if reading.graph is None:
        raise GraphError(reading.problems, remedy=reading.remedy)
    gesture = command.get("gesture")
    merges = ("text", gesture) if isinstance(gesture, str) else None
    if document.by_layout or not document.places:
        places = node_positions.arranged_there(reading.graph, document.places)
        return Edit(Document(reading.graph, places, True), "edit the text", None, merges)
    places = node_positions.completed(reading.graph, document.places)
    return Edit(Document(reading.graph, places), "edit the text", None, merges)
