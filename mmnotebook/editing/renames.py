"""Commands on names: rename a node or group, group nodes, ungroup them."""

from __future__ import annotations

import re
from dataclasses import replace

from mmnotebook.editing import fields
from mmnotebook.editing.document import Document, Edit, refused
from mmnotebook.editing.fields import Command
from mmnotebook.editing.wires import gather_named
from mmnotebook.graph import checks, kinds
from mmnotebook.graph.graph import Group, Input, Node


def rename(document: Document, command: Command) -> Edit:
    old, new = fields.text(command, "old"), fields.text(command, "new")
    if old not in document.taken:
        raise document.graph.unknown(old)
    _check_name(document, new, old)
    label = f"rename {old} to {new}"
    if old in document.graph:
        return Edit(renamed(document, old, new), label, (new,))
    groups = (replace(g, name=new) if g.name == old else g for g in document.graph.groups)
    return Edit(document.wired(replace(document.graph, groups=tuple(groups))), label)


def _check_name(document: Document, name: str, old: str | None = None) -> None:
    if not checks.is_name(name):
        raise refused(f"{name!r} is not a valid name", remedy=checks.NAMING)
    if name != old and name in document.taken:
        raise refused(f"there is a {name} already", remedy="names must be unique")


def renamed(document: Document, old: str, new: str) -> Document:
    """Rename a node in all inputs, groups and places of a document."""
    if old == new:
        return document
    for node in document.graph:
        keys = [wire.key for wire in node.inputs if wire.node != old]
        mine = any(wire.node == old and wire.key == old for wire in node.inputs)
        if node.gather == "join" and mine and new in keys:
            raise refused(f"{node.name} already has an input with the key {new}")

    def follow(wire: Input) -> Input:
        return replace(wire, node=new) if wire.node == old else wire

    def renamed_in(node: Node) -> Node:
        if node.name == old:
            return replace(node, name=new, inputs=tuple(map(follow, node.inputs)))
        if any(wire.node == old for wire in node.inputs):
            return replace(node, inputs=tuple(map(follow, node.inputs)))
        return node

    nodes = tuple(map(renamed_in, document.graph))
    groups = tuple(
        replace(group, members=tuple(new if name == old else name for name in group.members))
        for group in document.graph.groups
    )
    places = {new if name == old else name: place for name, place in document.places.items()}
    graph = replace(document.graph, nodes=nodes, groups=groups)
    return replace(document, graph=graph, places=places)


def is_default(node: Node) -> bool:
    """Return whether a node has its default name, with or without a number appended."""
    wanted = re.escape(kinds.default_name(node.kind, dict(node.params)))
    return re.fullmatch(rf"{wanted}(_[0-9]+)?", node.name) is not None


def group(document: Document, command: Command) -> Edit:
    name, members = fields.text(command, "name"), fields.texts(command, "nodes")
    _check_name(document, name)
    for member in members:
        document.node(member)
    if len(members) < 2:
        raise refused("a group needs two or more steps")
    new = Group(name, members, gather_named(fields.text(command, "gather")))
    graph = replace(document.graph, groups=(*document.graph.groups, new))
    return Edit(document.wired(graph), f"group {len(members)} steps as {name}")


def ungroup(document: Document, command: Command) -> Edit:
    name = fields.text(command, "name")
    kept = tuple(group for group in document.graph.groups if group.name != name)
    if len(kept) == len(document.graph.groups):
        raise refused(f"there is no group {name}", name, known=(g.name for g in kept))
    return Edit(document.wired(replace(document.graph, groups=kept)), f"ungroup {name}")
