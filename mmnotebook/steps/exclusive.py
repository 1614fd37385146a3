"""Which outputs never carry the same element: those behind different arms of one fork."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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
        found[node.name] = _of_all(ways) if needs_all(node) else _of_one(ways)
    return found


def needs_all(node: Node) -> bool:
    """Does a step take only the elements for which each of its inputs has an output?"""
    return node.gather == "join" and dict(node.params).get("missing") != "use rest"


def _of_one(ways: Sequence[Arms]) -> Arms:
    """The arms of what has come one of several ways."""
    forks = set(ways[0]).intersection(*ways[1:]) if ways else ()
    return {fork: frozenset[str]().union(*(way[fork] for way in ways)) for fork in forks}


def _of_all(ways: Sequence[Arms]) -> Arms:
    """The arms of what has come all of several ways."""
    found: dict[str, frozenset[str]] = {}
    for fork in dict.fromkeys(fork for way in ways for fork in way):
        first, *others = (way[fork] for way in ways if fork in way)
        # Where no element can come all ways, what follows is not to be blamed for it.
        found[fork] = first.intersection(*others) or first.union(*others)
    return found


def arms_of(wire: Input, found: Mapping[str, Arms]) -> Arms:
    """The same for what flows through a wire."""
    if wire.port is None:
        return found[wire.node]
    return {**found[wire.node], wire.node: frozenset([wire.port])}


def apart(one: Arms, other: Arms) -> bool:
    """Is there a fork that sends each element to at most one of the two?"""
    return any(arms.isdisjoint(other[fork]) for fork, arms in one.items() if fork in other)
