"""The latest result of this process, and the expression for a result; imports no Beam."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmnotebook.notebook_state import called, name_of, package

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


def expression_of(result: Result) -> str | None:
    """Return a variable that holds a result, or `mm.last`, for hints; None if there is neither."""
    if name := name_of(result):
        return name
    return called("last") if package().last is result else None
