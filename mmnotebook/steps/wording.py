"""What a node does, in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmnotebook.graph.graph import Node
from mmnotebook.graph.kinds import arm_names

_OPEN = "…"


def does(node: Node) -> str:
    """What a node does, without what its name says already; what is not there yet is "…"."""
    given = dict(node.params)
    words = _WORDS.get(node.kind, _plain)(node, given)
    return "" if words == node.name else words.removeprefix(f"{node.name} ")


def _split(node: Node, given: Mapping[str, Any]) -> str:
    arms = [
        f"{arm} {weight:.4g}" if isinstance(weight, (int, float)) else f"{arm} {weight}"
        for arm, weight in given.get("arms", ())
    ]
    by = _key(given)
    return f"split {', '.join(arms) or _OPEN}" + (f" by {by}" if by else "")


def _switch(node: Node, given: Mapping[str, Any]) -> str:
    arms = ", ".join(arm_names(node.kind, dict(given)))
    return f"switch {given.get('function', _OPEN)}: {arms or _OPEN}"


def _cascade(node: Node, given: Mapping[str, Any]) -> str:
    below = given.get("below")
    bound = f"{below:g}" if isinstance(below, (int, float)) else _OPEN
    return f"{given.get('small', _OPEN)} → {given.get('big', _OPEN)} below {bound}"


def _keyed(node: Node, given: Mapping[str, Any]) -> str:
    count = len(node.models)
    return f"{count} model{'' if count == 1 else 's'} by {_key(given) or 'key'}"


def _plain(node: Node, given: Mapping[str, Any]) -> str:
    first = next((str(value) for value in given.values()), None)
    return node.kind if first in (None, node.name) else f"{node.kind} {first}"


def _key(given: Mapping[str, Any]) -> str | None:
    """What a split or a keyed step goes by: a field or a function."""
    return given.get("by") or given.get("by_function")


_WORDS = {"split": _split, "switch": _switch, "cascade": _cascade, "keyed": _keyed}
