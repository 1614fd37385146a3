"""The builder with the keyboard only: from an empty canvas to a finished run of an A/B split."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.keys import Keys
from tests.browser.lab import Lab
from tests.browser.studio import Studio, open_studio

CELLS = [
    """import mmnotebook as mm
import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

x, y = load_iris(return_X_y=True)
flowers = pd.DataFrame({"x": list(x), "label": y})
for name, made in (("line", LogisticRegression(max_iter=500)), ("tree", DecisionTreeClassifier())):
    mm.register(name, made.fit(x, y), input="x")
builder = mm.Builder(name="ab")""",
    "builder",
    "'another cell'",
]


@pytest.fixture
def studio(lab: Lab, page: Page, request: pytest.FixtureRequest) -> Studio:
    # A new name, and so a new kernel: otherwise the widgets of another test would be loaded again.
    opened = open_studio(lab, page, f"{request.node.name}.ipynb", CELLS)
    opened.notebook.watch_commands()  # JupyterLab's reaction to a key that it should not receive
    return opened


@pytest.fixture
def keys(studio: Studio) -> Keys:
    """Move the focus from the cell to the canvas with Tab."""
    made = Keys(studio)
    made.press("Escape", "ArrowUp")
    studio.notebook.commands()
    made.reach("Run$")
    made.reach("Pipeline canvas")
    return made


def split(keys: Keys) -> None:
    """Build data, a split, and a model on each branch; draw one wire by hand."""
    keys.add("data flowers", "flowers")
    keys.add("steps split", "split")
    keys.add("models line", "line")
    keys.press("Escape")
    keys.add("models tree", "tree")
    keys.wait_at("tree")


def nameless(studio: Studio) -> list[str]:
    """Return the active elements that have no name for screen readers."""
    client = studio.page.context.new_cdp_session(studio.page)
    whole = client.send("Runtime.evaluate", {"expression": "document.querySelector('.mm-studio')"})
    about = {"objectId": whole["result"]["objectId"]}
    nodes: list[dict[str, Any]] = client.send("Accessibility.queryAXTree", about)["nodes"]
    usable = [node for node in nodes if not node["ignored"] and _is_usable(node)]
    assert len(usable) > 20
    return [node["role"]["value"] for node in usable if not node["name"].get("value", "").strip()]


def _is_usable(node: dict[str, Any]) -> bool:
    return any(p["name"] == "focusable" and p["value"]["value"] for p in node["properties"])


def test_an_ab_split_is_built_and_run(studio: Studio, keys: Keys) -> None:
    split(keys)
    keys.press("Escape", "ArrowUp")
    keys.wait_at("flowers")
    keys.press("ArrowRight")
    keys.wait_at("split")

    keys.press("c")
    keys.wait_for_announcement("connect split: output a; Enter chooses, Escape cancels")
    keys.press("ArrowDown")
    keys.wait_for_announcement("output b")
    keys.press("Enter", "ArrowDown")
    keys.wait_for_announcement("connect split b to tree (model); Enter connects, Escape cancels")
    keys.press("Enter")
    keys.wait_for_announcement("split b connected to tree")
    assert ("split", "b", "tree") in studio.wires()
    assert keys.at() == "split"

    keys.press("l", "ArrowRight", "ArrowDown")
    keys.wait_for_announcement("nodes arranged")
    keys.wait_at("tree")
    studio.settle()
    x, y = studio.places()["tree"]
    keys.press("Alt+ArrowDown", "Alt+Shift+ArrowRight")
    keys.wait_for_announcement("tree moved")
    studio.wait_for(lambda: studio.places()["tree"], [x + 40, y + 8])

    keys.press("ArrowLeft", "Enter")
    keys.wait_at("name of branch 1")
    for arm, fraction in enumerate(("0.75", "0.25"), start=1):
        keys.reach(f"fraction of branch {arm}")
        keys.press("Control+a")
        keys.type(fraction)
    keys.reach("name$", "Shift+Tab")
    keys.press("Control+a")
    keys.type("ab")
    keys.press("Enter")
    keys.press("Escape")
    keys.wait_at("ab")

    keys.press("r")
    expect(studio.root.locator(".mm-status-done")).to_be_visible()
    counts = studio.python("{name: len(builder.result[name]) for name in ('line', 'tree')}")
    assert 100 < counts["line"] < 125
    assert counts["line"] + counts["tree"] == 150
    wires = {(None, "ab"): 150, ("a", "line"): counts["line"], ("b", "tree"): counts["tree"]}
    seen = {(port, target): int(count) for (_, port, target), count in studio.wires().items()}
    assert seen == wires
    for name, count in counts.items():
        assert studio.status(name).startswith(f"{count} ")
    assert nameless(studio) == []
    studio.screenshot("keyboard")
    keys.wait_at("ab")
    undo_and_redo_all(studio, keys)
    assert studio.notebook.commands() == ["apputils:change-theme"] * 2
    assert len(studio.notebook.cells()) == len(CELLS)


def undo_and_redo_all(studio: Studio, keys: Keys) -> None:
    built, steps = (studio.text(), studio.places()), 0
    undo = studio.tool("Undo")
    while undo.get_attribute("aria-disabled") == "false":
        said = undo.get_attribute("aria-label") or ""
        keys.press("Control+z")
        expect(undo).not_to_have_attribute("aria-label", said)
        steps += 1
    assert steps > 8
    assert (studio.names(), studio.text()) == ([], "")
    keys.wait_at("Pipeline canvas, 0 nodes")
    for _ in range(steps):
        keys.press("Control+Shift+z")
    studio.wait_for(lambda: (studio.text(), studio.places()), built)


def test_keys_in_the_builder_do_not_reach_the_notebook(studio: Studio, keys: Keys) -> None:
    """Check that keys such as cut, paste or restart do not reach the notebook."""
    keys.press("t")
    keys.wait_at("Pipeline text")
    keys.type("flowers | split(line=0.5, tree=0.5)")
    studio.wait_for(studio.names, ["flowers", "line", "split", "tree"])
    keys.reach("Run$", "Shift+Tab")
    keys.press("Enter")
    expect(studio.root.locator(".mm-status-done")).to_be_visible()
    keys.reach("flowers")
    keys.press("ArrowRight")
    expect(studio.whole.get_by_label("name of branch 1")).to_be_visible()
    text, passed = studio.text(), []
    keys.reach("Run$", "Shift+Tab")
    while studio.page.evaluate("() => document.activeElement.closest('.mm-studio') !== null"):
        keys.check_focus_is_visible()
        passed.append(keys.at())
        if studio.page.evaluate("() => !document.activeElement.matches('input, textarea')"):
            keys.press(*"00vzmiijkob")
        keys.press("Tab")
    for name in ("Templates6", "split", "Even", "Delete", "Elements", "Sample", "id"):
        assert name in passed, passed
    assert studio.text() == text
    assert studio.notebook.commands() == []
    assert len(studio.notebook.cells()) == len(CELLS)
