"""The widgets of a kernel share one copy of their frontend code, also in a saved notebook."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from ipywidgets import Widget
from ipywidgets.embed import dependency_state
from nbclient import NotebookClient

import mmnotebook as mm
from mmnotebook.ui.builder.builder import Builder
from mmnotebook.ui.common.bundle import BundledWidget, shared

STATE = "application/vnd.jupyter.widget-state+json"
STATIC = Path(mm.__file__).parent / "ui/static"
CELLS = [
    "import mmnotebook as mm\nmm.Builder()",
    "def double(v):\n    return 2 * v\nnumbers = [1, 2, 3]",
    "builder = mm.Builder('numbers | double')\nbuilder",
    "builder.run(); builder.wait()\nmm.inspect(builder.result, 'double')",
    "mm.inspect(builder.result, 'numbers')",
    "mm.dashboard(builder.result)",
    "mm.Builder()",
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the widget state that is saved in a notebook."""
    folder = tmp_path_factory.mktemp("saved")
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(notebook, timeout=120, store_widget_state=True)
    client.execute(env={**os.environ, "MMNOTEBOOK_CACHE": str(folder)}, cwd=str(folder))
    states: dict[str, Any] = notebook.metadata["widgets"][STATE]["state"]
    return {name: one["state"] for name, one in states.items()}


def code_of(name: str) -> str:
    return (STATIC / f"{name}.js").read_text(encoding="utf-8")


def holding(state: dict[str, Any], name: str) -> list[str]:
    """Return the widgets that contain the code of a bundle."""
    text = json.dumps(code_of(name))[1:-1]
    return [model for model, one in state.items() if text in json.dumps(one)]


@pytest.mark.parametrize("name", ["builder", "table"])
def test_a_saved_notebook_has_the_code_once(saved: dict[str, Any], name: str) -> None:
    (bundle,) = holding(saved, name)
    assert saved[bundle]["name"] == name and len(saved[bundle]["style"]) > 1000
    drawn = [one for one in saved.values() if one.get("_bundle") == f"IPY_MODEL_{bundle}"]
    assert len(drawn) >= (3 if name == "builder" else 2)


def test_the_state_of_every_widget_is_small(saved: dict[str, Any]) -> None:
    drawn = [one for one in saved.values() if "_bundle" in one]
    assert {one["_bundle"].removeprefix("IPY_MODEL_") in saved for one in drawn} == {True}
    for one in drawn:
        assert len(one["_esm"]) < 2000 and "_css" not in one
    sizes = sorted(len(json.dumps(one)) for one in saved.values())
    assert sum(size > 100_000 for size in sizes) <= 1


@pytest.fixture
def closed() -> Iterator[None]:
    yield
    Widget.close_all()


def test_a_page_of_one_builder_has_what_draws_it(builder: Builder) -> None:
    canvas = builder._studio.canvas
    state = dependency_state([canvas])
    assert canvas._bundle.model_id in state


def test_a_bundle_that_was_closed_is_made_anew(closed: None) -> None:
    before = shared("table")
    assert shared("table") is before
    Widget.close_all()
    after = shared("table")
    assert after is not before and after.comm is not None


def test_every_widget_with_code_of_its_own_shares_it() -> None:
    """Check that every widget of this package's frontend is a `BundledWidget`."""
    from mmnotebook.ui.builder.canvas import Canvas
    from mmnotebook.ui.inspector.table import Table

    names = {kind.bundle for kind in (Canvas, Table)}
    assert set(BundledWidget.__subclasses__()) >= {Canvas, Table}
    assert names == {path.stem for path in STATIC.glob("*.js")} - {"loader"}
