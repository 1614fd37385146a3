"""Joins that can never succeed, because no element has all of the joined outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from mmnotebook.graph.graph import Graph, Input, Node
from mmnotebook.graph.kinds import KINDS
from mmnotebook.steps import phrases
from mmnotebook.steps.exclusive import Arms, apart, arms_by_node, arms_of, needs_all

Path = tuple[str, ...]
"""The flat_map steps that created an element and its ancestors, from the first to the last."""
Levels = frozenset[Path]
"""The paths of the elements of one node."""


@dataclass(frozen=True)
class ImpossibleJoin:
    """A join that can never succeed.

    Attributes
    ----------
    node
        The name of the node that joins.
    message
        The reason why no element is in both of two inputs.
    allowed
        What the user can write instead.
    """

    node: str
    message: str
    allowed: str


def impossible_joins(graph: Graph) -> Iterator[ImpossibleJoin]:
    """Yield the joins of a graph that can never succeed; each node at most once.

    Parameters
    ----------
    graph
        A graph without other problems.
    """
    if all(node.gather != "join" for node in graph):
        return
    order = graph.order()
    arms, levels = arms_by_node(order), _levels(order)
    for node in order:
        pairs = combinations(node.inputs, 2) if node.gather == "join" else ()
        found = (_why(graph, node, *pair, arms, levels) for pair in pairs)
        yield from list(filter(None, found))[:1]


def _why(
    graph: Graph,
    node: Node,
    one: Input,
    other: Input,
    arms: Mapping[str, Arms],
    levels: Mapping[str, Levels],
) -> ImpossibleJoin | None:
    """Return why no element can be in both inputs of a join; None if an element can be in both."""
    ways = arms_of(one, arms), arms_of(other, arms)
    if needs_all(node) and apart(*ways):
        return ImpossibleJoin(node.name, _apart((one, other), ways), _united(node, one, other))
    first, second = levels[one.node], levels[other.node]
    if first & second or not (needs_all(node) or _alike(first, second)):
        return None
    whole = _deepest(first, second)
    names = f"{phrases.reference(one)} and {phrases.reference(other)}"
    if whole is None:
        message = f"{names} are children of different flat_map steps: no child is in both"
        allowed = _united(node, one, other) + "; or one flat_map for both"
        return ImpossibleJoin(node.name, message, allowed)
    made = graph[whole]
    maker = " and ".join(made.functions) or repr(whole)
    message = (
        f"{names} have no element in common: {whole!r} creates children, "
        "and a child is not its parent"
    )
    allowed = (
        f"outputs after {whole!r} only; {maker} can pass each child what it needs from "
        'its parent: {"part": …, "whole": …}'
    )
    return ImpossibleJoin(node.name, message, allowed)


def _levels(order: Sequence[Node]) -> dict[str, Levels]:
    """Return the paths of flat_map steps that lead to the elements of each node."""
    found: dict[str, Levels] = {}
    for node in order:
        above = [found[wire.node] for wire in node.inputs]
        levels = frozenset[Path]().union(*above) if above else frozenset([()])
        if above and needs_all(node):
            levels = levels.intersection(*above) or levels
        if node.step.outputs == "any number":
            levels = frozenset((*path, node.name) for path in levels)
        found[node.name] = levels
    return found


def _alike(first: Levels, second: Levels) -> bool:
    """Return whether two of the paths have the same length, so that child ids can be equal."""
    return any(len(one) == len(other) for one in first for other in second)


def _deepest(first: Levels, second: Levels) -> str | None:
    """Return a flat_map step that is before only one of the two inputs; None if there is none."""
    pairs = [sorted((one, other), key=len) for one in first for other in second]
    below = [short for short, long in pairs if long[: len(short)] == short]
    if len(below) < len(pairs):
        return None
    short, long = max(pairs, key=lambda pair: (len(pair[0]), pair))
    return long[len(short)]


def _apart(wires: tuple[Input, Input], ways: tuple[Arms, Arms]) -> str:
    names = " and ".join(map(phrases.reference, wires))
    fork = next(f for f in ways[0] if f in ways[1] and ways[0][f].isdisjoint(ways[1][f]))
    taken = " and ".join(", ".join(sorted(way[fork])) for way in ways)
    return f"{names} never have the same element: {fork!r} sends each to one of {taken}"


def _united(node: Node, one: Input, other: Input) -> str:
    """Return text for a message: how to write a step that receives each input separately."""
    both = f"{{{phrases.reference(one)}, {phrases.reference(other)}}}"
    if KINDS[node.kind].inputs == "join":
        return f"{both} | step, without {node.kind}(): there is one output for each element"
    if len(node.inputs) > 2:
        return f"{both} | step, and that joined with the others"
    kept = tuple(pair for pair in node.params if pair[0] != "missing")
    return f"{both} | {phrases.step(replace(node, params=kept))}"
