"""The command that adds the steps of a template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmnotebook.editing import fields, node_positions, nodes
from mmnotebook.editing.document import Document, Edit, refused
from mmnotebook.editing.fields import Command
from mmnotebook.graph.graph import Gather, Graph, Input, Node
from mmnotebook.graph.kinds import KINDS, bare_step
from mmnotebook.graph.template import Fill, Template


def templates() -> dict[str, Template]:
    """Return the templates of the step kinds by name."""
    found = (template for kind in KINDS.values() for template in kind.templates)
    return {one.name: one for one in sorted(found, key=lambda one: (one.rank, one.name))}


class _Sketch:
    """The new nodes of a template, with names that the document does not use."""

    def __init__(self, document: Document) -> None:
        self._there = document.graph
        self._taken = document.taken
        self.nodes: list[Node] = []

    def add(
        self, kind: str, inputs: tuple[Input, ...] = (), gather: Gather | None = None, **params: Any
    ) -> Input:
        """Add a node, and return an input that reads its output."""
        node = nodes.made(kind, params, self._taken)
        self._taken.add(node.name)
        self.nodes.append(Node(node.name, kind, node.params, inputs, gather))
        return Input(node.name)

    def source(self, data: str | None) -> Input:
        """Return an input that reads data, from a source node of the document or from a new one."""
        kind, params = bare_step("data", data)
        for node in self._there:
            if node.kind == kind and node.params == tuple(params.items()):
                return Input(node.name)
        return self.add(kind, **params)


def template(document: Document, command: Command) -> Edit:
    name = fields.text(command, "name")
    known = templates()
    if name not in known:
        raise refused(f"there is no template {name!r}", name, known=known)
    fill, sketch = _fill(fields.fields(command, "fill")), _Sketch(document)
    data = sketch.source(fill.data)
    known[name].make(sketch, data, fill)
    new = tuple(node.name for node in sketch.nodes)
    block = node_positions.arranged(nodes.part(Graph(tuple(sketch.nodes)), new))
    corner = fields.place(command, "at") or node_positions.beside(data.node, document.places)
    block = node_positions.shifted(
        node_positions.at_corner(block, corner), document.places.values()
    )
    return Edit(document.grown(sketch.nodes, block), f"add {known[name].title}", new)


def _fill(given: Mapping[str, Any]) -> Fill:
    roles = {"op": "template", **given}
    data, function = (fields.text_or_none(roles, role) for role in ("data", "function"))
    return Fill(data, fields.texts(roles, "models"), function)
