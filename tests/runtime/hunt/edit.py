"""One edit of a notebook: its cells before and after, and the expected effect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Edit:
    """An edit between two runs of one graph.

    The cells can use `T` (the path of a separate folder, as a text that ends with a slash), `M` (a
    name for a model), `data`, `np`, `pd`, `mm`, and the helpers of `cells.py`. They define `f`, the
    function of the graph, or register a model as `M`. `OWN` in a text is replaced by a module name
    that no other edit uses.

    Attributes
    ----------
    kind
        What is edited.
    before, after
        The cells before the first run, and those before the second run.
    expects
        "new": the answer changes. "same": the answer is the same, and is read from the cache.
        "computed": nothing is edited, but the node must be computed again. "drawn": the same, and
        with another answer if `f` returns another one in each call.
    graph, then
        The graph before and after: `data | f`, `data | M`, or one with a node called `out`.
    undo
        A cell that undoes the effects of the other cells on the process.
    only
        "process" or "restart" for an edit that applies only to one of them.
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
        """Whether its graph has more than one step."""
        return "out" in self.graph.split()

    @property
    def is_alone(self) -> bool:
        """Whether it needs a process without other edits."""
        return self.is_wide or self.alone

    @property
    def shown(self) -> str:
        """Its cells in one short line."""
        cells = self.after if self.expects in ("new", "same") else self.before
        cells = self.then or cells
        return " ; ".join(line.strip() for line in cells.splitlines() if line.strip())


def edited(kind: str, *rows: tuple[str, str, str], top: str = "", **options: Any) -> list[Edit]:
    """Return edits of a cell: its text, and the texts that replace `@@` before and after."""
    return [
        _edit(kind, top + text.replace("@@", one), top + text.replace("@@", other), options)
        for text, one, other in rows
    ]


def followed(kind: str, *rows: tuple[str, str], top: str = "", **options: Any) -> list[Edit]:
    """Return edits by a further cell: the first cell, which is not executed again, and this one."""
    return [_edit(kind, top + text, then, options) for text, then in rows]


def regraphed(
    kind: str, *rows: tuple[str, str, str, str, str], top: str = "", **options: Any
) -> list[Edit]:
    """Return edits of a graph: its text, the texts that replace `@@`, and the true answers."""
    made = []
    for text, one, other, *truths in rows:
        before, after = (f"def truth(): return {truth}" for truth in truths)
        graphs = {"graph": text.replace("@@", one), "then": text.replace("@@", other)}
        made.append(_edit(kind, f"{top}\n{before}", after, graphs | options))
    return made


def untouched(edits: list[Edit]) -> Iterator[Edit]:
    """Return edits that execute the same cells again."""
    for edit in edits:
        yield replace(edit, after=edit.before, then="", expects="same")


def _edit(kind: str, before: str, after: str, options: dict[str, Any]) -> Edit:
    return Edit(kind, before, after, **options)
