"""Pure functions that choose the branch of an element."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmnotebook.errors import nearest, shown
from mmnotebook.results.values import plain


def fraction(token: str, salt: str) -> float:
    """Hash a token to a number in [0, 1) that is equal in every process and Python version."""
    digest = hashlib.blake2b(token.encode(), key=_key(salt), digest_size=8).digest()
    # 53 bits, so that no hash is rounded up to 1.
    return (int.from_bytes(digest, "big") >> 11) / 2.0**53


def _key(salt: str) -> bytes:
    return hashlib.blake2b(salt.encode(), digest_size=32).digest()


def token(value: Any) -> str:
    """Return the text of a value for its hash; equal numbers and times have the same text.

    The text of a pandas or NumPy value is never its repr, which depends on the library version.
    """
    value = plain(value)
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, datetime.date):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else repr(value)


def branch(part: float, branches: Sequence[tuple[str, float]]) -> str:
    """Return the branch whose interval between 0 and 1 contains `part`."""
    end = 0.0
    for name, share in branches:
        end += share
        if part < end:
            return name
    return branches[-1][0]


def named(value: Any, branches: Sequence[str]) -> str:
    """Return the branch that the function of a switch returned.

    Raises
    ------
    ValueError
        If the value is not the name of a branch.
    """
    name = plain(value)
    if isinstance(name, str) and name in branches:
        return str(name)
    close = nearest(name, branches) if isinstance(name, str) else None
    raise ValueError(
        f"the function returned {shown(value)}, which is not a branch of this step; allowed: "
        f"{', '.join(map(repr, branches))}" + (f"; did you mean {close!r}?" if close else "")
    )
