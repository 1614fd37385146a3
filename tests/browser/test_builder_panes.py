"""The builder's panes in JupyterLab: text, problems, palette, keys, and inserting a cell."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.lab import DARK, LIGHT, Lab, Notebook
from tests.browser.studio import run_cell

CELLS = [
    """import mmnotebook as mm

rows = [0.1, 0.2, 0.3]

def double(value):
    return 2 * value

def half(value):
    return value / 2

builder = mm.Builder(mm.pipeline("rows | double"))
builder""",
    "'another cell'",
]


@pytest.fixture(scope="module")
def page(shared_page: Page) -> Page:
    return shared_page


@pytest.fixture(scope="module")
def notebook(lab: Lab, page: Page) -> Notebook:
    lab.write("panes.ipynb", CELLS)
    opened = lab.open(page, "panes.ipynb")
    opened.watch_commands()  # JupyterLab's reaction to a key that it should not receive
    return opened


@pytest.fixture
def builder(notebook: Notebook) -> Locator:
    """Open a new builder."""
    run_cell(notebook, 0, CELLS[0])
    found = notebook.page.locator(".mm-builder")
    expect(found).to_have_count(1)
    expect(text(found)).to_have_value("rows | map(double)")
    expect(steps(found)).to_have_count(2)
    return found


def steps(builder: Locator) -> Locator:
    return builder.locator(".mm-step")


def text(builder: Locator) -> Locator:
    return builder.get_by_role("textbox", name="Pipeline text")


def test_typed_text_updates_the_canvas_and_stays_until_the_editor_loses_focus(
    builder: Locator, page: Page
) -> None:
    field = text(builder)
    expect(field).to_have_value("rows | map(double)")
    field.press("Control+End")
    field.press_sequentially("|half")
    expect(steps(builder)).to_have_count(3)
    expect(field).to_have_value("rows | map(double)|half")
    field.press("Tab")
    expect(field).to_have_value("rows | map(double) | map(half)")
    expect(field).not_to_be_focused()


def test_keys_in_the_text_editor_stay_there(builder: Locator, page: Page) -> None:
    field = text(builder)
    field.press("Control+End")
    field.press_sequentially("x")
    Notebook(page).commands()
    field.press("Control+z")
    expect(field).to_have_value("rows | map(double)")
    field.press("Enter")
    expect(field).to_have_value("rows | map(double)\n")
    for keys in ("Control+a", "Shift+Enter", "Backspace", "Escape"):
        field.press(keys)
    expect(field).to_have_value("")
    assert Notebook(page).commands() == []


def test_a_click_on_a_problem_selects_its_node(builder: Locator, page: Page) -> None:
    field = text(builder)
    field.press("Control+End")
    field.press_sequentially(" | hlaf")
    problem = builder.get_by_role("region", name="Problems").get_by_role("button")
    expect(problem).to_contain_text("did you mean 'half'?")
    expect(builder.locator(".mm-mark")).to_have_text("hlaf")
    expect(field).to_have_attribute("aria-invalid", "true")
    problem.click()
    expect(field).to_be_focused()
    start = len("rows | map(double) | ")
    assert field.evaluate("(element) => element.selectionStart") == start


def test_the_palette_adds_after_the_selected_node_and_keeps_the_focus(
    builder: Locator, page: Page
) -> None:
    builder.locator(".react-flow__node[data-id=double]").click()
    page.keyboard.press("a")
    search = builder.get_by_role("searchbox")
    expect(search).to_be_focused()
    search.press_sequentially("half")
    search.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    item = builder.get_by_role("button", name="Add half, map")
    expect(item).to_be_focused()
    page.keyboard.press("Enter")
    expect(text(builder)).to_have_value("rows | map(double) | map(half)")
    expect(item).to_be_focused()
    expect(builder.get_by_role("status")).to_contain_text("half added, after double")


def test_enter_in_the_search_adds_the_match_and_the_next_name_can_be_typed(
    builder: Locator, page: Page
) -> None:
    builder.locator(".react-flow__node[data-id=double]").click()
    page.keyboard.press("a")
    search = builder.get_by_role("searchbox")
    expect(search).to_be_focused()
    search.press_sequentially("half")
    search.press("Enter")
    expect(builder.locator(".react-flow__node[data-id=half].selected")).to_be_visible()
    search.press_sequentially("vote")  # the template of an ensemble has the same text, and is above
    search.press("Enter")
    expect(search).to_have_value("")
    expect(text(builder)).to_have_value("rows | map(double) | [map(half)] | vote()")
    search.press_sequentially("nothing has this name")
    search.press("Enter")
    expect(search).to_have_value("nothing has this name")
    search.press("Escape")
    search.press("Escape")
    expect(builder.locator(".react-flow__node[data-id=vote]")).to_be_focused()


def test_a_click_selects_one_of_several_selected_nodes(builder: Locator) -> None:
    selected = builder.locator(".react-flow__node.selected")
    node = builder.locator(".react-flow__node[data-id=double]")
    node.click()
    node.press("Control+a")
    expect(selected).to_have_count(2)
    node.click()
    expect(selected).to_have_count(1)
    expect(node).to_have_class(re.compile(r"\bselected\b"))


def test_the_help_keeps_the_focus_and_gives_it_back(builder: Locator, page: Page) -> None:
    opener = builder.get_by_role("button", name="Keys and help")
    opener.click()
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    Notebook(page).commands()
    page.keyboard.press("d")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()
    assert Notebook(page).commands() == []


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_the_panes_are_readable(builder: Locator, notebook: Notebook, theme: str) -> None:
    notebook.change_theme(theme)
    field = text(builder)
    field.press("Control+End")
    field.press_sequentially(" | hlaf")
    expect(builder.locator(".mm-problem")).to_have_count(1)
    panes = ".mm-toolbar span, .mm-palette span, .mm-palette p, .mm-pane-head *"
    panes += ", .mm-lines div, .mm-text-problems li, .mm-problem span, .mm-problem strong"
    found = notebook.contrasts(panes)
    assert len(found) > 20
    assert {words: worst for words, worst in found.items() if worst < 4.5} == {}


def test_the_text_goes_into_a_cell_below(builder: Locator, notebook: Notebook, page: Page) -> None:
    page.locator(".jp-Cell").nth(1).click()
    builder.get_by_role("button", name="Insert as cell").click()
    page.wait_for_function("() => window.mmPanel.content.model.cells.length === 3")
    expect(page.locator(".jp-Cell").nth(1)).to_contain_text("rows | map(double)")
    sources = [cell["source"] for cell in notebook.cells()]
    assert sources[0] == CELLS[0]
    assert sources[1].startswith("%%mm_pipeline ")
    assert sources[1].endswith("\nrows | map(double)")
    assert sources[2] == CELLS[1]
