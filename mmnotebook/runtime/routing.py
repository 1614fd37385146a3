"""Which arm an element takes, and what becomes of several outputs for one; pure functions."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmnotebook.analysis.values import plain


def fraction(token: str, salt: str) -> float:
    """A number from 0 to below 1, the same for the same token and salt everywhere and always."""
    digest = hashlib.blake2b(token.encode(), key=_key(salt), digest_size=8).digest()
    # 53 bits, so that no hash is rounded up to 1.
    return (int.from_bytes(digest, "big") >> 11) / 2.0**53


def _key(salt: str) -> bytes:
    return hashlib.blake2b(salt.encode(), digest_size=32).digest()


def token(value: Any) -> str:
    """What of a field's value is hashed: numbers that are equal give one text."""
    value = plain(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else repr(value)


def arm(part: float, arms: Sequence[tuple[str, float]]) -> str:
    """The arm whose share of 0 to 1 holds `part`."""
    end = 0.0
    for name, share in arms:
        end += share
        if part < end:
            return name
    return arms[-1][0]


def vote(outputs: Mapping[str, Any]) -> Any:
    """The label that most models gave; in a tie the one that came first in the list.

    Raises
    ------
    TypeError
        When a model gave scores in place of one label.
    """
    labels = {name: plain(value) for name, value in outputs.items()}
    for name, label in labels.items():
        if isinstance(label, np.ndarray):
            raise TypeError(
                f"vote takes one label per model; {name} gave {label.size} numbers: "
                "register it with output='argmax', or use mean()"
            )
    return Counter(labels.values()).most_common(1)[0][0]


def mean(outputs: Mapping[str, Any]) -> Any:
    """The mean of the models' outputs, element by element; all of one shape."""
    arrays = [np.asarray(plain(value), dtype=float) for value in outputs.values()]
    return plain(np.mean(np.stack(arrays), axis=0))


def stack(outputs: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The models' outputs as one array, models first, in the order of the list.

    Raises
    ------
    ValueError
        When a model gave nothing for this element.
    """
    missing = [name for name in names if name not in outputs]
    if missing:
        raise ValueError(f"no output of {', '.join(missing)} for this element")
    return np.stack([np.asarray(plain(outputs[name])) for name in names])
