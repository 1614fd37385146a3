"""Node positions on a canvas: layered layout, and free places near the inputs of a node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from mmnotebook.graph.graph import Graph, Node
from mmnotebook.steps.drawing_layout import SPACE, place

Place = tuple[float, float]

SIZE = (168.0, 56.0)
"""Width and height of a node, in canvas units: pixels at zoom 1."""
GAP = (72.0, 28.0)
"""The minimum space between columns, where wires have labels, and between rows."""
STEP = (SIZE[0] + GAP[0], SIZE[1] + GAP[1])
ROOM, PITCH = 3, 14.0
"""The number of outputs that fit on a card of height `SIZE`, and the height of each further one."""
_LETTER, _NAME = 6.0, 62.0
"""The space for a letter of an output's name, and the maximum for the name."""


def height_of(node: Node) -> float:
    """Return the height of a node's card."""
    return SIZE[1] + PITCH * max(0, len(node.arms) - ROOM)


def arranged(graph: Graph) -> dict[str, Place]:
    """Lay out a graph in layers from left to right; return the top-left corner of each node."""
    if not graph.nodes:
        return {}
    heights = {node.name: height_of(node) for node in graph}
    row = max(heights.values()) + GAP[1]
    widths = dict.fromkeys(graph.names, SIZE[0])
    gaps = {(wire.node, node.name): _gap(wire.port) for node in graph for wire in node.inputs}
    # Wires do not bend around nodes: a wire that passes a node needs a separate row.
    boxes = place(graph, widths, row - SPACE, gaps, passing=row).boxes
    tops = {name: boxes[name].middle - height / 2 for name, height in heights.items()}
    first = min(tops.values())
    return {name: (boxes[name].left, top - first) for name, top in tops.items()}


def _gap(port: str | None) -> float:
    """Return the width for a wire, which begins with a straight line below its output's name."""
    return GAP[0] + (0.0 if port is None else min(_NAME, _LETTER * len(port)))


def shifted(block: Mapping[str, Place], taken: Collection[Place]) -> dict[str, Place]:
    """Move a block of nodes down, by the smallest distance, so that it overlaps no other node."""
    width, height = STEP[0] - GAP[0] / 2, STEP[1]
    apart = {b - y for x, y in block.values() for a, b in taken if -width < a - x < width}
    blocked = sorted((down - height, down + height) for down in apart)
    shift = 0.0
    for start, stop in blocked:
        if start < shift < stop:
            shift = stop
    return {name: (x, y + shift) for name, (x, y) in block.items()}


def free(wanted: Place, taken: Collection[Place]) -> Place:
    """Return the wanted place of a node, or the next free place below it."""
    return shifted({"": wanted}, taken)[""]


def at_corner(block: Mapping[str, Place], corner: Place) -> dict[str, Place]:
    """Move a block of nodes so that its top-left corner is at this place."""
    left, top = (min(place[axis] for place in block.values()) for axis in (0, 1))
    return {name: (x - left + corner[0], y - top + corner[1]) for name, (x, y) in block.items()}


def below(places: Mapping[str, Place]) -> Place:
    """Return the place below all nodes, at the left."""
    if not places:
        return 0.0, 0.0
    left = min(x for x, _ in places.values())
    return left, max(y for _, y in places.values()) + STEP[1]


def beside(name: str | None, places: Mapping[str, Place]) -> Place:
    """Return the place to the right of a node; below all nodes if there is no such node."""
    if name is None or name not in places:
        return below(places)
    return places[name][0] + STEP[0], places[name][1]


def completed(graph: Graph, places: Mapping[str, Place]) -> dict[str, Place]:
    """Return places for all nodes: the given places, and free places near inputs for others."""
    kept = {name: places[name] for name in graph.names if name in places}
    if not kept:
        return arranged(graph)
    fed = defaultdict(list)
    for node in graph:
        for wire in node.inputs:
            fed[wire.node].append(node.name)
    left = [node for node in graph.order() if node.name not in kept]
    while left:
        node = _nearest(left, fed, kept)
        left.remove(node)
        kept[node.name] = free(_wanted(node, fed[node.name], kept), kept.values())
    return {name: kept[name] for name in graph.names}


def arranged_there(graph: Graph, places: Mapping[str, Place]) -> dict[str, Place]:
    """Lay out a graph like `arranged`, at the top-left corner of the current places."""
    made = arranged(graph)
    if not places or not made:
        return made
    left, top = (min(place[axis] for place in places.values()) for axis in (0, 1))
    return at_corner(made, (left, top))


def _nearest(
    left: Sequence[Node], fed: Mapping[str, Sequence[str]], places: Mapping[str, Place]
) -> Node:
    """Return the node to place next: a successor of a placed node, else a predecessor, else any."""
    for node in left:
        if any(wire.node in places for wire in node.inputs):
            return node
    for node in reversed(left):
        if any(name in places for name in fed.get(node.name, ())):
            return node
    return left[0]


def _wanted(node: Node, fed: Iterable[str], places: Mapping[str, Place]) -> Place:
    """Return a place between a node's inputs and successors; without these, below all nodes."""
    before = [places[wire.node] for wire in node.inputs if wire.node in places]
    behind = [places[name] for name in fed if name in places]
    if before:
        left = max(x for x, _ in before)
        between = [(left + x) / 2 for x, _ in behind if x > left]
        return min([left + STEP[0], *between]), _mean(before)
    if behind:
        return min(x for x, _ in behind) - STEP[0], _mean(behind)
    return below(places)


def _mean(places: Collection[Place]) -> float:
    return sum(y for _, y in places) / len(places)
