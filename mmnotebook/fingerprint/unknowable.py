"""Descriptions of values that cannot be fingerprinted."""

from __future__ import annotations

import types
from typing import Any

from mmnotebook.graph.names import is_a

_NOUNS = (
    ({("_thread", "lock"), ("_thread", "RLock")}, "a lock"),
    ({("threading", "Thread")}, "a thread"),
    ({("socket", "socket")}, "a socket"),
    ({("_io", "_IOBase")}, "an open file"),
    ({("builtins", "generator")}, "a generator"),
)


class Unknowable(Exception):
    """A value cannot be fingerprinted; the message follows "not cacheable: "."""


def noun(value: Any) -> str:
    """Describe an object: "a lock", "an open file", "a Connection"."""
    for types_, words in _NOUNS:
        if is_a(value, types_):
            return words
    if isinstance(value, types.ModuleType):
        return f"the module {value.__name__}"
    if hasattr(type(value), "__next__"):
        return "an iterator"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
