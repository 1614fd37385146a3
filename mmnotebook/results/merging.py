"""Sums of the measures of two runs of one graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import pandas as pd

from mmnotebook.errors import ResultError
from mmnotebook.graph.graph import Graph
from mmnotebook.results.metrics import ModelMeasure, NodeMeasure, merge
from mmnotebook.results.records import Warned


def nodes(
    one: Mapping[str, NodeMeasure], other: Mapping[str, NodeMeasure]
) -> dict[str, NodeMeasure]:
    """Return the measures of each node, added; a node is cached if it is cached in both."""
    return {
        name: _node(one[name], other[name])
        if name in one and name in other
        else one.get(name) or other[name]
        for name in {**one, **other}
    }


def _node(one: NodeMeasure, other: NodeMeasure) -> NodeMeasure:
    return replace(
        one,
        elements_in=_sum(one.elements_in, other.elements_in),
        elements_out=_sum(one.elements_out, other.elements_out),
        failed=one.failed + other.failed,
        seconds=_sum(one.seconds, other.seconds),
        bytes=_sum(one.bytes, other.bytes),
        cached=one.cached and other.cached,
        window_rows=one.window_rows if one.window_rows == other.window_rows else None,
        grouped=one.grouped if one.grouped == other.grouped else None,
    )


Number = TypeVar("Number", int, float)


def _sum(one: Number | None, other: Number | None) -> Number | None:
    return None if one is None or other is None else one + other


def models(
    one: Mapping[str, ModelMeasure], other: Mapping[str, ModelMeasure]
) -> dict[str, ModelMeasure]:
    """Return the measures of each model: counts and sketches are added."""
    parts = (one, other)
    return {name: merge(part[name] for part in parts if name in part) for name in {**one, **other}}


def warned(one: Sequence[Warned], other: Sequence[Warned]) -> tuple[Warned, ...]:
    """Return the distinct warnings, with their counts added."""
    counts: Counter[Warned] = Counter()
    for warning in (*one, *other):
        counts[replace(warning, count=0)] += warning.count
    return tuple(replace(warning, count=count) for warning, count in counts.items())


def arms(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return the elements per branch, added, with their shares of the node."""
    both = one["elements"].add(other["elements"], fill_value=0).astype(int)
    whole = both.groupby(level="node").transform("sum")
    expected = one["expected"].combine_first(other["expected"])
    order = [*one.index, *(label for label in other.index if label not in one.index)]
    found = pd.DataFrame({"elements": both, "share": both / whole, "expected": expected})
    return found.reindex(pd.MultiIndex.from_tuples(order, names=one.index.names)) if order else one


def check(
    graph: Graph, other: Graph, digests: Mapping[str, str], others: Mapping[str, str]
) -> None:
    """Raise ResultError if two runs are of different graphs or models."""
    if graph != other:
        known = {node.name: node for node in graph}
        changed = [node.name for node in other if known.get(node.name) != node]
        changed += [name for name in known if name not in other]
        what = f"; different nodes: {', '.join(changed)}" if changed else "; different groups"
        raise ResultError(
            f"the runs are of different graphs{what}",
            remedy="compare them: mm.dashboard(r1, r2)",
        )
    for name in digests.keys() & others.keys():
        if digests[name] != others[name]:
            raise ResultError(
                f"the model {name!r} has other content in the other run",
                remedy="compare the runs: mm.dashboard(r1, r2)",
            )
