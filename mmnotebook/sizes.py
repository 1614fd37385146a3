"""Sizes in bytes as text, such as "20GB"."""

from __future__ import annotations

import re
from operator import index
from typing import Any, SupportsIndex

from mmnotebook.errors import MMError, shown

_UNITS = ("", "k", "m", "g", "t")
_NAMES = ("bytes", "kB", "MB", "GB", "TB")
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?))?b?\s*", re.IGNORECASE)


def parse(name: str, size: Any) -> int:
    """Convert a size, a number or text, to bytes.

    Parameters
    ----------
    name
        The name of the setting, for the error.
    size
        A whole number of bytes, or text such as "500 MB" (10**6 bytes each) or "4GiB" (2**30).

    Returns
    -------
    int
        The size in bytes.

    Raises
    ------
    MMError
        If the size is neither such a number nor such text.

    Examples
    --------
    >>> parse("mm.cache.limit", "4GiB")
    4294967296
    """
    if isinstance(size, str) and (match := _TEXT.fullmatch(size)):
        number, unit, binary = match.groups()
        power = _UNITS.index((unit or "").lower())
        return round(float(number) * (1024.0 if binary else 1000.0) ** power)
    if isinstance(size, SupportsIndex) and not isinstance(size, bool) and index(size) >= 0:
        return index(size)
    raise MMError(
        f"{name}={shown(size)}; allowed: a whole number of bytes, or a string with a unit",
        remedy=f"for example {name} = '4GiB', or {name} = '500MB'",
    )


def text(size: float) -> str:
    """Format a number of bytes: `205.0 MB`, `512 bytes`."""
    power = 0
    while abs(size) >= 999.95 and power < len(_UNITS) - 1:
        size, power = size / 1000, power + 1
    return f"{size:.1f} {_NAMES[power]}" if power else f"{size:.0f} bytes"
