"""What is saved of the builder: in the notebook, in its export, after its kernel died."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.lab import DARK, LIGHT, Lab, Notebook
from tests.browser.studio import SHOTS, Studio, open_studio

CELLS = [
    """%load_ext mmnotebook
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

features, labels = load_iris(return_X_y=True)
flowers = pd.DataFrame({"x": list(features), "label": labels})
line = LogisticRegression(max_iter=500).fit(features, labels)
tree = DecisionTreeClassifier().fit(features, labels)

%mm_model line line --input x
%mm_model tree tree --input x""",
    "%mm_builder ab",
]
BUILDER = "__import__('mmnotebook.ui.builder.builder', fromlist=['_'])._open['ab']"
TEXT = "flowers | split(line=0.5, tree=0.5)"
COUNTS = ("flowers", "line", "tree")


@pytest.fixture(scope="module")
def studio(lab: Lab, shared_page: Page) -> Iterator[Studio]:
    """Run the A/B split from its template."""
    opened = open_studio(lab, shared_page, "saved.ipynb", CELLS, builder=BUILDER)
    opened.add("A/B split")
    opened.wait_for(opened.text, TEXT)
    assert opened.run() == "done"
    yield opened
    opened.notebook.shut_down()


@pytest.fixture
def counts(studio: Studio) -> list[int]:
    """Return the element counts of the run."""
    found = studio.python(f"[len({BUILDER}.result[name]) for name in {COUNTS}]")
    assert found[0] == found[1] + found[2] == 150
    return list(found)


def static(page: Page) -> Locator:
    return page.locator(".mm-static")


def save(lab: Lab, studio: Studio, counts: list[int]) -> Path:
    """Save once the hidden static view is up to date; return the file."""

    def shown() -> bool:
        outputs = studio.notebook.cells()[1]["outputs"]
        html = "".join(outputs[-1]["data"]["text/html"])
        return f"· {counts[1]}" in html and html.count("<img") == 3

    studio.wait_for(shown, True)
    expect(static(studio.page)).to_be_hidden()
    expect(studio.page.get_by_text("(the visual builder")).to_be_hidden()
    studio.notebook.save()
    path: str = studio.page.evaluate("() => window.mmPanel.context.path")
    return lab.root / path


def check_static(page: Page, counts: list[int]) -> None:
    """Check that graph, counts, text, tables and plots each appear once and are readable."""
    view = static(page)
    expect(view).to_have_count(1)
    expect(view).to_be_visible()
    # A notebook that is not trusted shows drawings as pictures.
    shown = view.locator(":is(svg, .mm-image):visible")
    expect(shown).to_have_count(3)
    picture = view.locator(".mm-image").first.get_attribute("src") or ""
    drawn = [b64decode(picture.partition(",")[2]).decode()]
    if view.locator("svg").count():
        drawn.append(" ".join(view.locator("svg text").all_text_contents()))
    for word in (*COUNTS, *(str(count) for count in counts)):
        assert all(word in labels for labels in drawn), drawn
    expect(view.locator("pre:visible")).to_have_text(TEXT)
    tables = view.locator("table:visible")
    expect(tables).to_have_count(2)
    for name in COUNTS:
        expect(tables.first).to_contain_text(name)
    expect(tables.last).to_contain_text("p50")
    for plot, name in zip(shown.all()[1:], ("Latency per batch", "Memory"), strict=True):
        assert (plot.bounding_box() or {})["width"] > 200
        said = plot.get_attribute("alt") or plot.get_attribute("aria-label")
        assert said is not None and said.startswith(f"{name}. ")


def test_an_export_shows_everything_offline_without_scripts(
    studio: Studio, lab: Lab, counts: list[int], browser: Browser, tmp_path: Path
) -> None:
    saved = save(lab, studio, counts)
    assert "widgets" not in json.loads(saved.read_text(encoding="utf-8"))["metadata"]
    SHOTS.mkdir(exist_ok=True)
    for theme in ("light", "dark"):
        html, _ = HTMLExporter(theme=theme).from_filename(str(saved))
        file = tmp_path / f"{theme}.html"
        file.write_text(html, encoding="utf-8")
        with opened(browser, file, java_script_enabled=False) as page:
            check_static(page, counts)
            page.screenshot(path=SHOTS / f"export-{theme}.png", full_page=True)
        with opened(browser, file) as page:  # measuring needs a script
            found = Notebook(page).contrasts(".mm-static :is(svg text, td, th, pre, p)")
        assert {text: value for text, value in found.items() if value < 4.5} == {}
        assert len(found) > 20


@contextmanager
def opened(browser: Browser, file: Path, **how: Any) -> Iterator[Page]:
    """Open a page from a file, offline."""
    context = browser.new_context(offline=True, **how)
    page = context.new_page()
    page.goto(file.as_uri())
    yield page
    context.close()


def test_the_inserted_cell_makes_the_graph_again_when_the_kernel_is_killed(
    studio: Studio, lab: Lab, counts: list[int]
) -> None:
    studio.tool("Insert as cell").click()
    cell = f"%%mm_pipeline ab\n{TEXT}"
    studio.wait_for(lambda: [each["source"] for each in studio.notebook.cells()], [*CELLS, cell])
    save(lab, studio, counts)
    page = studio.page
    page.evaluate(
        """() => void window.mmPanel.sessionContext.session.kernel.requestExecute(
            {code: "import os; os.kill(os.getpid(), 9)"})"""
    )
    page.get_by_role("dialog", name="Kernel Restarting").get_by_role("button").click()
    expect(studio.root).to_be_visible()
    assert studio.text() == TEXT
    studio.tool("Arrange").click()
    expect(studio.root.locator(".mm-status")).to_contain_text("waiting for the kernel: 1 action")
    page.screenshot(path=SHOTS / "killed.png")

    studio.notebook.wait_for_idle()
    for place in (0, 2, 1):  # the data, the inserted cell, the builder
        run_cell(studio, place)
    assert studio.notebook.errors() == []
    again = Studio(page, studio.notebook, builder=BUILDER)
    again.wait_for(again.text, TEXT)
    assert again.python(f"ab == {BUILDER}.graph") is True
    assert again.run() == "done"
    labels = {port: count for (_, port, _), count in again.wires().items()}
    assert labels == {None: "150", "line": str(counts[1]), "tree": str(counts[2])}


def run_cell(studio: Studio, place: int) -> None:
    studio.page.evaluate(
        """async place => {
            const {content} = window.mmPanel;
            content.activeCellIndex = place;
            content.deselectAll();
            await window.jupyterapp.commands.execute("notebook:run-cell");
        }""",
        place,
    )


def test_a_saved_notebook_shows_the_builder_before_any_cell_runs(
    studio: Studio, lab: Lab, counts: list[int]
) -> None:
    saved = save(lab, studio, counts)
    lab.write_foreign(saved.name)
    studio.notebook.shut_down()
    for name, path in (("saved", saved.name), ("foreign", "foreign.ipynb")):
        again = lab.open(studio.page, path)
        check_static(again.page, counts)
        expect(again.page.get_by_text("displaying widget")).to_be_hidden()
        for theme in (DARK, LIGHT):
            again.change_theme(theme)
            assert again.unreadable() == {}, theme
            again.page.screenshot(path=SHOTS / f"{name}-{theme.rpartition(' ')[2].lower()}.png")
