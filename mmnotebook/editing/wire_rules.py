"""The rules for wires, and their effect on the target node."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace

from mmnotebook.graph.graph import Gather, Graph, Input, Node
from mmnotebook.graph.kinds import KINDS
from mmnotebook.steps.exclusive import apart, arms_by_node, arms_of

Wire = tuple[str, str | None, str]
"""The source node, its branch (None for a single output), and the target node."""

_LONGEST = 79
_SHOWN = 5


def refusal(graph: Graph, source: str, port: str | None, target: str) -> str | None:
    """Return why a wire is not possible, in fewer than 80 characters; None if it is possible."""
    why = _refusal(graph, source, port, target)
    return why if why is None or len(why) <= _LONGEST else why[: _LONGEST - 1] + "…"


def _refusal(graph: Graph, source: str, port: str | None, target: str) -> str | None:
    for name in (source, target):
        if name not in graph:
            return f"there is no step {name}"
    into, kind = graph[target], KINDS[graph[target].kind]
    if kind.inputs == "none":
        what = "reads files" if kind.reads_files else "is data"
        return f"{target} {what}: it cannot have an input"
    if source == target:
        return f"{target} cannot feed itself"
    if circle := _circle(graph, source, target):
        return f"this would create a cycle: {' → '.join(circle)}"
    if any((wire.node, wire.port) == (source, port) for wire in into.inputs):
        return f"{target} already has this input"
    if KINDS[graph[source].kind].ends:
        return f"nothing can follow {source}"
    return _no_branch(graph[source], port) or _no_join(graph, into, Input(source, port))


def _no_branch(node: Node, port: str | None) -> str | None:
    if node.arms and port is None:
        return f"{node.name} has several branches: {', '.join(node.arms)}"
    if port is not None and port not in node.arms:
        return f"{node.name} has no branch {port}"
    return None


def _no_join(graph: Graph, into: Node, wire: Input) -> str | None:
    """Return why a wire cannot be joined with the other inputs of its target, or None."""
    inputs = (*into.inputs, wire)
    if gather_of(graph, into, inputs) != "join":
        return None
    if any(other.node == wire.node for other in into.inputs):
        return f"{into.name} joins {wire.node} already, and a join takes one branch of each step"
    if any(other.key == wire.key for other in into.inputs):
        return f"{into.name} already has an input with the key {wire.key}"
    return None


def _circle(graph: Graph, source: str, target: str) -> list[str]:
    """Return the shortest cycle that a wire would create, shortened; [] if there is no cycle."""
    feeds: dict[str, list[str]] = {name: [] for name in graph.names}
    for node in graph:
        for wire in node.inputs:
            feeds[wire.node].append(node.name)
    came: dict[str, str] = {}
    queue = deque([target])
    while queue and source not in came:
        here = queue.popleft()
        for name in feeds[here]:
            if name not in came:
                came[name] = here
                queue.append(name)
    if source not in came:
        return []
    way = [target, source]
    while came[way[1]] != target:
        way.insert(1, came[way[1]])
    middle = way if len(way) < _SHOWN else [*way[:2], "…", way[-1]]
    return [*middle, target]


def gather_of(graph: Graph, node: Node, inputs: Sequence[Input]) -> Gather | None:
    """Return how a node combines its inputs after an input is added.

    The second input decides. Outputs after different branches of one routing step become a union,
    because no element is in two branches; other outputs are joined. Later inputs change nothing.
    """
    if KINDS[node.kind].inputs == "join":
        return "join"
    if len(inputs) == 1:
        return None
    if len(inputs) > 2 and node.gather is not None:
        return node.gather
    arms = arms_by_node(graph.order())
    ways = [arms_of(wire, arms) for wire in inputs]
    return "union" if apart(ways[0], ways[1]) else "join"


def connected(graph: Graph, wire: Input, target: str, place: int | None = None) -> Graph:
    """Add a wire to a graph.

    Parameters
    ----------
    graph
        The graph, which is not changed.
    wire
        The input to add, for which `refusal` returned None.
    target
        The node that receives the input.
    place
        The index of the target's input that the new input replaces; None appends the new input.
    """
    node = graph[target]
    inputs = list(node.inputs)
    if place is None:
        inputs.append(wire)
    else:
        inputs[place] = wire
    return _with(graph, replace(node, inputs=tuple(inputs), gather=gather_of(graph, node, inputs)))


def disconnected(graph: Graph, wires: Collection[Wire]) -> Graph:
    """Remove wires from a graph."""
    gone = set(wires)
    return replace(graph, nodes=tuple(_cut(node, gone) for node in graph))


def _cut(node: Node, gone: Collection[Wire]) -> Node:
    kept = tuple(w for w in node.inputs if (w.node, w.port, node.name) not in gone)
    if len(kept) == len(node.inputs):
        return node
    return replace(node, inputs=kept, gather=gather_left(node, kept))


def gather_left(node: Node, kept: Sequence[Input]) -> Gather | None:
    """Return how a node combines its inputs after some inputs are removed."""
    if len(kept) > 1:
        return node.gather
    return "join" if kept and KINDS[node.kind].inputs == "join" else None


def _with(graph: Graph, node: Node) -> Graph:
    nodes = tuple(node if other.name == node.name else other for other in graph)
    return replace(graph, nodes=nodes)
