"""The builder in Jupyter Notebook 7."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import Lab, start_lab
from tests.browser.studio import Studio

CELLS = [
    """import mmnotebook as mm
import numpy as np

numbers = np.arange(40.0)

def half(value):
    return value / 2

builder = mm.Builder('numbers | split({"a": 0.5, "b": 0.5})')
builder.edit("add", kind="map", params={"function": "half"})""",
    "builder",
]


@pytest.fixture(scope="module")
def notebook_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with start_lab(tmp_path_factory.mktemp("notebook"), "JupyterNotebookApp") as running:
        yield running


def test_a_wire_is_dragged_and_the_graph_runs(notebook_app: Lab, page: Page) -> None:
    notebook_app.write("seven.ipynb", CELLS)
    notebook = notebook_app.open(page, "seven.ipynb")
    notebook.run_all()
    assert notebook.errors() == []
    studio = Studio(page, notebook)
    expect(page.locator(".mm-static")).to_be_hidden()
    studio.connect("split", "a", "half")
    studio.wait_for(studio.problems, [])
    assert studio.text() == 'numbers | split({"a": 0.5, "b": 0.5})\nsplit.a | map(half)'
    assert studio.run() == "done"
    count = studio.python("len(builder.result['half'])")
    assert 0 < count < 40
    assert studio.wires() == {
        ("numbers", None, "split"): "40",
        ("split", "a", "half"): str(count),
    }
    studio.screenshot("notebook7")
