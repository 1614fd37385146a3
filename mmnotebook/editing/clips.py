"""Copy and paste of nodes as text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from mmnotebook.editing import fields, node_positions, nodes
from mmnotebook.editing.document import Document, Edit, freed, refused
from mmnotebook.editing.fields import Command
from mmnotebook.errors import GraphError
from mmnotebook.graph import json_format
from mmnotebook.graph.graph import Graph, Group, Node
from mmnotebook.steps import validation

_NO_STEPS = "the copied text contains no steps"
_COPY = "copy some from a canvas"


def copy(document: Document, names: Iterable[str]) -> str:
    """Return nodes and their places as JSON text, in the file format of graphs.

    The text contains all inputs of these nodes, also inputs from nodes that are not copied. It
    contains a group if all its members are copied.
    """
    wanted = set(names)
    for name in wanted:
        document.node(name)
    chosen = tuple(node for node in document.graph if node.name in wanted)
    groups = tuple(g for g in document.graph.groups if wanted.issuperset(g.members))
    places = {node.name: list(document.places[node.name]) for node in chosen}
    data = {**json_format.to_data(Graph(chosen, groups)), "places": places}
    return json.dumps(data, indent=1, ensure_ascii=False)


def paste(document: Document, command: Command) -> Edit:
    """Add the nodes and groups of a copied text to a document, with unused names."""
    part, places = _read(fields.text(command, "clip"))
    block, corner = node_positions.completed(part, places), fields.place(command, "at")
    if corner is not None:
        block = node_positions.at_corner(block, corner)
    block = node_positions.shifted(block, document.places.values())
    called = _called(part, document)
    grown = document.grown(
        (_renamed(node, called) for node in part),
        {called[name]: place for name, place in block.items()},
        (_group(group, called) for group in part.groups),
    )
    new = tuple(called[name] for name in part.names)
    return Edit(grown, f"paste {nodes.counted(new, 'step')}", new)


def _read(clip: str) -> tuple[Graph, Mapping[str, node_positions.Place]]:
    """Return the graph in a copied text, and the places of its nodes."""
    try:
        data = json_format.loaded(clip)
        graph = json_format.of_data(data)
    except GraphError as error:
        raise refused(_NO_STEPS, remedy=_COPY) from error
    if not graph.nodes:
        raise refused(_NO_STEPS, remedy=_COPY)
    graph = nodes.part(graph, graph.names)
    found = validation.faults(graph)
    if found:
        raise GraphError(found)
    return graph, fields.places({"op": "paste", **data}, "places")


def _called(part: Graph, document: Document) -> dict[str, str]:
    """Map the names of the copied nodes and groups to names that the document does not use."""
    names = (*part.names, *(group.name for group in part.groups))
    keys = (wire.key for node in part for wire in node.inputs)
    there = document.taken
    taken = there.union(names, keys)
    called = dict(zip(names, names, strict=True))
    for name in names:
        if name in there:
            called[name] = freed(name, taken)
            taken.add(called[name])
    return called


def _renamed(node: Node, called: Mapping[str, str]) -> Node:
    inputs = tuple(replace(wire, node=called[wire.node]) for wire in node.inputs)
    return replace(node, name=called[node.name], inputs=inputs)


def _group(group: Group, called: Mapping[str, str]) -> Group:
    members = tuple(called[member] for member in group.members)
    return Group(called[group.name], members, group.gather)
