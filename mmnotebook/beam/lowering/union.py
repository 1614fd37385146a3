"""Sources that are united: the ids of their elements must tell whose fields an element has."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import Records
from mmnotebook.errors import RunError
from mmnotebook.graph.graph import Graph, Node


def check(graph: Graph, objects: Mapping[str, Sequence[Block]]) -> None:
    """Look for united sources with fields that give one id to elements of their own.

    Parameters
    ----------
    objects
        The blocks of the sources that are the notebook's own data; files name their elements.

    Raises
    ------
    RunError
        When there are such, with the sources and the first id that both have.
    """
    for node in graph:
        for one, other in _united(graph, node):
            if one not in objects or other not in objects:
                continue
            if graph[one]["data"] == graph[other]["data"]:
                continue
            shared = _shared(objects[one], objects[other])
            if shared is not None:
                raise RunError(
                    f"node {node.name!r} unites {one!r} and {other!r}, and both have an element "
                    f"with the id {shared!r}: which fields it has could not be told",
                    remedy=f'source({one}, id="column") where each row has an id of its own, or '
                    f"all = pandas.concat([{one}, {other}], ignore_index=True)",
                )


def _united(graph: Graph, node: Node) -> Iterator[tuple[str, str]]:
    """Two sources of elements that come into a node from different inputs, each from its own."""
    if node.gather == "join" or len(node.inputs) < 2:
        return
    above = [{one.name for one in graph.upto(wire.node) if not one.inputs} for wire in node.inputs]
    for one, other in itertools.combinations(above, 2):
        yield from itertools.product(sorted(one - other), sorted(other - one))


def _shared(one: Sequence[Block], other: Sequence[Block]) -> str | None:
    """The first id that both have, where one of them has fields."""
    if not (_has_fields(one) or _has_fields(other)):
        return None
    known = {id for block in other for id in block.ids}
    return next((id for block in one for id in block.ids if id in known), None)


def _has_fields(blocks: Sequence[Block]) -> bool:
    return any(isinstance(block.values, Records) for block in blocks)
