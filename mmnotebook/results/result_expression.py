"""The expression that evaluates to a result, for use in hints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmnotebook.notebook_state import called, name_of, package

if TYPE_CHECKING:
    from mmnotebook.results.results import Result


def expression_of(result: Result) -> str | None:
    """Return the name of a variable that holds a result, or `mm.last`; None if there is neither."""
    if name := name_of(result):
        return name
    return called("last") if package().last is result else None
