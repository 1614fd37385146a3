"""The builder with the mouse only: from an empty canvas to a run, and back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.lab import DARK, LIGHT, Lab, Notebook, open_page
from tests.browser.studio import Studio, run_cell

SETUP = """
import mmnotebook as mm
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

data = load_digits()
digits = pd.DataFrame({"x": list(data.data[:200]), "label": data.target[:200]})
digits.at[7, "x"] = digits.at[7, "x"][:9]  # no model takes this one
logistic = LogisticRegression(max_iter=500).fit(data.data[:500], data.target[:500])
mm.register("logistic", logistic, input="x")
mm.register("tree", DecisionTreeClassifier().fit(data.data, data.target), input="x");
"""
SPLIT = "digits | split(logistic=0.5, tree=0.5)"


@pytest.fixture(scope="module")
def opened(lab: Lab, browser: Browser) -> Iterator[Notebook]:
    """Open a notebook with data and two models, and a cell for a builder."""
    lab.write("mouse.ipynb", [SETUP, "pass"])
    with open_page(browser, 1440, 1200) as page:
        notebook = lab.open(page, "mouse.ipynb")
        page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        notebook.run_all()
        assert notebook.errors() == []
        yield notebook


def studio(opened: Notebook, text: str | None = None) -> Studio:
    """Open a new builder, empty or with this text."""
    run_cell(opened, 1, f"builder = mm.Builder({text!r})\nbuilder")
    return Studio(opened.page, opened)


def document(studio: Studio) -> list[dict[str, Any]]:
    """Return the state that undo and redo restore: the graph and its positions."""
    nodes: list[dict[str, Any]] = studio.scene()["nodes"]
    return [{key: value for key, value in node.items() if key != "problems"} for node in nodes]


def shown(nodes: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Return the positions that the canvas should show."""
    return {node["name"]: [node["x"], node["y"]] for node in nodes}


def is_connected(made: Studio, wire: tuple[str, str | None, str]) -> bool:
    return wire in made.wires()


def build(made: Studio) -> Iterator[None]:
    """Build the A/B split from an empty canvas; yield after each change."""
    for title, x, y in (
        ("digits", 0.15, 0.5),
        ("split", 0.45, 0.5),
        ("logistic", 0.8, 0.25),
        ("tree", 0.8, 0.75),
    ):
        there = made.names()
        made.drop(title, x, y)
        made.wait_for(made.names, sorted([*there, title]))
        yield
    for wire in (
        ("digits", None, "split"),
        ("split", "a", "logistic"),
        ("split", "b", "tree"),
    ):
        made.connect(*wire)
        made.wait_for(partial(is_connected, made, wire), True)
        yield


def test_a_split_is_built_run_and_inspected(opened: Notebook) -> None:
    made = studio(opened)
    expect(made.root.get_by_text("The canvas is empty")).to_be_visible()
    expect(made.tool("Run")).to_have_attribute("aria-disabled", "true")
    for _ in build(made):
        pass
    made.wait_for(made.problems, [])
    assert made.text() == 'digits | split({"a": 0.5, "b": 0.5})\nsplit.a | logistic\nsplit.b | tree'
    assert made.python("mm.pipeline(builder.text) == builder.graph")

    assert made.run() == "done"
    a, b = made.python('[len(builder.result[name]) for name in ("logistic", "tree")]')
    assert a + b + 1 == 200
    assert made.wires() == {
        ("digits", None, "split"): "200",
        ("split", "a", "logistic"): str(a),
        ("split", "b", "tree"): str(b + 1),
    }
    assert made.status("digits").startswith("200 ·")
    assert made.status("logistic").startswith(f"{a} ·")
    assert made.status("tree").startswith(f"{b} ·")
    expect(made.node("tree").locator(".mm-failed")).to_have_text("1 failed")
    assert "1 failed element in tree" in made.state()
    look_at_what_failed(made)


def look_at_what_failed(made: Studio) -> None:
    made.select("tree")
    made.whole.get_by_role("tab", name="Failed (1)").click()
    rows = made.whole.locator(".mm-inspector-table tbody tr:visible")
    expect(rows).to_have_count(1)
    rows.first.locator("td").first.click()
    way = made.whole.get_by_role("table", name="through the graph").locator("tbody tr")
    expect(way.locator("td:first-child")).to_have_text(["digits", "split", "tree"])
    way.locator("summary").click()
    expect(way.locator("pre")).to_contain_text("ValueError")
    made.picture("mouse-failed")


def test_all_edits_are_undone_and_redone(opened: Notebook) -> None:
    made = studio(opened)
    states = [document(made)]
    for _ in build(made):
        states.append(document(made))
    made.move("tree", 0, 1)
    made.wait_for(lambda: document(made) != states[-1], True)
    states.append(document(made))
    made.select("logistic")
    made.tool("Delete").click()
    made.wait_for(made.names, ["digits", "split", "tree"])
    states.append(document(made))
    assert [len(state) for state in states] == [0, 1, 2, 3, 4, 4, 4, 4, 4, 3]

    for before in reversed(states[:-1]):
        made.undo()
        made.wait_for(partial(document, made), before)
        made.wait_for(made.places, shown(before))
    expect(made.tool("Undo")).to_have_attribute("aria-disabled", "true")
    expect(made.root.get_by_text("The canvas is empty")).to_be_visible()
    for after in states[1:]:
        made.redo()
        made.wait_for(partial(document, made), after)
        made.wait_for(made.places, shown(after))
    expect(made.tool("Redo")).to_have_attribute("aria-disabled", "true")


def test_text_and_canvas_follow_each_other(opened: Notebook) -> None:
    made = studio(opened, SPLIT)
    assert made.text() == SPLIT
    made.move("tree", 1, 2)
    made.wait_for(lambda: made.scene()["undo"], "move tree")
    before = made.places()
    made.type_text("digits | [logistic, tree] | vote()")
    made.wait_for(made.names, ["digits", "logistic", "tree", "vote"])
    places = made.places()
    assert {name: places[name] for name in ("digits", "logistic", "tree")} == {
        name: before[name] for name in ("digits", "logistic", "tree")
    }
    made.select("vote")
    made.tool("Delete").click()
    made.wait_for(made.text, "digits | [logistic, tree]")

    made.type_text("digits | [logistic, tere]")
    made.wait_for(lambda: len(made.problems()), 1)
    assert "did you mean 'tree'" in made.problems()[0] or "tree" in made.problems()[0]
    expect(made.area).to_have_attribute("aria-invalid", "true")
    assert made.names() == ["digits", "logistic", "tree"]
    made.type_text("digits | tree")
    made.wait_for(made.names, ["digits", "tree"])
    made.wait_for(made.problems, [])


def test_a_wrong_wire_is_refused_with_its_reason(opened: Notebook) -> None:
    made = studio(opened, SPLIT)
    wires = made.wires()
    reason = made.root.locator(".mm-reason")
    for target, words in (
        (made.entry("split"), "cycle"),
        (made.node("digits"), "cannot have an input"),
    ):
        with made.held(made.handle("tree"), target):
            expect(reason).to_contain_text(words)
            expect(made.root.locator(".mm-plug-refused")).not_to_have_count(0)
            if words == "cycle":
                made.picture("mouse-refused")
        expect(reason).to_have_count(0)
        expect(made.root.locator(".mm-toast").last).to_contain_text(words)
    assert made.wires() == wires
    assert made.text() == SPLIT
    with made.held(made.handle("tree"), made.entry("logistic")):
        expect(reason).to_have_count(0)
    made.wait_for(lambda: ("tree", None, "logistic") in made.wires(), True)


def test_boxed_copied_pasted_and_deleted(opened: Notebook) -> None:
    made = studio(opened, SPLIT)
    box(made, "logistic", "tree")
    made.tool("Copy").click()
    made.tool("Paste").click()
    made.wait_for(made.names, ["digits", "logistic", "logistic_2", "split", "tree", "tree_2"])
    made.wait_for(made.selected, ["logistic_2", "tree_2"])
    made.tool("Delete").click()
    made.wait_for(made.names, ["digits", "logistic", "split", "tree"])
    made.select("digits", "split")
    made.select("split")  # one of several selected nodes: the others are no longer selected
    made.tool("Duplicate").click()
    made.wait_for(made.names, ["digits", "logistic", "split", "split_2", "tree"])
    made.wait_for(lambda: [problem.partition(" ")[0] for problem in made.problems()], ["split_2"])


def box(made: Studio, first: str, last: str) -> None:
    """Draw a box around nodes with Shift, from outside the first corner to the last far corner."""
    made.settle()
    one, other = made.node(first).bounding_box(), made.node(last).bounding_box()
    assert one is not None
    assert other is not None
    margin = one["height"] / 4
    page = made.page
    page.mouse.move(one["x"] - margin, one["y"] - margin)
    page.keyboard.down("Shift")
    page.mouse.down()
    right, bottom = other["x"] + other["width"], other["y"] + other["height"]
    page.mouse.move(right + margin, bottom + margin, steps=12)
    page.mouse.up()
    page.keyboard.up("Shift")
    made.wait_for(made.selected, sorted([first, last]))
    expect(made.root.locator(".react-flow__edge.selected")).to_have_count(0)


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_every_text_is_readable(opened: Notebook, theme: str) -> None:
    made = studio(opened, SPLIT)
    opened.change_theme(theme)

    def can_be_read(name: str) -> None:
        made.settle()
        made.picture(f"mouse-{name}-{theme.split()[-1].lower()}")
        assert made.unreadable() == {}

    can_be_read("before")
    assert made.run() == "done"
    made.select("tree")
    can_be_read("elements")
    made.whole.get_by_role("tab", name="Metrics").click()
    can_be_read("metrics")
    made.type_text("digits | tree | nothing")
    made.wait_for(lambda: len(made.problems()), 1)
    can_be_read("problems")
