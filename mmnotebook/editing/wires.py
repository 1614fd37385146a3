"""Commands on wires: connect, disconnect, select fields, and set the gather mode."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from mmnotebook.editing import fields, wire_rules
from mmnotebook.editing.document import Document, Edit, refused
from mmnotebook.editing.fields import Command
from mmnotebook.editing.wire_rules import Wire
from mmnotebook.graph.graph import Gather, Input, Node
from mmnotebook.graph.kinds import KINDS


def connect(document: Document, command: Command) -> Edit:
    source, target = fields.text(command, "source"), fields.text(command, "target")
    port, old = fields.text_or_none(command, "port"), fields.wire(command, "old")
    label = f"connect {shown(source, port)} to {target}"
    graph, place, wire = document.graph, None, Input(source, port)
    without = graph
    if old is not None:
        there = _place_of(document, old)
        wire = replace(document.node(old[2]).inputs[there], node=source, port=port)
        without = wire_rules.disconnected(graph, [old])
        if old[2] == target:
            place = there
        else:
            graph, wire = without, replace(wire, label=None)
    why = wire_rules.refusal(without, source, port, target)
    if why is not None:
        raise refused(why)
    wired = wire_rules.connected(graph, wire, target, place)
    _check_keys(wired[target])
    return Edit(document.wired(wired), label)


def disconnect(document: Document, command: Command) -> Edit:
    wires = fields.wires(command, "wires")
    if not wires:
        raise refused("no wire is given")
    check(document, wires)
    label = f"disconnect {len(wires)} wires"
    if len(wires) == 1:
        source, port, target = wires[0]
        label = f"disconnect {shown(source, port)} from {target}"
    return Edit(document.wired(wire_rules.disconnected(document.graph, wires)), label)


def wire(document: Document, command: Command) -> Edit:
    """Set the fields that a wire selects, and its key in a join.

    If several fields of one output are joined, `key` identifies the wire.
    """
    source, target = fields.text(command, "source"), fields.text(command, "target")
    port, key = fields.text_or_none(command, "port"), fields.text_or_none(command, "key")
    place, node = _place_of(document, (source, port, target), key), document.node(target)
    select, label = fields.select(command, "select"), fields.text_or_none(command, "label")
    if label is not None and node.gather != "join":
        raise refused(f"{target} joins nothing: keys are for joined outputs only")
    new = Input(source, port, select).labelled(label)
    others = [other.key for n, other in enumerate(node.inputs) if n != place]
    if node.gather == "join" and new.key in others:
        raise refused(f"{target} already has an input with the key {new.key}")
    inputs = (*node.inputs[:place], new, *node.inputs[place + 1 :])
    label = f"change the wire from {shown(source, port)} to {target}"
    return Edit(document.changed(replace(node, inputs=inputs)), label)


def gather(document: Document, command: Command) -> Edit:
    name = fields.text(command, "node")
    node, how = document.node(name), gather_named(fields.text(command, "gather"))
    if how == "union" and KINDS[node.kind].inputs == "join":
        raise refused(f"{name} combines the outputs for one element: its inputs must be joined")
    if len(node.inputs) < 2:
        raise refused(f"{name} does not have several inputs")
    if how == "join":
        _check_join(node)
    word = "join" if how == "join" else "unite"
    return Edit(document.changed(replace(node, gather=how)), f"{word} the inputs of {name}")


def gather_named(name: str) -> Gather:
    if name == "join":
        return "join"
    if name == "union":
        return "union"
    raise refused(f"unknown gather mode: {name!r}", remedy="join or union")


def _check_join(node: Node) -> None:
    ports = dict.fromkeys((wire.node, wire.port) for wire in node.inputs)
    names = [name for name, _ in ports]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise refused(f"two outputs of {twice} cannot be joined: no element is in both")


def _check_keys(node: Node) -> None:
    keys = [wire.key for wire in node.inputs]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if node.gather == "join" and twice is not None:
        raise refused(f"{node.name} already has an input with the key {twice}")


def check(document: Document, wires: Collection[Wire]) -> None:
    """Check that these wires exist; raise GraphError if a wire does not exist."""
    for wire in wires:
        _place_of(document, wire)


def _place_of(document: Document, wire: Wire, key: str | None = None) -> int:
    source, port, target = wire
    for place, there in enumerate(document.node(target).inputs):
        if (there.node, there.port) == (source, port) and key in (None, there.key):
            return place
    raise refused(f"there is no wire from {shown(source, port)} to {target}")


def shown(source: str, port: str | None) -> str:
    """Write an output: `digits`, `split.a`."""
    return source if port is None else f"{source}.{port}"
