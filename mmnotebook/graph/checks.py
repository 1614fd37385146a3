"""What a step's parameters may be: checks of values, and what is wrong with the others."""

from __future__ import annotations

import keyword
import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any


def is_name(value: Any) -> bool:
    """Can `value` name a node, a model or a function? Only in the form Python reads it back in."""
    return (
        isinstance(value, str)
        and value.isidentifier()
        and not keyword.iskeyword(value)
        and unicodedata.is_normalized("NFKC", value)
    )


def is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def is_fraction(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def is_count(value: Any) -> bool:
    """A whole number from 1 that any program can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**31


def is_grouping(value: Any) -> bool:
    return isinstance(value, bool) or value == "auto"


def is_weights(value: Any) -> bool:
    """((arm, fraction), ...), the fractions positive and adding up to 1."""
    try:
        names = [name for name, _ in value]
        parts = [part for _, part in value]
    except (TypeError, ValueError):
        return False
    return (
        len(names) >= 2
        and all(is_name(name) for name in names)
        and len(set(names)) == len(names)
        and all(is_fraction(part) and part > 0 for part in parts)
        and math.isclose(sum(parts), 1.0, abs_tol=1e-9)
    )


def is_arms(value: Any) -> bool:
    """(arm, ...), all different."""
    return (
        isinstance(value, tuple)
        and len(value) >= 2
        and all(is_name(name) for name in value)
        and len(set(value)) == len(value)
    )


def is_mapping(value: Any) -> bool:
    """(((key, ...), name), ...), no key in two of them."""
    try:
        groups = [group for group, _ in value]
        names = [name for _, name in value]
    except (TypeError, ValueError):
        return False
    return (
        bool(groups)
        and all(isinstance(group, tuple) and group for group in groups)
        and all(isinstance(key, str) for group in groups for key in group)
        and not _in_two(groups)
        and all(is_name(name) for name in names)
    )


def one_of(*allowed: Any) -> Any:
    """The check that a value is one of these."""
    return lambda value: any(type(value) is type(one) and value == one for one in allowed)


def _in_two(groups: Iterable[Sequence[str]]) -> list[str]:
    counts = Counter(key for group in groups for key in group)
    return [key for key, count in counts.items() if count > 1]


def key_in_two(value: Any) -> str | None:
    """What is wrong with a mapping that has a key in two of its places; None when none is."""
    try:
        key = _in_two(group for group, _ in value)[0]
        names = [name for group, name in value if key in group]
    except (TypeError, ValueError, IndexError):
        return None
    places = " and ".join(f"{name!r}" for name in names)
    return f"the key {key!r} is in two mappings, to {places}"


def rest_of_a_stack(value: Any) -> str | None:
    """Why a stack cannot do with the outputs that there are; None for another value."""
    if value != "use rest":
        return None
    return "stack cannot use the rest: its shape would change from element to element"


def once_each(pairs: Any) -> Any:
    """The pairs of a mapping with every key once in its tuple; anything else as it is.

    Beam's documentation writes a key twice in one mapping, and Beam then refuses it.
    """
    try:
        return tuple((tuple(dict.fromkeys(group)), name) for group, name in pairs)
    except (TypeError, ValueError):
        return pairs
