"""The steps that create the input values of a node; steps that pass values on are skipped."""

from __future__ import annotations

from collections.abc import Iterator

from mmnotebook.graph.graph import Graph, Input, Node


def makers(graph: Graph, node: Node) -> Iterator[Input]:
    """Yield the outputs of the steps that create the input values of a node.

    Steps that pass values on unchanged, such as filters, are skipped.

    Parameters
    ----------
    graph
        A graph, valid or not. Inputs that refer to nodes outside the graph are skipped.
    node
        The node whose inputs are followed upstream.
    """
    seen: set[Input] = set()
    ahead = [node]
    while ahead:
        for wire in ahead.pop().inputs:
            if wire in seen or wire.node not in graph:
                continue
            seen.add(wire)
            above = graph[wire.node]
            if above.step.passes_on and above.gather != "join" and wire.select is None:
                ahead.append(above)
            else:
                yield wire
