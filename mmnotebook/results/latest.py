"""The latest result of this process; imports no Beam."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmnotebook.results.results import Result

_latest: Result | None = None


def last() -> Result | None:
    """Return the result of the run that ended last; None before the first."""
    return _latest


def remember(result: Result) -> None:
    """Make a result the latest."""
    global _latest
    _latest = result
