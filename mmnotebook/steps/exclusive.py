"""Outputs that never contain the same element: different branches of one routing step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mmnotebook.graph.graph import Input, Node

Arms = Mapping[str, frozenset[str]]
"""The branches that elements can have taken, by the name of the routing step."""


def arms_by_node(order: Iterable[Node]) -> dict[str, Arms]:
    """Return the branches that each node's elements can have taken at earlier routing steps.

    A routing step is left out if some of the elements did not pass through this step.

    Parameters
    ----------
    order
        The nodes in topological order.
    """
    found: dict[str, Arms] = {}
    for node in order:
        ways = [arms_of(wire, found) for wire in node.inputs]
        found[node.name] = _of_all(ways) if needs_all(node) else _of_one(ways)
    return found


def needs_all(node: Node) -> bool:
    """Return whether a step processes an element only if every input has an output for it."""
    return node.gather == "join" and dict(node.params).get("missing") != "use rest"


def _of_one(ways: Sequence[Arms]) -> Arms:
    """Return the branches of elements that are in any of several inputs."""
    forks = set(ways[0]).intersection(*ways[1:]) if ways else ()
    return {fork: frozenset[str]().union(*(way[fork] for way in ways)) for fork in forks}


def _of_all(ways: Sequence[Arms]) -> Arms:
    """Return the branches of elements that are in all of several inputs."""
    found: dict[str, frozenset[str]] = {}
    for fork in dict.fromkeys(fork for way in ways for fork in way):
        first, *others = (way[fork] for way in ways if fork in way)
        # If no element is in all inputs, the problem is reported here, not at the steps after it.
        found[fork] = first.intersection(*others) or first.union(*others)
    return found


def arms_of(wire: Input, found: Mapping[str, Arms]) -> Arms:
    """Return the branches that the elements of an input can have taken."""
    if wire.port is None:
        return found[wire.node]
    return {**found[wire.node], wire.node: frozenset([wire.port])}


def apart(one: Arms, other: Arms) -> bool:
    """Return whether a routing step passes each element to at most one of two inputs."""
    return any(arms.isdisjoint(other[fork]) for fork, arms in one.items() if fork in other)
