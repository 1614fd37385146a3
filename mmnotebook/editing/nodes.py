"""Commands on nodes: add, remove, configure, move and arrange."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from mmnotebook.editing import fields, node_positions, renames, wire_rules, wires
from mmnotebook.editing.document import Document, Edit, freed, refused
from mmnotebook.editing.fields import Command, End
from mmnotebook.errors import Gap, GraphError
from mmnotebook.graph import kinds
from mmnotebook.graph.graph import Graph, Group, Input, Node
from mmnotebook.graph.kinds import KINDS
from mmnotebook.steps.validation import parameter_problems


def add(document: Document, command: Command) -> Edit:
    kind, start = fields.text(command, "kind", KINDS), fields.end(command, "after")
    node = made(kind, fields.fields(command, "params"), document.taken)
    where = fields.place(command, "at")
    if where is None:
        where = node_positions.beside(start[0] if start else None, document.places)
    spot = node_positions.free(where, document.places.values())
    grown = document.grown([node], {node.name: spot})
    return Edit(_continued(grown, start, node.name), f"add {node.name}", (node.name,))


def _continued(document: Document, start: End | None, name: str) -> Document:
    """Connect an output to the new node, if the connection is possible."""
    if start is None or wire_rules.refusal(document.graph, *start, name) is not None:
        return document
    return document.wired(wire_rules.connected(document.graph, Input(*start), name))


def made(kind: str, params: Mapping[str, Any], taken: Collection[str]) -> Node:
    """Create a node with these parameters and an unused name.

    Raises
    ------
    GraphError
        If there is no such kind, or the parameters are not valid.
    """
    if kind not in KINDS:
        raise refused(f"there is no kind of step {kind!r}", kind, known=KINDS, allowed=True)
    given = {**KINDS[kind].start, **params}
    given = canonical(kind, given)
    name = freed(kinds.default_name(kind, given), taken)
    return checked(Node(name, kind, tuple(given.items())))


def canonical(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters in the canonical form of a node, without parameters that are None."""
    return dict(kinds.canonical(kind, {k: v for k, v in given.items() if v is not None}))


def checked(node: Node) -> Node:
    """Return the node if its parameters are valid.

    Raises
    ------
    GraphError
        If a parameter is unknown or has a value that is not allowed.
    """
    wrong = [found for found in parameter_problems(node) if not isinstance(found, Gap)]
    if wrong:
        raise GraphError(wrong)
    return node


def remove(document: Document, command: Command) -> Edit:
    gone, cut = fields.texts(command, "nodes"), fields.wires(command, "wires")
    if not gone and not cut:
        raise refused("there is nothing to remove")
    for name in gone:
        document.node(name)
    wires.check(document, cut)
    label = f"remove {counted(gone, 'step')}" if gone else f"remove {counted(cut, 'wire')}"
    return Edit(without(document, gone, cut), label, () if gone else None)


def without(
    document: Document, gone: Iterable[str], cut: Iterable[wire_rules.Wire] = ()
) -> Document:
    """Remove nodes, all wires of these nodes, and the wires in `cut` from a document."""
    names = set(gone)
    lost = {
        (wire.node, wire.port, node.name)
        for node in document.graph
        for wire in node.inputs
        if wire.node in names
    }
    graph = wire_rules.disconnected(document.graph, lost.union(cut))
    nodes = tuple(node for node in graph if node.name not in names)
    graph = replace(graph, nodes=nodes, groups=_left(graph, names))
    places = {name: at for name, at in document.places.items() if name not in names}
    return replace(document, graph=graph, places=places)


def _left(graph: Graph, gone: set[str]) -> tuple[Group, ...]:
    """Return the groups without the removed nodes; leave out groups that become empty."""
    kept = (
        replace(group, members=tuple(name for name in group.members if name not in gone))
        for group in graph.groups
    )
    return tuple(group for group in kept if group.members)


def configure(document: Document, command: Command) -> Edit:
    name, params = fields.text(command, "node"), fields.fields(command, "params")
    old = document.node(name)
    new = configured(old, params)
    wanted = kinds.default_name(new.kind, dict(new.params))
    if renames.is_default(old) and wanted != kinds.default_name(old.kind, dict(old.params)):
        keys = (wire.label for node in document.graph for wire in node.inputs if wire.label)
        new = replace(new, name=freed(wanted, document.taken.union(keys) - {name}))
    outputs = dict(zip(old.arms or (None,), new.arms or (None,), strict=False))
    graph = document.graph
    if old.arms != new.arms:
        graph = _replugged(graph, name, outputs)
    document = renames.renamed(
        document.wired(graph).changed(replace(new, name=name)), name, new.name
    )
    gesture = command.get("gesture")
    target = document.graph.names.index(new.name)  # the name can change with the parameters
    merges = ("configure", target, gesture) if isinstance(gesture, str) else None
    selection = (new.name,) if new.name != name else None
    return Edit(document, f"configure {new.name}", selection, merges)


def configured(node: Node, params: Mapping[str, Any]) -> Node:
    """Return the node with some parameters changed; None removes a parameter."""
    given = {**dict(node.params), **params}
    other = {"by": "by_function", "by_function": "by"}
    for key, value in params.items():
        if value is not None and key in other and params.get(other[key]) is None:
            given[other[key]] = None
    if "arms" in params and given.get("pin") and "pin" not in params:
        arms = kinds.arm_names(node.kind, {"arms": given["arms"]})
        moved = dict(zip(node.arms, arms, strict=False))
        given["pin"] = tuple((ids, moved[arm]) for ids, arm in given["pin"] if arm in moved) or None
    given = canonical(node.kind, given)
    return checked(replace(node, params=tuple(given.items())))


def _replugged(graph: Graph, fork: str, outputs: Mapping[str | None, str | None]) -> Graph:
    """Rename the branches of a node in the wires that start there.

    Parameters
    ----------
    graph
        The graph, which is not changed.
    fork
        The name of the node.
    outputs
        The new name of each old branch. Wires from other branches are removed.
    """
    lost = {
        (fork, wire.port, node.name)
        for node in graph
        for wire in node.inputs
        if wire.node == fork and wire.port not in outputs
    }

    def moved(wire: Input) -> Input:
        return replace(wire, port=outputs[wire.port]) if wire.node == fork else wire

    kept = wire_rules.disconnected(graph, lost)
    nodes = (replace(node, inputs=tuple(map(moved, node.inputs))) for node in kept)
    return replace(kept, nodes=tuple(nodes))


def move(document: Document, command: Command) -> Edit:
    places = fields.places(command, "places")
    for name in places:
        document.node(name)
    if not places:
        raise refused("no step is given")
    label = f"move {counted(tuple(places), 'step')}"
    return Edit(document.placed(places), label, None, ("move", *sorted(places)))


def arrange(document: Document, command: Command) -> Edit:
    if command.get("nodes") is None:
        places = node_positions.arranged(document.graph)
        return Edit(Document(document.graph, places, True), "arrange")
    names = fields.texts(command, "nodes")
    for name in names:
        document.node(name)
    if not names:
        raise refused("no step is given")
    block = node_positions.arranged(part(document.graph, names))
    old = [document.places[name] for name in names]
    corner = min(x for x, _ in old), min(y for _, y in old)
    others = [at for name, at in document.places.items() if name not in block]
    places = node_positions.shifted(node_positions.at_corner(block, corner), others)
    return Edit(document.placed(places), f"arrange {counted(names, 'step')}")


def part(graph: Graph, names: Iterable[str]) -> Graph:
    """Return a graph of these nodes, with the wires and groups between them."""
    kept = set(names)
    outside = {
        (wire.node, wire.port, node.name)
        for node in graph
        for wire in node.inputs
        if wire.node not in kept
    }
    cut = wire_rules.disconnected(graph, outside)
    nodes = tuple(node for node in cut if node.name in kept)
    groups = tuple(group for group in graph.groups if kept.issuperset(group.members))
    return Graph(nodes, groups)


def counted(names: Iterable[Any], what: str) -> str:
    """Return the name if there is only one, else the number with a noun: `mlp`, `3 steps`."""
    every = list(names)
    if len(every) != 1:
        return f"{len(every)} {what}s"
    return every[0] if isinstance(every[0], str) else f"1 {what}"
