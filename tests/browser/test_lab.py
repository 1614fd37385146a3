"""The tools of the browser tests: they see outputs, errors, themes and unreadable text."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.browser.lab import DARK, LIGHT, Lab, Notebook

DRAWING = """
from IPython.display import HTML
HTML('''<svg width="300" height="60"><rect width="300" height="60" fill="currentColor"
fill-opacity="0.1"/><text x="9" y="20" fill="currentColor">inherits</text>
<text x="9" y="45" fill="#222222">black</text></svg>''')
"""


@pytest.fixture(scope="module")
def notebook(lab: Lab, shared_page: Page) -> Notebook:
    sources = ["import mmnotebook", "6 * 7", DRAWING, "{}['gone']", "'not reached'"]
    lab.write("tools.ipynb", sources)
    opened = lab.open(shared_page, "tools.ipynb")
    opened.run_all()
    return opened


def test_outputs_and_errors_are_read(notebook: Notebook) -> None:
    cells = notebook.cells()
    assert cells[1]["outputs"][0]["data"]["text/plain"] == "42"
    assert notebook.errors() == ["KeyError: 'gone'"]
    assert cells[4]["outputs"] == []


def test_contrast_finds_unreadable_text_in_a_theme(notebook: Notebook) -> None:
    notebook.change_theme(LIGHT)
    assert min(notebook.contrasts("svg text").values()) > 10
    notebook.change_theme(DARK)
    dark = notebook.contrasts("svg text")
    assert dark["inherits"] > 10
    assert dark["black"] < 1.5


def test_no_request_leaves_this_machine(lab: Lab, page: Page) -> None:
    hosts = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    lab.write("quiet.ipynb", ["1"])
    lab.open(page, "quiet.ipynb").run_all()
    assert hosts - {""} == {urlsplit(lab.address).netloc}
