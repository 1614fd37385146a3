"""Positions in a pipeline's text, and the problems found there."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from mmnotebook.errors import GraphError, Problem, nearest

LAMBDA = "define a function with def, and write its name"
_EXAMPLE = "write a line such as both = data | [model_a, model_b]"
_LINE = re.compile(r"\r\n|\r|\n")
_OPAQUE = re.compile(
    r"""("{3}|'{3})(?:\\.|[^\\])*?\1|"(?:\\.|[^"\\\r\n])*"|'(?:\\.|[^'\\\r\n])*'"""
    r"""|(?P<comment>\#[^\r\n]*)""",
    re.DOTALL,
)
_BEFORE_A_PIPE = re.compile(r"(?<=[^\s\\])\s+(?=\|)")
_NOT_SOURCE = re.compile("[\0\ud800-\udfff]")
_FOUND = 60
_LISTED = 16


def listed(names: Iterable[str]) -> str:
    """Join at most sixteen names, sorted; return "none" if there are no names."""
    every = sorted(set(names))
    more = ", …" if len(every) > _LISTED else ""
    return ", ".join(every[:_LISTED]) + more or "none"


def is_gap(node: ast.AST) -> bool:
    """Return whether this is `...`, the placeholder for a missing part."""
    return isinstance(node, ast.Constant) and node.value is ...


@dataclass
class Log:
    """The problems of one text, with their positions.

    Attributes
    ----------
    text
        The text.
    problems, remedies
        The problems of the text, and the ways to fix them.
    incomplete
        Whether the text may contain `...` for missing parts.
    unbound
        The undefined names, each with the most similar known name, or None.
    """

    text: str
    problems: list[Problem] = field(default_factory=list)
    remedies: list[str] = field(default_factory=list)
    incomplete: bool = False
    unbound: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.source = textwrap.dedent(self.text)
        self._lines = _LINE.split(self.source)
        widths = zip(_LINE.split(self.text), self._lines, strict=False)
        self._margin = max(
            (len(before) - len(after) for before, after in widths if after), default=0
        )

    def place(self, node: ast.AST) -> tuple[int, int]:
        """Return the line and the column of a node, in characters, both counted from 1."""
        line: int = getattr(node, "lineno", 1)
        before = self._line(line).encode()[: getattr(node, "col_offset", 0)]
        return line, len(before.decode(errors="replace")) + 1 + self._margin

    def found(self, node: ast.AST) -> str:
        """Return the text of a node on its first line, shortened if it is long."""
        line: int = getattr(node, "lineno", 1)
        here = self._line(line).encode()
        end = getattr(node, "end_col_offset", None)
        stop = end if getattr(node, "end_lineno", line) == line else len(here)
        text = here[getattr(node, "col_offset", 0) : stop].decode(errors="replace")
        return text if len(text) <= _FOUND else text[: _FOUND - 1] + "…"

    def whole(self, node: ast.AST) -> str | None:
        """Return the text of a node if the text is one short line; otherwise None."""
        found = self.found(node)
        one_line = getattr(node, "end_lineno", None) == getattr(node, "lineno", None)
        return found if one_line and not found.endswith("…") else None

    def add(
        self,
        node: ast.AST,
        message: str,
        *,
        allowed: str | None = None,
        candidates: Iterable[str] = (),
        name: str | None = None,
        remedy: str | None = None,
        unbound: bool = False,
    ) -> None:
        """Log a problem of `node`, with the candidate that is most similar to `name`.

        If `name` is None, the text of the node is compared. `unbound` is true if the name is
        undefined.
        """
        line, column = self.place(node)
        found = self.found(node)
        close = nearest(name or found, candidates)
        self.problems.append(Problem(message, None, line, column, found, allowed, close))
        if remedy is not None and remedy not in self.remedies:
            self.remedies.append(remedy)
        if unbound and name is not None:
            self.unbound[name] = close

    def takes_gap(self, node: ast.AST, allowed: str, remedy: str) -> bool:
        """Return whether `...` is allowed at this place; log a problem if it is not allowed."""
        if not self.incomplete:
            message = "'...' is a placeholder for a missing part"
            self.add(node, message, allowed=allowed, remedy=remedy)
        return self.incomplete

    def raise_all(self) -> None:
        """Raise GraphError with all problems, in the order of the text, if there are any."""
        if self.problems:
            ordered = sorted(self.problems, key=lambda p: (p.line or 0, p.column or 0))
            raise GraphError(ordered, remedy="\n  → ".join(self.remedies) or None)

    def tree(self) -> ast.Module:
        """Parse the text into a syntax tree; raise GraphError if it is not valid Python."""
        odd = _NOT_SOURCE.search(self.source)
        if odd is not None:
            lines = _LINE.split(self.source[: odd.start()])
            message = f"the text cannot contain the character {odd.group()!r}"
            self._refuse(message, len(lines), len(lines[-1]) + 1)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(_continued(self.source))
        except SyntaxError as error:
            line = min(max(error.lineno or 1, 1), len(self._lines))
            column = max(error.offset or 1, 1)
            if self._line(line)[column - 1 :].startswith("lambda"):
                self._refuse("a lambda cannot be a step", line, column, LAMBDA)
            self._refuse(f"not a pipeline's line ({error.msg})", line, column)
        except ValueError as error:
            self._refuse(f"not a pipeline's text ({error})", 1, 1)
        except (RecursionError, MemoryError):
            self._refuse("nested too deeply", 1, 1)
        if not tree.body and not self.incomplete:
            problem = Problem("there is no pipeline in this text", allowed="data | step | step")
            raise GraphError([problem], remedy=_EXAMPLE)
        return tree

    def _refuse(self, message: str, line: int, column: int, remedy: str = _EXAMPLE) -> NoReturn:
        found = repr(self._line(line).strip()[:_FOUND])
        column += self._margin
        problem = Problem(message, None, line, column, found, "name = data | step | step")
        raise GraphError([problem], remedy=remedy) from None

    def _line(self, line: int) -> str:
        return self._lines[line - 1] if 0 < line <= len(self._lines) else ""


def _continued(source: str) -> str:
    """Join lines that begin with `|` to the line before, without changing any position.

    A backslash at the end of the line before replaces the comment of that line.
    """
    if "|" not in source:
        return source
    plain = _OPAQUE.sub(lambda found: (" " if found["comment"] else "x") * len(found[0]), source)
    parts, last = [], 0
    for gap in _BEFORE_A_PIPE.finditer(plain):
        parts += [source[last : gap.start()], _LINE.sub(r"\\\n", gap[0])]
        last = gap.end()
    return "".join([*parts, source[last:]])
