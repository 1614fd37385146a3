"""The inspector in JupyterLab, with mouse and keyboard, in both themes."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import DARK, LIGHT, Lab, Notebook
from tests.browser.studio import run_cell

CELLS = [
    """import mmnotebook as mm
import pandas as pd
from sklearn.datasets import load_digits

data = load_digits()
digits = pd.DataFrame({"image": list(data.images[:200]), "label": data.target[:200]})
digits.index = [f"scan{place}" for place in digits.index]

def inked(image):
    if image[2, 5] == 0:
        raise ValueError("no <b>ink</b> here")
    return image

def mean(image):
    return image.mean()

graph = mm.pipeline('top = digits["image"] | inked | mean')
result = mm.run(graph, max_failed=0.5, progress=False)""",
    'mm.inspect(result, "inked", n=5)',
    "'another cell'",
    "mm.dashboard(result)",
]


@pytest.fixture(scope="module")
def notebook(lab: Lab, shared_page: Page) -> Notebook:
    lab.write("inspector.ipynb", CELLS)
    opened = lab.open(shared_page, "inspector.ipynb")
    opened.run_all()
    assert opened.errors() == []
    return opened


@pytest.fixture
def cell(notebook: Notebook) -> Locator:
    """Return the cell of a new inspector."""
    run_cell(notebook, 1, CELLS[1])
    found = notebook.page.locator(".jp-Notebook .jp-CodeCell").nth(1)
    expect(rows(found)).to_have_count(5)
    return found


def rows(cell: Locator) -> Locator:
    """Return the rows of the table in the active tab; the trace's table is outside the tabs."""
    return cell.locator(".widget-tab-contents .mm-inspector-table tbody tr:visible")


def trace(cell: Locator) -> Locator:
    """Return the rows of an element's trace."""
    table = cell.get_by_role("table", name="through the graph")
    return table.locator("tbody tr")


def shot(notebook: Notebook, folder: Path, name: str) -> None:
    """Take screenshots in both themes, in which all texts are readable."""
    for theme in (LIGHT, DARK):
        notebook.change_theme(theme)
        notebook.page.screenshot(path=folder / f"{name} {theme}.png")
        assert notebook.unreadable() == {}, theme


def test_with_the_mouse(notebook: Notebook, cell: Locator, tmp_path: Path) -> None:
    where = cell.get_by_role("status").first
    expect(where).to_have_text("1–5 of 148")
    expect(rows(cell).first.get_by_role("img").first).to_have_attribute("alt", "float64 8 × 8")
    cell.get_by_role("button", name="label", exact=True).first.click()
    expect(cell.get_by_role("columnheader", name="label").first).to_have_attribute(
        "aria-sort", "ascending"
    )
    cell.get_by_role("button", name="Last page").first.click()
    expect(rows(cell).last.locator(".mm-cell-number")).to_have_text("9")
    cell.get_by_role("textbox", name="Where").fill("label == 3")
    notebook.page.keyboard.press("Enter")
    expect(where).to_contain_text("found, 148 in all")
    expect(rows(cell).first.locator(".mm-cell-number")).to_have_text("3")
    cell.get_by_role("textbox", name="Where").fill("labl == 3")
    notebook.page.keyboard.press("Enter")
    expect(cell.get_by_role("alert")).to_contain_text("did you mean 'label'")
    shot(notebook, tmp_path, "where")
    cell.get_by_role("tab", name="Failed (52)").click()
    expect(cell.get_by_role("textbox", name="Where")).to_be_hidden()  # that of the other tab
    cell.get_by_role("textbox", name="Search").last.fill("scan12")
    expect(rows(cell).first.locator("td").first).to_have_text("scan12")
    rows(cell).first.locator("td").first.click()
    expect(trace(cell).locator("td:first-child")).to_have_text(["digits", "inked"])
    expect(rows(cell).first).to_have_attribute("aria-current", "true")
    expect(trace(cell).locator("pre")).to_be_hidden()
    trace(cell).locator("summary").click()
    expect(trace(cell).locator("pre")).to_contain_text("in inked")
    shot(notebook, tmp_path, "failed")
    trace(cell).first.locator("td").first.click()
    expect(cell.get_by_role("tab", name="Elements (200)")).to_be_visible()
    cell.get_by_role("button", name="Close").click()
    expect(trace(cell)).to_have_count(0)


def test_with_the_keyboard(notebook: Notebook, cell: Locator) -> None:
    keyboard = notebook.page.keyboard
    ids = rows(cell).locator("td:first-child").all_inner_texts()
    header = cell.get_by_role("button", name="id", exact=True).first
    header.focus()
    keyboard.press("Enter")
    expect(header.locator("xpath=..")).to_have_attribute("aria-sort", "ascending")
    keyboard.press("Enter")
    expect(header.locator("xpath=..")).to_have_attribute("aria-sort", "descending")
    expect(rows(cell).first.locator("td").first).to_have_text("scan199")
    expect(header).to_be_focused()
    keyboard.press("Enter")
    expect(rows(cell).locator("td:first-child")).to_have_text(ids)
    for _ in range(len(CELLS) + 2):  # past the other headers to the first row
        keyboard.press("Tab")
        if rows(cell).first.evaluate("row => row === document.activeElement"):
            break
    expect(rows(cell).first).to_be_focused()
    for key in ["ArrowDown", "ArrowDown", "ArrowUp", *"xdda", "End", "Home", "ArrowDown"]:
        keyboard.press(key)
    expect(rows(cell).nth(1)).to_be_focused()
    keyboard.press("Enter")
    expect(rows(cell).nth(1)).to_have_attribute("aria-current", "true")
    expect(trace(cell).locator("td:nth-child(3)")).to_have_text([ids[1]] * 3)
    expect(rows(cell).nth(1)).to_be_focused()
    assert len(notebook.cells()) == len(CELLS)  # no text is cut, none is new
    cell.get_by_role("button", name="Next page").first.focus()
    keyboard.press("Enter")
    expect(cell.get_by_role("status").first).to_have_text("6–10 of 148")


def test_a_saved_notebook_shows_it_without_its_kernel(
    lab: Lab, notebook: Notebook, cell: Locator, tmp_path: Path
) -> None:
    static = ".mm-inspect"
    expect(cell.locator(static)).to_be_hidden()
    board = notebook.page.locator(".jp-Notebook .jp-CodeCell").nth(3)
    expect(board.locator(".mm-dashboard")).to_be_visible()
    expect(board.locator(".mm-board-static")).to_be_hidden()
    notebook.save()
    lab.write_foreign("inspector.ipynb")
    notebook.shut_down()
    for name in ("inspector", "foreign"):
        again = lab.open(notebook.page, f"{name}.ipynb")
        shown = again.page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea")
        expect(shown).to_contain_text("5 of 148 rows")
        expect(shown.get_by_text("displaying widget")).to_be_hidden()
        pictures = shown.locator("img")
        expect(pictures).to_have_count(10)
        assert pictures.first.evaluate("image => image.naturalWidth") == 8
        board = again.page.locator(".jp-CodeCell").nth(3).locator(".jp-OutputArea")
        expect(board.get_by_text("displaying widget")).to_be_hidden()
        expect(board.get_by_role("img", name="Time per step").first).to_be_visible()
        again.page.screenshot(path=tmp_path / f"{name}.png")
        for theme in (LIGHT, DARK):
            again.change_theme(theme)
            assert again.unreadable() == {}, theme
