"""Causes of failures: failures grouped by error, the most frequent first.

Messages that differ only in a value of the element have the same cause: numbers, addresses and
quoted texts are ignored.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|(?:(?<![\w)-])-)?\d+(?:[.,_]\d+)*(?:[eE][+-]?\d+)?")
_QUOTED = re.compile(
    r"""(?<![\w\\])b?(?P<quote>['"`])(?:(?!(?P=quote))[^\\]|\\.)*(?:(?P=quote)(?!\w)|…\Z)""",
    re.DOTALL,
)
"""A quoted text, also one whose end is cut off. An apostrophe in a word is not a quote."""

_FEW = 3
"""If a class has at most this number of such messages, each message is a separate cause."""

_MOST = 10_000
"""After this number of different messages, further messages are counted by class only."""


@dataclass(frozen=True)
class Cause:
    """A common cause of several failures.

    Attributes
    ----------
    error
        The class of the error.
    message, id
        The message and the element's id of the first failure.
    alike
        Whether all failures have this message, where numbers can differ, but not quoted texts.
    count
        The number of failures.
    """

    error: str
    message: str
    id: str
    alike: bool
    count: int


class Causes:
    """A counter of failures by cause: by class and message, without the values in the message."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], tuple[str, str]] = {}
        self._differ: set[tuple[str, str]] = set()

    def add(self, id: str, error: str, message: str) -> None:
        """Count a failure."""
        text = _NUMBERS.sub("#", message)
        key = error, _QUOTED.sub("''", text)
        if len(self._first) >= _MOST and key not in self._first:
            key = error, ""
        if key not in self._first:
            self._first[key] = message, id
        elif key not in self._differ and text != _NUMBERS.sub("#", self._first[key][0]):
            self._differ.add(key)
        self._counts[key] += 1

    def ranked(self) -> list[Cause]:
        """List the causes, the most frequent first.

        If most failures of a class still have different messages, the class is one cause, because
        such messages contain values of the elements without quotes.
        """
        found: list[Cause] = []
        for error in dict.fromkeys(error for error, _ in self._counts):
            counts = {key: count for key, count in self._counts.items() if key[0] == error}
            total = sum(counts.values())
            if len(counts) > _FEW and 2 * len(counts) > total:
                first = next(iter(counts))
                found.append(Cause(error, *self._first[first], False, total))
            else:
                for key, count in counts.items():
                    found.append(Cause(error, *self._first[key], key not in self._differ, count))
        return sorted(found, key=lambda cause: -cause.count)


def of(failures: Iterable[tuple[str, str, str]]) -> list[Cause]:
    """List the causes of failures; each failure is (id, error, message)."""
    causes = Causes()
    for failure in failures:
        causes.add(*failure)
    return causes.ranked()


def said(causes: list[Cause], most: int = 3) -> str:
    """Format the first `most` causes with their counts, on one line."""
    parts = [_formatted(cause) for cause in causes[:most]]
    rest = causes[most:]
    if rest:
        others = "1 other cause" if len(rest) == 1 else f"{len(rest):,} other causes"
        parts.append(f"{sum(cause.count for cause in rest):,} × {others}")
    return "; ".join(parts)


def _formatted(cause: Cause) -> str:
    if not cause.id:  # it happened in another process
        return f"{cause.count:,} × {cause.error}"
    such = "" if cause.alike else "such as "
    where = f"{'first: ' if cause.count > 1 else ''}{cause.id!r}"
    return f"{cause.count:,} × {cause.error}: {such}{cause.message} ({where})"
