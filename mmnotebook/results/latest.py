"""The latest result of this process, and code that refers to a result. Imports no Beam."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmnotebook.notebook_state import called, name_of, package

if TYPE_CHECKING:
    from mmnotebook.results.results import Result

_latest: Result | None = None


def last() -> Result | None:
    """Return the result of the run that ended last; None if no run has ended."""
    return _latest


def remember(result: Result) -> None:
    """Store a result as the latest result."""
    global _latest
    _latest = result


def expression_of(result: Result) -> str | None:
    """Return code for a result, for hints: a variable's name or `mm.last`; otherwise None."""
    if name := name_of(result):
        return name
    return called("last") if package().last is result else None
