"""Short descriptions of nodes."""

from __future__ import annotations

from mmnotebook.graph.graph import Node
from mmnotebook.graph.kinds import KINDS


def does(node: Node) -> str:
    """Describe a node in a few words, without its name; "…" is a missing parameter."""
    kind = KINDS.get(node.kind)
    words = _plain(node) if kind is None or kind.describe is None else kind.describe(node)
    return "" if words == node.name else words.removeprefix(f"{node.name} ")


def cut(text: str, longest: int) -> str:
    """Return a text on one line, with at most `longest` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


def _plain(node: Node) -> str:
    first = next((str(value) for _, value in node.params), None)
    return node.kind if first in (None, node.name) else f"{node.kind} {first}"
