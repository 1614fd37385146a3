"""Which outputs never carry the same element: those behind different arms of one fork."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mmnotebook.graph.graph import Input, Node

Arms = Mapping[str, frozenset[str]]


def arms_by_node(order: Iterable[Node]) -> dict[str, Arms]:
    """By node, the arms of every fork through one of which each of its elements has come.

    Parameters
    ----------
    order
        The nodes, each after its inputs.
    """
    found: dict[str, Arms] = {}
    for node in order:
        ways = [arms_of(wire, found) for wire in node.inputs]
        forks = set(ways[0]).intersection(*ways[1:]) if ways else ()
        found[node.name] = {f: frozenset[str]().union(*(way[f] for way in ways)) for f in forks}
    return found


def arms_of(wire: Input, found: Mapping[str, Arms]) -> Arms:
    """The same for what flows through a wire."""
    if wire.port is None:
        return found[wire.node]
    return {**found[wire.node], wire.node: frozenset([wire.port])}


def apart(one: Arms, other: Arms) -> bool:
    """Is there a fork that sends each element to at most one of the two?"""
    return any(arms.isdisjoint(other[fork]) for fork, arms in one.items() if fork in other)
