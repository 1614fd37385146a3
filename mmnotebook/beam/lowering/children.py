"""Ids of children, `parent/0`, and the check that no row has such an id."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping

import networkx

from mmnotebook.elements.block import Block
from mmnotebook.errors import RunError
from mmnotebook.graph.graph import Graph

_NUMBERED = re.compile(r"(.*)/(?:0|[1-9][0-9]*)", re.DOTALL)


def parents(name: str) -> Iterator[str]:
    """Yield the ids of all possible ancestors of a child with this id, nearest first."""
    while (found := _NUMBERED.fullmatch(name)) is not None:
        name = found[1]
        yield name


def check(graph: Graph, objects: Mapping[str, Iterable[Block]]) -> None:
    """Raise RunError if a row has an id that a flat_map may create for a child of another row.

    Parameters
    ----------
    graph
        A valid graph.
    objects
        The elements of each source node, where known.
    """
    for step, rows, beside in _families(graph):
        like = {name: one for one in beside for name in _ids(objects.get(one, ())) if "/" in name}
        if not like:
            continue
        known = {name: one for one in rows for name in _ids(objects.get(one, ()))}
        for name, source in like.items():
            parent = next((one for one in parents(name) if one in known), None)
            if parent is not None:
                raise _taken(step, source, name, known[parent], parent)


def _families(graph: Graph) -> Iterator[tuple[str, set[str], set[str]]]:
    """Yield each flat_map, its sources, and the sources of the flat_map and of all later nodes."""
    makers = [node.name for node in graph if node.step.has_children]
    network = graph.network() if makers else networkx.DiGraph()
    sources = {node.name for node in graph if not node.inputs}
    for step in makers:
        below = {step, *networkx.descendants(network, step)}
        above = (networkx.ancestors(network, name) for name in below)
        yield step, networkx.ancestors(network, step) & sources, set().union(*above) & sources


def _ids(blocks: Iterable[Block]) -> Iterable[str]:
    return itertools.chain.from_iterable(block.ids for block in blocks)


def _taken(step: str, source: str, name: str, of: str, parent: str) -> RunError:
    return RunError(
        f"source {source!r}: the row {name!r} has the same id as a child that "
        f"{step!r} can create from the row {parent!r}" + (f" of {of!r}" if of != source else ""),
        remedy='frame.reset_index(drop=True), or id= with a column whose values hold no "/"',
        node=source,
    )
