"""The parameter `fresh` of a run: the nodes to recompute even if they are cached."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmnotebook.errors import RunError, nearest, shown
from mmnotebook.graph.graph import Graph, Node

Fresh = bool | str | Node | Iterable[str | Node]
"""True: all nodes; False: no node; otherwise the listed nodes and all nodes that depend on them."""


def reasons(graph: Graph, fresh: Any) -> dict[str, str]:
    """Return the nodes to recompute even if they are cached, with the reason for each node.

    Parameters
    ----------
    graph
        The graph to run.
    fresh
        The argument of `mm.run`.

    Raises
    ------
    RunError
        If `fresh` is not True, False, or nodes of the graph.
    """
    if isinstance(fresh, bool):
        return {node.name: "fresh=True" for node in graph} if fresh else {}
    chosen = dict.fromkeys(_name(graph, one) for one in _listed(fresh))
    found: dict[str, str] = {}
    for node in graph.validate().order():
        above = next((wire.node for wire in node.inputs if wire.node in found), None)
        if node.name in chosen:
            found[node.name] = f"fresh={node.name!r}"
        elif above is not None:
            found[node.name] = f"its input is recomputed ({above})"
    return found


def _listed(fresh: Any) -> list[Any]:
    if isinstance(fresh, (str, Node)):
        return [fresh]
    if isinstance(fresh, (list, tuple, set, frozenset)):
        return list(fresh)
    raise _refused(fresh, "fresh=True recomputes every node; fresh=False recomputes no cached node")


def _name(graph: Graph, one: Any) -> str:
    if isinstance(one, Node):
        if one.name in graph and graph[one.name] == one:
            return one.name
        remedy = "take it from the graph of this run: graph['name']"
        raise RunError(f"fresh={one.name!r}: this node is not in the graph", remedy=remedy)
    if not isinstance(one, str):
        raise _refused(one, "name each node: fresh=['name', ...]")
    if one not in graph:
        names = [node.name for node in graph]
        close = nearest(one, names)
        hint = f"; did you mean {close!r}?" if close else ""
        raise RunError(
            f"fresh={one!r}: this run has no node with this name; allowed: "
            f"{', '.join(names)}{hint}",
            remedy="fresh= takes True, or the names of nodes to compute again",
        )
    return one


def _refused(value: Any, remedy: str) -> RunError:
    allowed = "True, False, a node, its name, or a list of these"
    return RunError(f"fresh={shown(value)}; allowed: {allowed}", remedy=remedy)
