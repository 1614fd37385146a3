"""Parameters that several step kinds have."""

from __future__ import annotations

from typing import Any

from mmnotebook.graph.checks import is_mapping, is_name, is_text, key_in_two, one_of
from mmnotebook.graph.graph import Node
from mmnotebook.graph.kinds import MISSING as ON_MISSING
from mmnotebook.graph.kinds import Param

OPEN = "…"
"""A placeholder for a missing parameter."""
GOES_BY = "the name of a field, or a function of the value"
ID = Param("id", is_text, "the name of a column")
FUNCTION = Param("function", is_name, "the name of a function", required=True, names="function")
BY = Param("by", is_text, GOES_BY, form="field")
BY_FUNCTION = Param("by_function", is_name, "the name of a function", names="function")
MISSING = Param("missing", one_of(*ON_MISSING), '"fail", "skip" or "use rest"', default="fail")


def model(name: str, words: str = "the name of a registered model", **about: Any) -> Param:
    """Return a parameter whose value is the name of a registered model."""
    return Param(name, is_name, words, names="model", **about)


def mapping(name: str, words: str, **about: Any) -> Param:
    """Return a parameter whose value is a dict that maps a key, or a tuple of keys, to a name."""
    allowed = f"{words}, each key once"
    return Param(name, is_mapping, allowed, form="mapping", why=key_in_two, **about)


def goes_by(node: Node) -> str | None:
    """Return the field or function that decides the branch or model; None if there is neither."""
    given = dict(node.params)
    return given.get("by") or given.get("by_function")
