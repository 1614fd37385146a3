"""Run edits as a notebook does, and compare the results of the runs with the true answers.

As a script, this is one kernel: its argument is a request in JSON, and it writes what it found.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

import mmnotebook as mm
from mmnotebook.graph.models import registry
from mmnotebook.results.results import Result
from tests.runtime.hunt.agreement import agree, is_plain, plain
from tests.runtime.hunt.cells import Helpers
from tests.runtime.hunt.edit import Edit

CACHED = "read from the cache"
TOGETHER = 40  # edits in one graph
FEW = 8  # the same for edits that change settings of the process
TOLD = """
def told(x):
    try:
        return repr(f(x))
    except Exception as error:
        return repr(error)
"""

Run = Literal["first", "edited", "back", "restarted", "cells"]
Fault = Literal["", "stale", "computed", "cached", "refused", "wrong", "no edit"]


@dataclass(frozen=True)
class Found:
    """The result of one edit in one run.

    Attributes
    ----------
    fault
        "stale": the answer is that of before the edit. "computed": nothing changed, but the node
        was computed. "cached": the node must be computed, but was read. "refused": the run raised
        an error. "wrong": any other wrong answer. "no edit": the table of edits is wrong, since the
        true answer does not change as expected.
    """

    place: int
    kind: str
    run: Run
    expects: str
    fault: Fault
    said: str
    seen: str
    truth: str
    cells: str


class Notebook:
    """The variables of one edit, and its part of a graph."""

    def __init__(self, place: int, edit: Edit, folder: Path) -> None:
        self.place, self.edit = place, edit
        own = folder / str(place)
        own.mkdir(parents=True, exist_ok=True)
        helpers = Helpers(own)
        self.model = f"m{place}"
        self.main = types.ModuleType("__main__")
        self.names: dict[str, Any] = vars(self.main)
        self.names |= {
            "np": np, "pd": pd, "mm": mm, "data": THREE, "f": repr,
            "T": f"{own}/", "M": self.model,
            "put": helpers.put, "stamped": helpers.stamped, "module": helpers.module,
        }  # fmt: skip
        self.graph = edit.graph
        has_modules = "OWN" in edit.before + edit.after
        if has_modules and str(own) not in sys.path:  # each folder on the path makes imports slower
            sys.path.append(str(own))

    def execute(self, text: str) -> None:
        text = text.replace("OWN", f"own_{self.place}")
        exec(compile(text, f"<cell {self.place}>", "exec", dont_inherit=True), self.names)

    def before(self) -> None:
        self.graph = self.edit.graph
        self.execute(self.edit.before)
        self._ask()

    def after(self) -> None:
        self.graph = self.edit.then or self.edit.graph
        self.execute(self.edit.after)
        self._ask()

    def undo(self) -> None:
        self.execute(self.edit.undo)

    def _ask(self) -> None:
        """Use the repr of the result if `f` raises or returns a value that is not plain."""
        if self.graph == "data | f" and "truth" not in self.names:
            try:
                is_clear = all(is_plain(plain(self.names["f"](x))) for x in self.names["data"])
            except Exception:  # noqa: BLE001 - the failure itself is the result
                is_clear = False
            if not is_clear:
                self.execute(TOLD)
                self.graph = "data | told"

    def truth(self) -> Any:
        """Return the results of the function or the model, called directly."""
        if "truth" in self.names:
            return plain(list(self.names["truth"]()))
        step = self.names[self.graph.split()[-1]]
        return [plain(step(x)) for x in self.names["data"]]

    @property
    def node(self) -> str:
        return "out" if self.edit.is_wide else f"out_{self.place}"

    def text(self) -> str:
        """Return its line in a graph with many edits, with unique names."""
        if self.edit.is_wide:
            return self.graph.replace("M", self.model)
        data, step = self.graph.split(" | ")
        data = "three" if self.names["data"] is THREE else f"{data}_{self.place}"
        step = self.model if step == "M" else f"{step}_{self.place}"
        return f"{self.node} = {data} | {step}"

    def bound(self) -> dict[str, Any]:
        """Return the objects of the names in its line."""
        if self.edit.is_wide:
            hidden = set(registry) | {"T", "M", "np", "pd", "mm"}
            return {n: v for n, v in self.names.items() if n not in hidden and n[0] != "_"}
        step = self.graph.split(" | ")[1]
        found = {} if step == "M" else {f"{step}_{self.place}": self.names[step]}
        if self.names["data"] is not THREE:
            found[f"data_{self.place}"] = self.names["data"]
        return found

    def seen(self, result: Result) -> Any:
        if "seen" in self.names:
            return plain(list(self.names["seen"](result, self.node)))
        table = result[self.node]
        column = "prediction" if "prediction" in table else "value"
        failed = result.failed
        own = {self.node, f"data_{self.place}"}
        errors = failed[failed["node"].isin(own)]["message"].tolist() if len(failed) else []
        return [plain(value) for value in table[column].tolist()] + errors


THREE = [3]


class Hunt:
    """Edits that run together in one process."""

    def __init__(self, edits: Sequence[tuple[int, Edit]], folder: Path) -> None:
        self.books = [Notebook(place, edit, folder) for place, edit in edits]
        self.found: list[Found] = []
        self.old: dict[int, Any] = {}
        self.seen_before: dict[int, Any] = {}

    def first(self) -> None:
        """Run before the edits."""
        for books in self._parts():
            self.old |= self._truths_after(books, Notebook.before)
            self.seen_before |= self._run(books, "first", self.old)

    def edited(self, run: Literal["edited", "restarted"]) -> None:
        """Run after the edits; a new kernel also executes the cells before them."""
        left_out = "restart" if run == "edited" else "process"
        for whole in self._parts():
            books = [book for book in whole if book.edit.only != left_out]
            if run == "restarted":
                self.old |= self._truths_after(books, Notebook.before)
            self._run(books, run, self._truths_after(books, Notebook.after))

    def back(self) -> None:
        """Run with the cells before the edits again."""
        for whole in self._parts():
            books = [b for b in whole if b.edit.expects == "new" and b.edit.only != "restart"]
            self._run(books, "back", self._truths_after(books, Notebook.before))

    def _parts(self) -> Iterator[list[Notebook]]:
        """Yield the edits that share a graph: fewer if their settings can interfere."""
        shared = [book for book in self.books if not book.edit.is_alone]
        for size, sets in ((TOGETHER, False), (FEW, True)):
            books = [book for book in shared if bool(book.edit.undo) == sets]
            for start in range(0, len(books), size):
                yield books[start : start + size]
        for book in self.books:
            if book.edit.is_alone:
                yield [book]

    def _truths_after(
        self, books: list[Notebook], cells: Callable[[Notebook], None]
    ) -> dict[int, Any]:
        """Execute cells and return the true answers; remove edits whose cells raise."""
        truths: dict[int, Any] = {}
        for step in (cells, lambda book: truths.update({book.place: book.truth()})):
            for book in [*books]:
                try:
                    step(book)
                except Exception as error:  # noqa: BLE001 - reported in the table
                    books.remove(book)
                    self.books.remove(book)
                    self._note(book, "cells", "no edit", repr(error), None, None)
        return truths

    def _run(self, books: list[Notebook], run: Run, truths: Mapping[int, Any]) -> dict[int, Any]:
        """Run the graphs of these edits, and record the result of each."""
        answers = {}
        for book, answer, said in _answers(books):
            truth = truths[book.place]
            self._note(book, run, self._fault(book, run, answer, said, truth), said, answer, truth)
            answers[book.place] = answer
        for book in books:
            book.undo()
        return answers

    def _note(
        self, book: Notebook, run: Run, fault: Fault, said: str, seen: Any, truth: Any
    ) -> None:
        edit = book.edit
        shown = [f"{value!r}"[:200] for value in (seen, truth)]
        found = Found(book.place, edit.kind, run, edit.expects, fault, said, *shown, edit.shown)
        self.found.append(found)

    def _fault(self, book: Notebook, run: str, seen: Any, said: str, truth: Any) -> Fault:
        if said.startswith("refused"):
            return "refused"
        expects, old = book.edit.expects, self.old.get(book.place)
        if expects in ("computed", "drawn"):
            if run == "first":
                return ""
            is_again = run == "edited" and agree(seen, self.seen_before[book.place])
            varies = expects == "drawn" and not agree(truth, book.truth())
            return "cached" if said == CACHED or (is_again and varies) else ""
        if run == "back" or run == "first":
            return "" if agree(seen, truth) else "wrong"
        if agree(old, truth) != (expects == "same"):
            return "no edit"
        if not agree(seen, truth):
            return "stale" if agree(seen, old) else "wrong"
        return "computed" if expects == "same" and said != CACHED else ""


def _answers(books: list[Notebook]) -> Iterator[tuple[Notebook, Any, str]]:
    """Yield the answer and the `why` of each edit in one run; alone, if the run is refused."""
    if not books:
        return
    bound: dict[str, Any] = {"three": THREE}
    for book in books:
        bound |= book.bound()
    if len(books) == 1:
        sys.modules["__main__"] = books[0].main
    try:
        graph = mm.pipeline("\n".join(book.text() for book in books), **_used(books, bound))
        result = mm.run(graph, progress=False, max_failed=1.0)
    except Exception as error:  # noqa: BLE001 - reported in the table
        if len(books) == 1:
            yield books[0], None, f"refused: {type(error).__name__}: {error}"[:300]
        else:
            middle = len(books) // 2
            yield from _answers(books[:middle])
            yield from _answers(books[middle:])
        return
    for book in books:
        yield book, book.seen(result), str(result.why.get(book.node, ""))


def _used(books: list[Notebook], bound: dict[str, Any]) -> dict[str, Any]:
    words = set(re.findall(r"\w+", "\n".join(book.text() for book in books)))
    return {name: value for name, value in bound.items() if name in words}


def hunt(
    edits: Sequence[tuple[int, Edit]], folder: Path, phase: Literal["one process", "restart"]
) -> list[Found]:
    """Run the part of one kernel: the first process, or the one after the restart."""
    warnings.simplefilter("ignore")
    sys.dont_write_bytecode = True
    cache = Path(os.environ["MMNOTEBOOK_CACHE"])
    this = Hunt(edits, folder)
    steps: list[Callable[[], Any]]
    if phase == "restart":
        steps = [lambda: this.edited("restarted")]
    else:
        copied = cache.with_name(f"{cache.name}-restart")
        steps = [
            this.first,
            lambda: shutil.copytree(cache, copied),
            lambda: this.edited("edited"),
            this.back,
        ]
    for step in steps:
        start = time.monotonic()
        step()
        print(f"{phase}: {time.monotonic() - start:.1f} s", file=sys.stderr)
    return this.found


if __name__ == "__main__":
    from tests.runtime.hunt import tables

    order = json.loads(sys.argv[1])
    asked = [(place, tables.ALL[place]) for place in order["places"]]
    found = hunt(asked, Path(order["folder"]), order["phase"])
    Path(order["answer"]).write_text(json.dumps([vars(one) for one in found]))
