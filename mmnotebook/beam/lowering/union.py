"""Unions of sources, and the check that their ids are unambiguous."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import Records
from mmnotebook.errors import RunError
from mmnotebook.graph.graph import Graph, Node


def check(graph: Graph, objects: Mapping[str, Sequence[Block]]) -> None:
    """Check that different elements of united sources have different ids, if they have fields.

    Parameters
    ----------
    objects
        The blocks of the sources that are notebook data; ids of files are always unambiguous.

    Raises
    ------
    RunError
        If two sources have an element with the same id. The message names the sources and the id.
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
                    f"node {node.name!r} takes the union of {one!r} and {other!r}, but both have "
                    f"an element with the id {shared!r}: its fields would be ambiguous",
                    remedy=f'source({one}, id="column") where each row has a unique id, or '
                    f"all = pandas.concat([{one}, {other}], ignore_index=True)",
                )


def _united(graph: Graph, node: Node) -> Iterator[tuple[str, str]]:
    """Yield pairs of sources whose elements reach a node through different inputs."""
    if node.gather == "join" or len(node.inputs) < 2:
        return
    above = [{one.name for one in graph.upto(wire.node) if not one.inputs} for wire in node.inputs]
    for one, other in itertools.combinations(above, 2):
        yield from itertools.product(sorted(one - other), sorted(other - one))


def _shared(one: Sequence[Block], other: Sequence[Block]) -> str | None:
    """Return the first id that both sources have, if one of them has fields."""
    if not (_has_fields(one) or _has_fields(other)):
        return None
    known = {id for block in other for id in block.ids}
    return next((id for block in one for id in block.ids if id in known), None)


def _has_fields(blocks: Sequence[Block]) -> bool:
    return any(isinstance(block.values, Records) for block in blocks)
