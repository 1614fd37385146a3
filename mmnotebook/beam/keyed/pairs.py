"""The check for (key, value) pairs of a model per key without `by`."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from mmnotebook.beam.keyed.keys import is_pair
from mmnotebook.beam.lowering.step import Objects
from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import Records, Tuples
from mmnotebook.elements.elements import pick_column
from mmnotebook.errors import Problem, shown
from mmnotebook.graph.graph import Graph, Input, Node
from mmnotebook.steps.makers import makers

_LISTED = 12


def problems(
    graph: Graph, node: Node, objects: Objects, files: Collection[str]
) -> Iterator[Problem]:
    """Yield a problem for data without pairs before a step that takes its key from them.

    Parameters
    ----------
    objects
        The elements of the source nodes that are known.
    files
        The source nodes that read files.
    """
    if node["by"] is None and node["by_function"] is None:
        found = (
            problem
            for wire in makers(graph, node)
            for problem in _of_source(node, wire, objects.get(wire.node, ()), files)
        )
        yield from itertools.islice(found, 1)


def _of_source(
    node: Node, wire: Input, blocks: Iterable[Block], files: Collection[str]
) -> Iterator[Problem]:
    if wire.node in files and wire.select is None:
        yield _problem(node, f"the records of {wire.node!r}", ())
    for block in blocks:
        values, pick = pick_column(block.values, wire.select)
        if pick is not None:  # an element without the field fails in the run, with a message
            return
        if not _are_pairs(values):
            value = next(value for value in values if not is_pair(value))
            records = block.values if isinstance(block.values, Records) else None
            yield _problem(node, shown(value), records.columns if records else ())


def _are_pairs(values: Sequence[Any]) -> bool:
    if isinstance(values, Tuples):
        return len(values.columns) == 2 and values.kind is tuple
    return not (isinstance(values, Records) and len(values)) and all(map(is_pair, values))


def _problem(node: Node, found: str, fields: Iterable[str]) -> Problem:
    message = "without 'by' the elements must be (key, value) pairs, and these are not"
    listed = ", ".join(map(repr, itertools.islice(fields, _LISTED)))
    allowed = 'by="field"' + (f", one of {listed}," if listed else "") + " or by=function"
    return Problem(message, node.name, found=found, allowed=allowed)
