"""Completion of the `%mm_…` magics and of the body of a `%%mm_pipeline` cell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic_arguments import argument

from mmnotebook.compat.ipython import FILES, declared, line_magics
from mmnotebook.graph import kinds
from mmnotebook.graph.models import registry
from mmnotebook.results import latest
from mmnotebook.ui.common.arguments import FLAGS
from mmnotebook.ui.common.variables import (
    Accepts,
    Variables,
    is_cluster,
    is_function,
    is_graph,
    is_result,
    is_target,
)

IDENTIFIER = "mmnotebook"
_MAGIC = re.compile(r"(?:^|=)\s*%{0,2}(mm_\w+)\s+(.*)$")
_CELL = re.compile(r"\s*%%mm_pipeline\b")
_WORD = re.compile(r"(?:[^\W\d]\w*)?$")
_LINE_NAME = re.compile(r"^\s*([^\W\d]\w*)\s*=", re.MULTILINE)
_FILE_PLACE = re.compile(r"mm_model\s+\w+\s+[^\s-]\S*$|mm_model\s+\w+\s+$")
_STRING = re.compile(r"'[^']*'|\"[^\"]*\"")
_FLAGS = (*FLAGS, "--probe")

Candidates = Iterator[tuple[str, str]]


class Matcher:
    """A matcher of IPython's completer, which returns the completions at the cursor."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._variables = Variables(shell)

    @context_matcher(identifier=IDENTIFIER, priority=10)
    def complete(self, context: CompletionContext) -> SimpleMatcherResult:
        """Return the completions at the cursor; there are none outside of this package's magics."""
        typed, found = self._at(context)
        fitting = {text: kind for text, kind in found if text.startswith(typed)}
        return SimpleMatcherResult(
            completions=[SimpleCompletion(text, type=kind) for text, kind in fitting.items()],
            matched_fragment=typed,
            suppress=True,
            do_not_suppress={FILES} if _FILE_PLACE.search(context.text_until_cursor) else set(),
        )

    def _at(self, context: CompletionContext) -> tuple[str, Candidates]:
        """Return the typed part of the word at the cursor, and all candidates for its place."""
        before = context.text_until_cursor
        magic = _MAGIC.search(before)
        if magic and magic[1] in line_magics(self._shell):
            return self._in_line(magic[1], magic[2])
        lines = context.full_text.split("\n")
        first = next((i for i, line in enumerate(lines) if line.strip()), 0)
        if first < context.cursor_line and _CELL.match(lines[first]):
            return self._in_text("\n".join(lines[first + 1 : context.cursor_line]), before)
        return "", iter(())

    def _in_line(self, magic: str, line: str) -> tuple[str, Candidates]:
        *words, typed = re.split(r"\s+", line)
        if typed.startswith("-"):
            return typed, self._options(magic)
        if words and words[-1].startswith("-") and words[-1] not in _FLAGS:
            return typed, self._values(words[-1])
        if magic == "mm_pipeline":
            typed, found = self._in_text("", line)
            return typed, chain(self._of(is_graph, "graph") if not words else (), found)
        return typed, self._words(magic)

    def _options(self, magic: str) -> Candidates:
        """Return the options of a magic."""
        found = declared(line_magics(self._shell)[magic])
        arguments = [item for item in found if isinstance(item, argument)]
        return _as("option", (name for item in arguments for name in item.args if name[0] == "-"))

    def _values(self, option: str) -> Candidates:
        """Yield candidates for the value of an option."""
        if option == "--device":
            yield from _as("device", ("CPU", "GPU"))
        elif option == "--mode":
            yield from _as("mode", ("plain", "mmnotebook"))
        elif option == "--output":
            yield from _as("output", ("argmax",))
            yield from self._of(is_function, "function")
        elif option == "--class":
            yield from self._of(lambda value: isinstance(value, type), "class")
        elif option == "--until":
            yield from self._nodes()
        elif option == "--on":
            yield from self._of(is_cluster, "cluster")
        elif option in ("-o", "-r", "--result"):
            yield from self._of(is_result, "result")

    def _words(self, magic: str) -> Candidates:
        """Yield candidates for a word of a magic's line that is not an option."""
        if magic == "mm_model":
            yield from _as("model", registry)
            yield from self._of(is_target, "variable")
        elif magic in ("mm_run", "mm_builder", "mm_check"):
            yield from self._of(is_graph, "graph")
        elif magic == "mm_export":
            yield from self._of(is_graph, "graph")
            yield from self._of(is_result, "result")
        elif magic == "mm_inspect":
            yield from self._nodes()
        elif magic == "mm_plot":
            yield from _as("plot", ("latency", "memory"))

    def _in_text(self, earlier: str, line: str) -> tuple[str, Candidates]:
        """Complete a pipeline's text: `earlier` lines, and this `line` up to the cursor."""
        outside = _STRING.sub("", line)
        typed = _WORD.search(line)
        assert typed is not None
        if any(mark in outside for mark in "'\"#") or line[: typed.start()].endswith("."):
            return "", iter(())
        return typed.group(), self._steps(earlier)

    def _steps(self, earlier: str) -> Candidates:
        names = self._variables.names()
        yield from _as("node", _LINE_NAME.findall(earlier))
        yield from _as("model", names.known("model"))
        yield from _as("function", names.known("function"))
        yield from _as("transform", names.known("transform"))
        yield from _as("pipeline", names.known("pipeline"))
        yield from _as("data", names.known("data"))
        for kind in kinds.KINDS.values():
            if kind.listed:
                yield f"{kind.name}(" if kind.placed else f"{kind.name}()", "step"

    def _nodes(self) -> Candidates:
        """Yield the nodes and groups of the latest result, then of the notebook's graphs."""
        variables = self._variables.public()
        result = latest.last()
        graphs = [] if result is None else [result.graph]
        graphs += [variables[name] for name in self._variables.of(is_graph)]
        for graph in graphs:
            yield from _as("node", graph.names)
            yield from _as("node", (group.name for group in graph.groups))

    def _of(self, accepts: Accepts, kind: str) -> Candidates:
        return _as(kind, self._variables.of(accepts))


def _as(kind: str, texts: Iterable[str]) -> Candidates:
    return ((text, kind) for text in texts)
