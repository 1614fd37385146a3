"""The display of a background run in JupyterLab, during the run and after it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.lab import DARK, LIGHT, Lab

SETUP = """
%load_ext mmnotebook
import os, time

def wait(x):
    while not os.path.exists("display.go"):
        time.sleep(0.05)
    return x

X = list(range(1200))
"""


def test_a_background_run_is_shown_in_its_own_cell_while_others_run(lab: Lab, page: Page) -> None:
    background = "%mm_pipeline X | wait --run --background -o going"
    lab.write("display.ipynb", [SETUP, background, "6 * 7"])
    notebook = lab.open(page, "display.ipynb")
    notebook.run_all()
    assert notebook.cells()[2]["outputs"][0]["data"]["text/plain"] == "42"
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(1)
    expect(cell.locator(".mm-run td", has_text="running")).to_be_visible()
    for theme in (LIGHT, DARK):
        notebook.change_theme(theme)
        assert {"wait", "running", "1,200"} <= notebook.contrasts("td").keys()
        assert notebook.unreadable() == {}, theme
    (lab.root / "display.go").touch()
    expect(cell.locator(".mm-run")).to_have_text("2 nodes computed")
    expect(cell.locator(".mm-run td")).to_have_count(0)
    (output,) = notebook.cells()[1]["outputs"]
    assert output["data"]["text/plain"] == "2 nodes computed"
    assert notebook.errors() == []
