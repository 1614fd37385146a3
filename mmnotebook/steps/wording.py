"""Short descriptions of nodes."""

from __future__ import annotations

from mmnotebook.graph.graph import Node
from mmnotebook.graph.kinds import KINDS


def does(node: Node) -> str:
    """Return what a node does, without what its name says; "…" stands for what is missing."""
    kind = KINDS.get(node.kind)
    words = _plain(node) if kind is None or kind.describe is None else kind.describe(node)
    return "" if words == node.name else words.removeprefix(f"{node.name} ")


def _plain(node: Node) -> str:
    first = next((str(value) for _, value in node.params), None)
    return node.kind if first in (None, node.name) else f"{node.kind} {first}"
