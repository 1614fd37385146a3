"""The builder in a notebook that is executed without a frontend, as by nbconvert and nbclient."""

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
    """Return the static view that the notebook contains, as text and as HTML."""
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


def test_a_run_that_is_added_to_a_dashboard_is_in_it(tmp_path: Path) -> None:
    board = """import mmnotebook as mm

def half(value):
    return value / 2

graph = mm.pipeline("rows | half", rows=[1.0, 2.0])
board = mm.dashboard(mm.run(graph, progress=False))
board"""
    text, html = shown([board], tmp_path)
    assert "run 1 · " in text and "run 2" not in text
    text, html = shown([board, "board.add(mm.run(graph, progress=False))"], tmp_path)
    assert "run 2 · " in text and "from the cache" in html
