"""How a result is written where it is shown: what follows it can be evaluated there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmnotebook.here import called, name_of, package

if TYPE_CHECKING:
    from mmnotebook.results.results import Result


def expression_of(result: Result) -> str | None:
    """A variable that holds a result, or `mm.last`; None for a result that has neither."""
    if name := name_of(result):
        return name
    return called("last") if package().last is result else None
