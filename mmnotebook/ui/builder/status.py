"""The status of a run on the canvas: node states and wire counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmnotebook.graph.graph import Graph, Input, Node
from mmnotebook.results.results import Result
from mmnotebook.running.progress import NodeProgress, Progress

Json = dict[str, Any]
IDLE: Json = {"state": "idle", "line": "", "nodes": {}, "wires": []}
PREPARING: Json = {"state": "preparing", "line": "preparing the run", "nodes": {}, "wires": []}
_EDITED = " · edited since"


def during(graph: Graph, progress: Progress) -> Json:
    """Return the status of a run in progress, which is based on its events only."""
    expected = progress.expected()
    line = progress.error or progress.line()
    if progress.state == "running":
        line = progress.now() or progress.so_far()
    return {
        "state": "preparing" if progress.state == "starting" else "running",
        "line": line,
        "nodes": {
            name: _node(graph, progress, node, expected.get(name))
            for name, node in progress.nodes.items()
        },
        "wires": list(_flowing(graph, progress)),
    }


def _node(graph: Graph, progress: Progress, node: NodeProgress, total: int | None) -> Json:
    has_ended = progress.state not in ("starting", "running")
    states = {"stopped": "stopped", "waiting": "stopped"} if has_ended else {}
    upstream = [progress.nodes.get(wire.node) for wire in graph[node.name].inputs]
    single = upstream[0] if len(upstream) == 1 else None
    return {
        "state": states.get(node.state, node.state),
        "elementsIn": None if single is None else single.elements,
        "elementsOut": node.elements,
        "failed": node.failed,
        "total": total,
        "seconds": None,
    }


def _flowing(graph: Graph, progress: Progress) -> Iterator[Json]:
    """Yield the numbers of elements so far, for wires from nodes with one output."""
    for node in graph:
        for wire in node.inputs:
            before = progress.nodes.get(wire.node)
            if before is not None and wire.port is None and node.name in progress.nodes:
                yield _wire(wire, node, before.elements)


def _wire(wire: Input, node: Node, count: int) -> Json:
    return {"source": wire.node, "port": wire.port, "target": node.name, "count": count}


def after(result: Result, line: str, state: str = "done") -> Json:
    """Return the status of a run that has ended, from its result."""
    nodes = {
        name: {
            "state": "cached" if measure.cached else "done",
            "elementsIn": measure.elements_in,
            "elementsOut": measure.elements_out,
            "failed": measure.failed,
            "total": None,
            "seconds": measure.seconds,
        }
        for name, measure in result.measures.items()
    }
    return {"state": state, "line": line, "nodes": nodes, "wires": list(_flowed(result))}


def _flowed(result: Result) -> Iterator[Json]:
    arms = {(str(node), str(arm)): int(n) for (node, arm), n in result.arms["elements"].items()}
    counts = result.counts()
    for node in result.graph:
        for wire in node.inputs:
            ends = (wire.node, node.name)
            count = counts.get(ends) if wire.port is None else arms.get((wire.node, wire.port))
            if count is not None:
                yield _wire(wire, node, count)


def as_of(status: Json, ran: Graph | None, now: Graph) -> Json:
    """Return the status for a graph that was edited since the run: changed nodes are stale."""
    if ran is None:
        return status
    same = unchanged(ran, now)
    nodes = {
        name: {**shown, "state": shown["state"] if name in same else "stale"}
        for name, shown in status["nodes"].items()
        if name in now
    }
    wires = [wire for wire in status["wires"] if {wire["source"], wire["target"]} <= same]
    line = status["line"]
    if status["state"] in ("done", "failed", "stopped") and len(same) < len(ran):
        line += _EDITED
    return {**status, "line": line, "nodes": nodes, "wires": wires}


def unchanged(ran: Graph, now: Graph) -> set[str]:
    """Return the nodes that, like all nodes upstream of them, are the same as in the run."""
    same: set[str] = set()
    for node in now.order():
        inputs_are_same = all(wire.node in same for wire in node.inputs)
        if inputs_are_same and node.name in ran and ran[node.name] == node:
            same.add(node.name)
    return same
