"""The layout of a drawn graph, in layers from left to right."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mmnotebook.graph.graph import Graph

Key = str | tuple[str, str, int]
"""The name of a node, or the place where an edge crosses a column: (from, to, column)."""
Edge = tuple[str, str]
"""The names of the nodes that an edge connects: (from, to)."""
Rows = tuple[float, float, float]
"""Vertical distances: between two boxes, between a box and an edge, and between two edges."""

SPACE = 18.0
_PASSING = 18.0
_SWEEPS = 8


@dataclass(frozen=True)
class Box:
    """A rectangle: its left and right edge and its vertical middle, in pixels."""

    left: float
    right: float
    middle: float


@dataclass(frozen=True)
class Placed:
    """The layout of a graph.

    Attributes
    ----------
    boxes
        The box of each node, by node name.
    ways
        The boxes of each edge, from its start to its end, by (from, to): those of its two nodes,
        and those of the columns that it crosses.
    width, height
        The size of the whole layout in pixels.
    """

    boxes: Mapping[str, Box]
    ways: Mapping[Edge, Sequence[Box]]
    width: float
    height: float


def place(
    graph: Graph,
    widths: Mapping[str, float],
    height: float,
    gaps: Mapping[Edge, float],
    passing: float | None = None,
    labels: Mapping[Edge, float] | None = None,
) -> Placed:
    """Lay out a graph.

    Parameters
    ----------
    graph
        A graph without a cycle.
    widths
        The widths of the boxes in pixels, by node name.
    height
        The height of every box.
    gaps
        The minimum distance between two columns, by edge.
    passing
        The minimum vertical distance from the middle of a box to an edge that goes past it; None
        for half the height of a box plus `SPACE`.
    labels
        The widths of the labels of edges. A label is in a column of labels, between two layers: in
        the second box of its edge.
    """
    layer = _opened(_layers(graph), labels or {})
    ways = {edge: _way(edge, layer) for edge in gaps}
    over = {ways[edge][1]: width for edge, width in (labels or {}).items()}
    wide: dict[Key, float] = {**over, **dict(widths.items())}
    links = [pair for way in ways.values() for pair in pairwise(way)]
    columns = _columns(graph, layer, ways)
    before, after = _neighbors(links)
    columns = _untangled(columns, before, after)
    beside = height / 2 + SPACE if passing is None else passing
    middles = _middles(columns, before, after, (height + SPACE, beside, _PASSING))
    top = min(middles.values()) - height / 2
    middles = {key: middle - top for key, middle in middles.items()}
    every = _boxes(columns, _rooms(columns, ways, gaps), wide, middles)
    boxes = {key: box for key, box in every.items() if isinstance(key, str)}
    bottom = max(box.middle for box in every.values()) + height / 2
    placed = {edge: [every[key] for key in way] for edge, way in ways.items()}
    return Placed(boxes, placed, max(box.right for box in boxes.values()), bottom)


def _layers(graph: Graph) -> dict[str, int]:
    """Return the layer of each node: after its inputs; a source is one before its first reader."""
    import networkx

    net = graph.network()
    layer = {}
    for depth, names in enumerate(networkx.topological_generations(net)):
        layer.update(dict.fromkeys(names, depth))
    for node in graph:
        fed = [layer[name] for name in net.successors(node.name)]
        if not node.inputs and fed:
            layer[node.name] = min(fed) - 1
    return layer


def _opened(layer: Mapping[str, int], labels: Mapping[Edge, float]) -> dict[str, int]:
    """Return the column of each node: its layer plus the number of label columns before it."""
    labelled = sorted({layer[start] for start, _ in labels})
    return {name: depth + bisect_left(labelled, depth) for name, depth in layer.items()}


def _way(edge: Edge, layer: Mapping[str, int]) -> list[Key]:
    start, stop = edge
    passing = range(layer[start] + 1, layer[stop])
    return [start, *((start, stop, depth) for depth in passing), stop]


def _columns(
    graph: Graph, layer: Mapping[str, int], ways: Mapping[Edge, Sequence[Key]]
) -> list[list[Key]]:
    """Return the nodes of each column and the edges that cross it, in their initial order."""
    columns: list[list[Key]] = [[] for _ in range(max(layer.values()) + 1)]
    for node in graph.order():
        columns[layer[node.name]].append(node.name)
    for way in ways.values():
        for key in way:
            if not isinstance(key, str):
                columns[key[2]].append(key)
    return columns


def _neighbors(links: Sequence[tuple[Key, Key]]) -> tuple[dict[Key, list[Key]], ...]:
    before: dict[Key, list[Key]] = defaultdict(list)
    after: dict[Key, list[Key]] = defaultdict(list)
    for left, right in links:
        after[left].append(right)
        before[right].append(left)
    return before, after


def _untangled(
    columns: list[list[Key]], before: Mapping[Key, list[Key]], after: Mapping[Key, list[Key]]
) -> list[list[Key]]:
    """Sort each column by the mean position of neighbors, repeatedly; return the best order.

    The best order has the fewest crossings.
    """
    best, fewest = columns, _crossings(columns, before)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        columns = [list(column) for column in columns]
        beside = after if sweep % 2 else before
        ordered = list(reversed(columns)) if sweep % 2 else columns
        for fixed, free in pairwise(ordered):
            spot = {key: float(place) for place, key in enumerate(fixed)}
            own = {key: place for place, key in enumerate(free)}
            free.sort(key=lambda key: _mean([spot[k] for k in beside.get(key, ())], own[key]))
        crossings = _crossings(columns, before)
        if crossings < fewest:
            best, fewest = columns, crossings
    return best


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _crossings(columns: Sequence[Sequence[Key]], before: Mapping[Key, Sequence[Key]]) -> int:
    count = 0
    for left, right in pairwise(columns):
        spot = {key: place for place, key in enumerate(left)}
        passed: list[int] = []
        for key in right:
            ends = sorted(spot[start] for start in before.get(key, ()))
            count += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return count


def _middles(
    columns: Sequence[Sequence[Key]],
    before: Mapping[Key, list[Key]],
    after: Mapping[Key, list[Key]],
    rows: Rows,
) -> dict[Key, float]:
    """Return vertical positions at which connected boxes are level, if there is space for it."""
    middles: dict[Key, float] = {}
    for column in columns:
        middles.update(_spread(column, [0.0] * len(column), rows))
    for sweep in range(_SWEEPS):
        beside = after if sweep % 2 else before
        for column in reversed(columns) if sweep % 2 else columns:
            wanted = [
                _mean([middles[k] for k in beside.get(key, ())], middles[key]) for key in column
            ]
            middles.update(_spread(column, wanted, rows))
    return middles


def _spread(column: Sequence[Key], wanted: Sequence[float], rows: Rows) -> dict[Key, float]:
    """Return the vertical positions closest to the wanted ones, in order and without overlap.

    This is isotonic regression (least squares) of the positions minus the distances: neighbors
    whose wanted positions are in the wrong order are pooled at their mean.
    """
    offsets, offset = [], 0.0
    for above, key in zip([None, *column], column, strict=False):
        if above is not None:
            offset += rows[isinstance(above, tuple) + isinstance(key, tuple)]
        offsets.append(offset)
    pools: list[tuple[float, int]] = []
    for target, shift in zip(wanted, offsets, strict=True):
        pools.append((target - shift, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (high, m), (low, n) = pools[-2:]
            pools[-2:] = [((high * m + low * n) / (m + n), m + n)]
    level = [value for value, count in pools for _ in range(count)]
    return {key: at + shift for key, at, shift in zip(column, level, offsets, strict=True)}


def _rooms(
    columns: Sequence[Sequence[Key]],
    ways: Mapping[Edge, Sequence[Key]],
    gaps: Mapping[Edge, float],
) -> list[float]:
    """Return the space after each column: the largest gap of the edges that start in it."""
    place = {key: column for column, keys in enumerate(columns) for key in keys}
    room = [0.0] * len(columns)
    for edge, way in ways.items():
        for key in way[:-1]:
            room[place[key]] = max(room[place[key]], gaps[edge])
    return room


def _boxes(
    columns: Sequence[Sequence[Key]],
    rooms: Sequence[float],
    widths: Mapping[Key, float],
    middles: Mapping[Key, float],
) -> dict[Key, Box]:
    """Return the box of each key; an edge that crosses a column has the width of the column."""
    boxes, left = {}, 0.0
    for column, room in zip(columns, rooms, strict=True):
        right = left + max((widths.get(key, 0.0) for key in column), default=0.0)
        for key in column:
            stop = left + widths[key] if isinstance(key, str) else right
            boxes[key] = Box(left, stop, middles[key])
        left = right + room
    return boxes
