"""Which step has made a value: the steps that only pass it on are looked through."""

from __future__ import annotations

from collections.abc import Iterator

from mmnotebook.graph.graph import Graph, Input, Node

_PASS_ON = ("filter", "split", "switch")


def makers(graph: Graph, node: Node) -> Iterator[Input]:
    """Where the values that flow into a node were made, with what is selected of them last.

    Parameters
    ----------
    graph
        Any graph; what is no node of it is left out.
    """
    seen: set[Input] = set()
    ahead = [node]
    while ahead:
        for wire in ahead.pop().inputs:
            if wire in seen or wire.node not in graph:
                continue
            seen.add(wire)
            above = graph[wire.node]
            if above.kind in _PASS_ON and above.gather != "join" and wire.select is None:
                ahead.append(above)
            else:
                yield wire
