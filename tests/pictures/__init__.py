"""Screenshots of the README, the documentation and the tutorials; checks whether they are outdated.

`python -m tests.pictures` takes all of them in JupyterLab and Chromium. For each, it stores a
digest of what the picture shows: the code that draws it, the built frontend, the cells of the
notebook. Pixels differ between machines, so a test compares these digests with the current ones.
Comments and docstrings do not count.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "notebooks/images/pictures.json"
_STUDIO = (
    "mmnotebook/ui/static/builder.*",
    "mmnotebook/ui/builder/**/*.py",
    "mmnotebook/steps/descriptions.py",
)
_TABLES = (
    "mmnotebook/ui/static/table.*",
    "mmnotebook/ui/inspector/*.py",
    "mmnotebook/ui/builder/tables.py",
)
_BOARD = (
    "mmnotebook/ui/dashboard/*.py",
    "mmnotebook/results/compare.py",
    "mmnotebook/results/tables.py",
    "mmnotebook/ui/builder/tables.py",
)
_RESULT = (
    "mmnotebook/steps/drawing*.py",
    "mmnotebook/steps/descriptions.py",
    "mmnotebook/results/summary.py",
    "mmnotebook/results/tables.py",
)


@dataclass(frozen=True)
class Picture:
    """A screenshot of a tutorial's notebook.

    Attributes
    ----------
    name
        The file name below `notebooks/images`, or the name of an attachment of the notebook.
    notebook
        The tutorial, below `notebooks`.
    shows
        Patterns of the files that decide how it looks.
    is_attached
        Whether it is an attachment of the notebook.
    """

    name: str
    notebook: str
    shows: tuple[str, ...]
    is_attached: bool = False

    def digest(self) -> str:
        """Return a digest of everything that the picture shows now."""
        found = hashlib.blake2b(digest_size=16)
        for path in sorted({path for pattern in self.shows for path in ROOT.glob(pattern)}):
            found.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + _content(path))
        found.update("\0".join(code(self.notebook)).encode())
        return found.hexdigest()


PICTURES = (
    Picture("ab.png", "01_ab.ipynb", _RESULT),
    Picture("builder.png", "05_graph_builder.ipynb", (*_STUDIO, *_TABLES)),
    Picture("empty.png", "05_graph_builder.ipynb", _STUDIO, is_attached=True),
    Picture("split.png", "05_graph_builder.ipynb", _STUDIO, is_attached=True),
    Picture("refused.png", "05_graph_builder.ipynb", _STUDIO, is_attached=True),
    Picture("trace.png", "05_graph_builder.ipynb", _TABLES, is_attached=True),
    Picture("metrics.png", "05_graph_builder.ipynb", _BOARD, is_attached=True),
)


def cells(notebook: str) -> list[dict[str, Any]]:
    """Return the cells of a tutorial."""
    found: list[dict[str, Any]] = json.loads((ROOT / "notebooks" / notebook).read_text("utf-8"))[
        "cells"
    ]
    return found


def code(notebook: str) -> list[str]:
    """Return the code of a tutorial's cells."""
    return ["".join(cell["source"]) for cell in cells(notebook) if cell["cell_type"] == "code"]


def old() -> list[str]:
    """Return the names of the pictures whose content changed."""
    recorded = json.loads(RECORD.read_text("utf-8"))
    return [one.name for one in PICTURES if recorded.get(one.name) != one.digest()]


def record() -> None:
    """Store the current digests of the pictures."""
    digests = {one.name: one.digest() for one in PICTURES}
    RECORD.write_text(json.dumps(digests, indent=1) + "\n", "utf-8")


def _content(path: Path) -> bytes:
    return "\n".join(_lines(path)).encode() if path.suffix == ".py" else path.read_bytes()


def _lines(path: Path) -> Iterator[str]:
    """Return the lines of a module without docstrings, comments and empty lines."""
    text = path.read_text("utf-8")
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str):
            for row in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[row] = ""
    yield from filter(None, map(str.rstrip, lines))
