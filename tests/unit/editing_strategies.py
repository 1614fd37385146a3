"""Strategies for incomplete graphs, and for commands that may be refused."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from mmnotebook.editing import clips
from mmnotebook.editing.document import Document
from mmnotebook.editing.templates import templates
from mmnotebook.editing.wire_rules import disconnected
from mmnotebook.graph.graph import Graph
from mmnotebook.graph.kinds import KINDS
from tests.unit.strategies import VALID, graphs, mutated, names, params, selects, several, texts

kinds = st.sampled_from(sorted(KINDS))
spots = st.none() | st.tuples(st.integers(-400, 400), st.integers(-400, 400))
gathers = st.sampled_from(["join", "union"])


@st.composite
def incomplete(draw: st.DrawFn, moves: int = 5) -> Graph:
    """Draw a graph in which wires and parameters may be missing."""
    graph = draw(graphs(moves))
    wires = [(w.node, w.port, node.name) for node in graph for w in node.inputs]
    graph = disconnected(graph, draw(st.sets(st.sampled_from(wires))) if wires else [])
    nodes = []
    for node in graph:
        open_ = [name for name, _ in node.params if name != "arms"]
        gone = draw(st.sets(st.sampled_from(open_))) if open_ and draw(st.booleans()) else ()
        nodes.append(replace(node, params=tuple(p for p in node.params if p[0] not in gone)))
    return replace(graph, nodes=tuple(nodes))


@st.composite
def gapped(draw: st.DrawFn) -> str:
    """Draw a text like a pipeline's, with `...` in place of some names and values."""
    text = draw(st.sampled_from(VALID) | mutated())
    pieces = re.split(r"(\w+)", text)
    for place in draw(st.sets(st.integers(0, len(pieces) // 2), max_size=2)):
        pieces[min(2 * place + 1, len(pieces) - 1)] = "..."
    return "".join(pieces)


def jsonable(value: Any) -> Any:
    """Convert tuples to lists, as the canvas sends them."""
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return value


@st.composite
def commands(draw: st.DrawFn, document: Document, op: str | None = None) -> dict[str, Any]:
    """Draw a command that the canvas or the panel could send."""
    op = op or draw(st.sampled_from(sorted(MAKERS)))
    return {"op": op, **MAKERS[op](draw, document)}


def _node(draw: st.DrawFn, document: Document) -> str:
    return draw(st.sampled_from(sorted({*document.graph.names, "nothing"})))


def _nodes(draw: st.DrawFn, document: Document, least: int = 0) -> list[str]:
    pool = document.graph.names or ("nothing",)
    return draw(st.lists(st.sampled_from(pool), min_size=least, max_size=4, unique=True))


def _end(draw: st.DrawFn, document: Document) -> list[str | None]:
    name = _node(draw, document)
    arms = document.graph[name].arms if name in document.graph else ()
    return [name, draw(st.sampled_from([None, *arms, *arms]))]


def _wires(draw: st.DrawFn, document: Document) -> list[list[str | None]]:
    wires = [[w.node, w.port, node.name] for node in document.graph for w in node.inputs]
    return draw(st.lists(st.sampled_from(wires), max_size=2, unique_by=tuple)) if wires else []


def _add(draw: st.DrawFn, document: Document) -> dict[str, Any]:
    kind = draw(kinds)
    given = draw(st.just({}) | params(kind))
    after = draw(st.booleans()) and _end(draw, document)
    given = {name: jsonable(value) for name, value in given.items()}
    return {"kind": kind, "params": given, "at": draw(spots), "after": after or None}


def _template(draw: st.DrawFn, document: Document) -> dict[str, Any]:
    fill = {"data": draw(names), "models": draw(several), "function": draw(names)}
    kept = draw(st.sets(st.sampled_from(sorted(fill))))
    name = draw(st.sampled_from(sorted(templates())))
    return {"name": name, "at": draw(spots), "fill": {role: fill[role] for role in kept}}


def _connect(draw: st.DrawFn, document: Document) -> dict[str, Any]:
    source, port = _end(draw, document)
    wires = _wires(draw, document)
    if wires and draw(st.booleans()):
        *old, target = wires[0]
        return {"source": source, "port": port, "target": target, "old": old}
    return {"source": source, "port": port, "target": _node(draw, document)}


def _configure(draw: st.DrawFn, document: Document) -> dict[str, Any]:
    name = _node(draw, document)
    if name not in document.graph:
        return {"node": name, "params": {}}
    given = draw(params(document.graph[name].kind))
    changed = {key: draw(st.just(jsonable(value)) | st.none()) for key, value in given.items()}
    return {"node": name, "params": changed}


def _wire(draw: st.DrawFn, document: Document) -> dict[str, Any]:
    source, port, target = (_wires(draw, document) or [["nothing", None, "nothing"]])[0]
    label = draw(st.none() | texts)
    select = jsonable(draw(selects))
    return {"source": source, "port": port, "target": target, "select": select, "label": label}


def _text(draw: st.DrawFn, document: Document) -> dict[str, Any]:
    lines = document.graph.to_text().split("\n")
    more = ["", "... | vote()", "rows | f", "q = rows | m | m", "rows | split(a=0.5, b=0.5)", "x |"]
    return {"text": "\n".join([*lines[draw(st.integers(0, 2)) :], draw(st.sampled_from(more))])}


def _places(draw: st.DrawFn, document: Document) -> dict[str, Any]:
    return {name: jsonable(draw(spots) or (0, 0)) for name in _nodes(draw, document, 1)}


def _old(draw: st.DrawFn, document: Document) -> str:
    return draw(st.sampled_from(sorted({*document.taken, "nothing"})))


MAKERS: dict[str, Any] = {
    "add": _add,
    "template": _template,
    "connect": _connect,
    "disconnect": lambda draw, there: {"wires": _wires(draw, there)},
    "remove": lambda draw, there: {"nodes": _nodes(draw, there), "wires": _wires(draw, there)},
    "move": lambda draw, there: {"places": _places(draw, there)},
    "arrange": lambda draw, there: {"nodes": draw(st.none() | st.just(_nodes(draw, there)))},
    "rename": lambda draw, there: {"old": _old(draw, there), "new": draw(names)},
    "configure": _configure,
    "wire": _wire,
    "gather": lambda draw, there: {"node": _node(draw, there), "gather": draw(gathers)},
    "group": lambda draw, there: {
        "name": draw(names),
        "nodes": _nodes(draw, there),
        "gather": draw(gathers),
    },
    "ungroup": lambda draw, there: {"name": _old(draw, there)},
    "paste": lambda draw, there: {
        "clip": clips.copy(there, _nodes(draw, there) if there.graph.nodes else []),
        "at": draw(spots),
    },
    "text": _text,
}
