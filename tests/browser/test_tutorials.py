"""The tutorials in JupyterLab, as a user runs them: no errors, and a visible graph."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import DARK, LIGHT, ROOT, Lab, Notebook


@pytest.fixture
def tutorial(lab: Lab, page: Page) -> Notebook:
    """Run the A/B tutorial from top to bottom."""
    shutil.copy(ROOT / "notebooks" / "01_ab.ipynb", lab.root)
    notebook = lab.open(page, "01_ab.ipynb")
    notebook.run_all()
    return notebook


def test_the_ab_tutorial_reads_well_in_both_themes(tutorial: Notebook, tmp_path: Path) -> None:
    assert tutorial.errors() == []
    code = [cell for cell in tutorial.cells() if cell["cell_type"] == "code"]
    assert [cell["source"] for cell in code if cell["execution_count"] is None] == []
    for theme in (LIGHT, DARK):
        tutorial.change_theme(theme)
        drawing = tutorial.page.locator(".jp-OutputArea-output svg:has(text)").first
        expect(drawing).to_be_visible()
        drawing.scroll_into_view_if_needed()
        tutorial.page.screenshot(path=tmp_path / f"{theme}.png")
        assert tutorial.unreadable() == {}, theme
