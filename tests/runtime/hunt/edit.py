"""One edit of a notebook: its cells before, its cells after, and what must come of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Edit:
    """An edit between two runs of one graph.

    The cells know `T` (a folder of their own, a text that ends with a slash), `M` (a name for a
    model), `data`, `np`, `pd`, `mm`, and the helpers of `cells.py`. They define `f`, the
    function of the graph, or register a model as `M`. `OWN` in a text is the name of a module
    that no other edit has.

    Attributes
    ----------
    kind
        What is edited.
    before, after
        The cells that come before the first run and before the second one.
    expects
        "new": the answer is another one. "same": it is the same, and is read from the cache.
        "computed": nothing is edited, and yet it must be computed.
        "drawn": likewise, and to another answer where `f` returns another one each time.
    graph, then
        The graph before and after: `data | f`, `data | M`, or one with a node called `out`.
    undo
        A cell that takes back what the others did to the process.
    only
        "process" or "restart" for an edit that makes sense in one of them alone.
    alone
        Whether its cells must be those of `__main__` while it runs.
    """

    kind: str
    before: str
    after: str
    expects: Literal["new", "same", "computed", "drawn"] = "new"
    graph: str = "data | f"
    then: str = ""
    undo: str = ""
    only: Literal["process", "restart", ""] = ""
    alone: bool = False

    @property
    def is_wide(self) -> bool:
        """Is its graph more than one step?"""
        return "out" in self.graph.split()

    @property
    def is_alone(self) -> bool:
        """Must it be run in a process that it has for itself meanwhile?"""
        return self.is_wide or self.alone

    @property
    def shown(self) -> str:
        """Its cells in one short line."""
        cells = self.after if self.expects in ("new", "same") else self.before
        cells = self.then or cells
        return " ; ".join(line.strip() for line in cells.splitlines() if line.strip())


def edited(kind: str, *rows: tuple[str, str, str], top: str = "", **options: Any) -> list[Edit]:
    """Edits of a cell: its text, and what stands in it for `@@` before and after."""
    return [
        _edit(kind, top + text.replace("@@", one), top + text.replace("@@", other), options)
        for text, one, other in rows
    ]


def followed(kind: str, *rows: tuple[str, str], top: str = "", **options: Any) -> list[Edit]:
    """Edits by one more cell: the first cell, which is not executed again, and the other one."""
    return [_edit(kind, top + text, then, options) for text, then in rows]


def regraphed(
    kind: str, *rows: tuple[str, str, str, str, str], top: str = "", **options: Any
) -> list[Edit]:
    """Edits of a graph: its text, what stands in it for `@@`, and what is true before and after."""
    made = []
    for text, one, other, *truths in rows:
        before, after = (f"def truth(): return {truth}" for truth in truths)
        graphs = {"graph": text.replace("@@", one), "then": text.replace("@@", other)}
        made.append(_edit(kind, f"{top}\n{before}", after, graphs | options))
    return made


def untouched(edits: list[Edit]) -> Iterator[Edit]:
    """The same cells again, in place of each edit."""
    for edit in edits:
        yield replace(edit, after=edit.before, then="", expects="same")


def _edit(kind: str, before: str, after: str, options: dict[str, Any]) -> Edit:
    return Edit(kind, before, after, **options)
