"""A graph and its result in JupyterLab: new, in both themes, and in a notebook from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import DARK, LIGHT, Lab, Notebook

CELLS = [
    """import mmnotebook as mm
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

digits = load_digits()
forest = RandomForestClassifier(10, random_state=0).fit(digits.data, digits.target)
mm.register("forest", forest)
rows = list(digits.data[:40])""",
    "def doubled(prediction):\n    return 2 * int(prediction.inference)",
    'graph = mm.pipeline("rows | forest | doubled")\ngraph',
    "result = mm.run(graph)",
    "result",
    'result["doubled"].head(3)',
]
DRAWING = ".jp-OutputArea-output svg:has(text)"


@pytest.fixture(scope="module")
def notebook(lab: Lab, shared_page: Page) -> Notebook:
    lab.write("graph.ipynb", CELLS)
    opened = lab.open(shared_page, "graph.ipynb")
    opened.run_all()
    assert opened.errors() == []
    return opened


def test_a_graph_and_its_result_read_well_in_both_themes(
    notebook: Notebook, tmp_path: Path
) -> None:
    for theme in (LIGHT, DARK):
        notebook.change_theme(theme)
        drawing = notebook.page.locator(DRAWING).first
        expect(drawing).to_be_visible()
        for name in ("rows", "forest", "doubled"):
            expect(drawing).to_contain_text(name)
        notebook.page.screenshot(path=tmp_path / f"{theme}.png")
        assert notebook.unreadable() == {}, theme


def test_a_saved_graph_shows_where_the_notebook_is_not_trusted(
    lab: Lab, notebook: Notebook, tmp_path: Path
) -> None:
    notebook.save()
    lab.write_foreign("graph.ipynb")
    foreign = lab.open(notebook.page, "foreign.ipynb")
    shown = foreign.page.locator(".jp-OutputArea-output").first
    foreign.page.screenshot(path=tmp_path / "foreign.png")
    assert foreign.cells()[2]["metadata"].get("trusted") is not True
    # JupyterLab removes the tags of an inline SVG but keeps its text, so an image must replace it.
    expect(shown.locator("img")).to_be_visible()
    assert shown.locator("img").evaluate("image => image.naturalWidth") > 100
    assert shown.inner_text().strip() == ""
