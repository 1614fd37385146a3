"""Unusual situations: a busy kernel, failed runs, little space, lost focus."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.keys import Keys
from tests.browser.lab import Lab
from tests.browser.studio import Studio, open_studio

SETUP = """
import time
from pathlib import Path
import mmnotebook as mm
rows = list(range(40))
def plus(x):
    return x + 1
def never(x):
    raise ValueError("never")
builder = mm.Builder("rows | plus")
"""


@pytest.fixture(scope="module")
def studio(lab: Lab, shared_page: Page) -> Studio:
    return open_studio(lab, shared_page, "polish.ipynb", [SETUP, "builder", "pass"])


def panel(studio: Studio) -> Locator:
    return studio.whole.locator(".mm-panel").last


def begin(studio: Studio) -> None:
    studio.type_text("rows | plus")
    studio.tool("Fit").click()
    studio.wait_for(studio.names, ["plus", "rows"])


def has_focus(studio: Studio) -> bool:
    inside: bool = studio.canvas.evaluate("canvas => canvas.contains(document.activeElement)")
    return inside


def test_a_busy_kernel_is_shown_and_no_edit_is_lost(studio: Studio, lab: Lab) -> None:
    studio.page.evaluate(
        """code => {
            const kernel = window.mmPanel.sessionContext.session.kernel;
            window.mmBusy = kernel.requestExecute({code});
        }""",
        "while not Path('polish.go').exists(): time.sleep(0.02)",
    )
    studio.page.wait_for_function('window.mmPanel.sessionContext.session.kernel.status === "busy"')
    try:
        studio.add("vote")
        studio.add("mean")
        studio.wait_for(studio.state, "waiting for the kernel: 2 actions")
    finally:
        (lab.root / "polish.go").touch()
    studio.wait_for(studio.state, "not run yet")
    assert studio.names() == ["mean", "plus", "rows", "vote"]
    studio.undo()
    studio.undo()
    studio.wait_for(studio.text, "rows | map(plus)")


def test_a_failed_run_shows_the_reason_and_the_failed_elements(studio: Studio) -> None:
    studio.type_text("rows | plus | never")
    studio.wait_for(studio.names, ["never", "plus", "rows"])
    assert studio.run() == "failed"
    assert "ValueError: never" in studio.state()
    expect(studio.root.locator(".mm-toast-error")).to_contain_text("ValueError: never")
    elements = studio.whole.locator(".mm-inspector")
    expect(elements.get_by_role("tab", name=re.compile(r"Failed \([1-9]"))).to_have_attribute(
        "aria-selected", "true"
    )
    assert "waiting" not in "".join(studio.status(name) for name in studio.names())
    begin(studio)
    studio.wait_for(lambda: studio.state().endswith("edited since"), True)


def test_the_canvas_gets_the_focus_when_the_focused_control_disappears(studio: Studio) -> None:
    begin(studio)
    studio.select("plus")
    panel(studio).get_by_role("button", name="Delete").click()
    studio.wait_for(studio.names, ["rows"])
    studio.wait_for(lambda: has_focus(studio), True)


def push_far(studio: Studio) -> Keys:
    """Move one of two nodes far down with keys; it has the focus."""
    begin(studio)
    studio.tool("Arrange").click()
    studio.wait_for(lambda: len({y for _, y in studio.places().values()}), 1)
    studio.select("plus")
    keys = Keys(studio)
    keys.press(*["Alt+Shift+ArrowDown"] * 40)
    studio.settle()
    return keys


def test_the_view_follows_a_node_that_is_pushed_out_of_sight(studio: Studio) -> None:
    keys = push_far(studio)
    assert keys.at() == "plus"
    places = studio.places()  # of the visible part
    assert places["plus"][1] - places["rows"][1] >= 1600


def zoom(keys: Keys, key: str, seen: list[str]) -> None:
    """Zoom with a key until exactly these nodes are visible."""
    for _ in range(20):
        keys.press(key)
        keys.studio.settle()
        if keys.studio.names() == seen:
            return
    raise AssertionError(f"20 times {key} show {keys.studio.names()}, not {seen}")


def test_the_canvas_keeps_the_focus_for_a_node_out_of_sight(studio: Studio) -> None:
    keys = push_far(studio)
    zoom(keys, "+", [])
    assert keys.at() == "Pipeline canvas, 2 nodes"
    zoom(keys, "-", ["plus", "rows"])
    assert keys.at() == "plus"
    zoom(keys, "+", [])
    keys.press("ArrowLeft")
    studio.wait_for(keys.at, "rows")


def test_the_view_follows_the_focused_node_when_it_is_arranged(studio: Studio) -> None:
    keys = push_far(studio)
    zoom(keys, "+", [])
    keys.press("ArrowLeft", "ArrowRight")
    studio.wait_for(keys.at, "plus")
    studio.settle()
    assert studio.names() == ["plus"]
    before = studio.places()["plus"]
    keys.press("l")
    studio.wait_for(lambda: studio.places().get("plus", before) != before, True)
    studio.wait_for(keys.at, "plus")


def test_in_a_narrow_window_the_panel_is_below_the_canvas(studio: Studio) -> None:
    begin(studio)
    try:
        for width, below in ((1400, False), (700, True)):
            make_wide(studio, width, below)
            studio.settle()
            assert all(_is_inside(studio, name) for name in studio.names())
    finally:
        make_wide(studio, 1400, False)


def make_wide(studio: Studio, width: int, below: bool) -> None:
    """Set the width of the window, and wait until the panel is below the canvas, or beside it."""
    studio.page.set_viewport_size({"width": width, "height": 1000})
    studio.wait_for(lambda: _is_panel_below(studio), below)


def _is_panel_below(studio: Studio) -> bool:
    canvas = studio.root.bounding_box()
    beside = studio.whole.locator(".mm-beside").bounding_box()
    assert canvas is not None
    assert beside is not None
    return beside["y"] >= canvas["y"] + canvas["height"]


def _is_inside(studio: Studio, name: str) -> bool:
    """Return whether all of a node is visible within its canvas."""
    node, canvas = studio.node(name).bounding_box(), studio.canvas.bounding_box()
    assert node is not None
    assert canvas is not None
    return canvas["x"] <= node["x"] and node["x"] + node["width"] <= canvas["x"] + canvas["width"]


def test_the_panel_does_not_push_what_is_below(studio: Studio) -> None:
    def height() -> float:
        box = studio.whole.locator(".mm-upper").bounding_box()
        assert box is not None
        return box["height"]

    begin(studio)
    studio.select("plus")
    expect(studio.root.locator(".mm-toast")).to_have_count(0, timeout=60_000)  # it takes space
    before = height()
    studio.type_text(f"rows | split({dict.fromkeys('abcdefgh', 0.125)})")
    studio.wait_for(studio.names, ["rows", "split"])
    studio.select("split")
    expect(panel(studio).get_by_role("button", name="Add branch")).to_be_attached()
    studio.wait_for(height, before)
