"""The share of elements per branch of splits, switches, cascades and keyed steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from mmnotebook.graph.graph import Node
from mmnotebook.results.records import Elements


def table(nodes: Sequence[Node], elements: Callable[[str], Elements]) -> pd.DataFrame:
    """Count the elements per branch, or per model that predicted them.

    Parameters
    ----------
    nodes
        The nodes of the graph, in order; nodes that have no branches and do not choose
        a model are ignored.
    elements
        Returns the stored elements of a node.

    Returns
    -------
    DataFrame
        Index (node, arm). The arm of a cascade or keyed step is the model that predicted.
        Columns: elements; share, the part of the node's outputs (0 to 1; NaN without outputs); and
        expected, the weight of the branch in a split (NaN for other kinds of step).
    """
    rows = [row for node in nodes for row in _rows(node, elements)]
    index = pd.MultiIndex.from_tuples([row[:2] for row in rows], names=["node", "arm"])
    frame = pd.DataFrame([row[2:] for row in rows], columns=["elements", "share", "expected"])
    types = {"elements": "int64", "share": "float64", "expected": "float64"}
    return frame.astype(types).set_index(index)


def _rows(node: Node, elements: Callable[[str], Elements]) -> list[tuple[Any, ...]]:
    kind = node.step
    by_branch = kind.family == "routing"
    if not by_branch and not kind.chooses_models:
        return []
    found = elements(node.name)
    taken = Counter(found.branches() if by_branch else found.models())
    total = sum(taken.values())
    expected = dict(node[str(node.step.arms)]) if node.step.weighed else {}
    names = node.arms if by_branch else node.models
    return [
        (
            node.name,
            name,
            taken[name],
            taken[name] / total if total else float("nan"),
            expected.get(name, float("nan")),
        )
        for name in names
    ]
