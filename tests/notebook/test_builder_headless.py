"""The builder in a notebook that is executed without a frontend, as nbconvert and nbclient do."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = [
    """import mmnotebook as mm

rows = [1.0, 2.0, 3.0]

def half(value):
    return value / 2

builder = mm.Builder("rows | half")
builder""",
    'builder.edit("add", kind="filter", after=["half", None])\n'
    'builder.edit("configure", node="filter", params={"function": "bool"})',
    "builder.run()\nresult = builder.wait()",
]


def shown(cells: list[str], folder: Path) -> tuple[str, str]:
    """The static view that the notebook is left with, as text and as HTML."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    static = notebook.cells[0].outputs[-1]["data"]
    return static["text/plain"], static["text/html"]


@pytest.mark.parametrize("last", [2, 3])
def test_the_last_state_is_saved_also_when_the_last_cell_makes_it(
    last: int, tmp_path: Path
) -> None:
    text, html = shown(CELLS[:last], tmp_path)
    assert text.splitlines()[0] == "rows | map(half) | filter(bool)"
    assert ("<table" in html) == (last == 3)
