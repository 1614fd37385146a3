"""Checks of step parameters, and messages about invalid values."""

from __future__ import annotations

import keyword
import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

_DIGITS = 13
_NEAR = 2e-3  # the maximum relative error of a rounded fraction


NAMING = "use letters, digits and _, begin with a letter or _, and avoid Python keywords"
"""What to do about a name that is not valid, for error messages."""


def is_name(value: Any) -> bool:
    """Return whether a value can be the name of a node, a model or a function.

    Names are Python identifiers in the form in which Python's parser returns them (NFKC).
    """
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
    """Return whether a value is an integer from 1 to 2**31 - 1."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**31


def is_grouping(value: Any) -> bool:
    return isinstance(value, bool) or value == "auto"


def is_weights(value: Any) -> bool:
    """Return whether a value is a valid tuple of branch weights.

    Valid weights are ((branch, fraction), ...) with two or more different branches. The fractions
    are positive and add up to 1.
    """
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


def fractions(value: Any) -> dict[str, str] | None:
    """Divide weights by their sum, so that they add up to 1, and return them as text.

    The result maps each branch to its fraction. Each fraction has as few digits as possible. The
    result is None if the weights are invalid for another reason.
    """
    try:
        parts = {name: float(part) for name, part in value if is_name(name)}
        if len(parts) < 2 or len(parts) != len(value) or not min(parts.values()) > 0:
            return None
    except (TypeError, ValueError):
        return None
    total = sum(parts.values())
    exact = {name: part / total for name, part in parts.items()}
    most = max(exact, key=lambda name: exact[name])
    for digits in range(1, _DIGITS):
        near = {name: round(part, digits) for name, part in exact.items()}
        near[most] = round(1 - sum(part for name, part in near.items() if name != most), digits)
        close = (math.isclose(near[name], exact[name], rel_tol=_NEAR) for name in exact)
        if all(close) and is_weights(tuple(near.items())):
            return {name: f"{part:.{digits}f}".rstrip("0") for name, part in near.items()}
    return None


def split_in_proportion(value: Any) -> str | None:
    """Return the text of a split, with weights divided by their sum; None if they are invalid."""
    found = fractions(value)
    if found is None:
        return None
    return f"split({', '.join(f'{name}={part}' for name, part in found.items())})"


def is_arms(value: Any) -> bool:
    """Return whether a value is a tuple of two or more different branch names."""
    return (
        isinstance(value, tuple)
        and len(value) >= 2
        and all(is_name(name) for name in value)
        and len(set(value)) == len(value)
    )


def is_mapping(value: Any) -> bool:
    """Return whether a value is (((key, ...), name), ...) and contains no key twice."""
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
    """Return a function that checks whether a value is one of `allowed`, with the same type."""
    return lambda value: any(type(value) is type(one) and value == one for one in allowed)


def _in_two(groups: Iterable[Sequence[str]]) -> list[str]:
    counts = Counter(key for group in groups for key in group)
    return [key for key, count in counts.items() if count > 1]


def key_in_two(value: Any) -> str | None:
    """Return a message about the first key that is in two mappings; None if no key is."""
    try:
        key = _in_two(group for group, _ in value)[0]
        names = [name for group, name in value if key in group]
    except (TypeError, ValueError, IndexError):
        return None
    places = " and ".join(f"{name!r}" for name in names)
    return f"the key {key!r} is in two mappings, to {places}"


def rest_of_a_stack(value: Any) -> str | None:
    """Return why `missing="use rest"` is not valid for a stack; None if the value is different."""
    if value != "use rest":
        return None
    return "stack cannot use the rest: the output shape would differ between elements"


def once_each(pairs: Any) -> Any:
    """Remove the duplicate keys in each tuple of keys of a mapping.

    A value that is not such a mapping is returned unchanged.

    An example in Beam's documentation has a duplicate key, although Beam itself raises an error for
    duplicate keys.
    """
    try:
        return tuple((tuple(dict.fromkeys(group)), name) for group, name in pairs)
    except (TypeError, ValueError):
        return pairs
