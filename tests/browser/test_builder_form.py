"""With clicks only, in a notebook without data or models: the example, and a model from a file."""

from __future__ import annotations

import re
from typing import Any

import joblib
import pandas as pd
import pytest
from playwright.sync_api import Locator, Page, expect
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

from tests.browser.lab import Lab
from tests.browser.studio import Studio, open_studio

OPEN = "%load_ext mmnotebook\n%mm_builder ab"


class Form:
    """The registration form in a page."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.whole = studio.whole.locator(".mm-panel", has_text="Register a model")

    def field(self, label: str) -> Locator:
        return self.whole.get_by_label(re.compile(rf"^{label}"))

    def fill(self, label: str, text: str) -> None:
        self.field(label).fill(text)
        self.field(label).press("Tab")

    def press(self, name: str) -> None:
        button = self.whole.get_by_role("button", name=name)
        expect(button).to_be_enabled()
        button.click()

    def expect(self, words: str) -> None:
        expect(self.whole).to_contain_text(words)


@pytest.fixture
def studio(lab: Lab, page: Page, request: pytest.FixtureRequest) -> Studio:
    # The kernel of a path keeps running, with its variables.
    name = f"{request.node.name}.ipynb"
    made = open_studio(lab, page, name, [OPEN], builder="get_ipython()")
    page.set_viewport_size({"width": 1440, "height": 1300})
    return made


def text_of(studio: Studio) -> Any:
    return studio.python("ab.to_text() if 'ab' in globals() else ''")


def test_a_new_user_gets_to_a_run_with_plots(studio: Studio) -> None:
    studio.root.get_by_role("button", name="Load an example").click()
    # The kernel imports scikit-learn for the first time, and trains two models.
    studio.wait_for(studio.names, ["digits", "logistic", "split", "tree"], seconds=120)
    assert studio.run() == "done"
    studio.wait_for(lambda: studio.wires()[("digits", None, "split")], "898")
    studio.whole.get_by_role("tab", name="Metrics").click()
    for tab in ("Latency", "Memory"):
        studio.whole.get_by_role("tab", name=tab).click()
        plot = studio.whole.locator(f'svg[aria-label^="{tab}"]')
        expect(plot).to_be_visible()
        assert (plot.bounding_box() or {})["width"] > 300
    studio.picture("clicks-metrics")
    assert text_of(studio) == "digits | split(logistic=0.5, tree=0.5)"


def test_a_model_of_a_file_is_tried_registered_and_used(lab: Lab, studio: Studio) -> None:
    data = load_iris()
    model = DecisionTreeClassifier(random_state=0).fit(data.data, data.target)
    joblib.dump(model, lab.root / "forest.joblib")
    pd.DataFrame(data.data, columns=list("abcd")).to_parquet(lab.root / "flowers.parquet")
    form = Form(studio)
    studio.tool("New model…").click()
    expect(form.field("name")).to_be_focused()
    form.fill("name", "two words")
    form.expect("two words")
    expect(form.whole.get_by_role("button", name="Register")).to_be_disabled()
    form.fill("name", "forest")
    form.field("the model is").select_option("a file")
    form.fill("file", "missing.joblib")
    form.expect("no such file")
    form.fill("file", "forest.joblib")
    form.expect("can run code")
    form.fill("input", "a, b, c, d")
    form.field("example").fill('{"a": 5.1, "b": 3.5, "c": 1.4, "d": 0.2}')
    form.press("Try it")
    form.expect("loaded in")
    studio.picture("clicks-form")
    form.press("Register")
    expect(studio.item("forest")).to_be_visible()
    form.press("Close")
    expect(form.whole).to_be_hidden()
    studio.add("read")
    studio.wait_for(studio.names, ["read"])
    path = studio.whole.get_by_label(re.compile("^path"))
    path.fill("flowers.parquet")
    path.press("Tab")
    studio.wait_for(lambda: "flowers.parquet" in studio.text(), True)
    studio.add("forest")
    studio.wait_for(studio.names, ["forest", "read"])
    studio.wait_for(lambda: list(studio.wires()), [("read", None, "forest")])
    assert studio.run() == "done"
    studio.wait_for(lambda: studio.wires()[("read", None, "forest")], "150")
    studio.picture("clicks-file")
    assert text_of(studio) == 'read("flowers.parquet") | forest'


_CUT = """panel => {
    const edge = of => {
        for (let box = of.parentElement; box !== panel.parentElement; box = box.parentElement)
            if (getComputedStyle(box).overflowX !== "visible")
                return box.getBoundingClientRect().left + box.clientLeft + box.clientWidth;
        return Infinity;
    };
    const shown = [...panel.querySelectorAll(".widget-label, .jupyter-widget-Collapse")]
        .filter(element => element.offsetParent !== null && !element.closest(".mm-named"));
    return shown.filter(element => element.scrollWidth > element.clientWidth + 1
        || element.getBoundingClientRect().right > edge(element))
        .map(element => element.textContent);
}"""


def test_no_text_of_the_form_is_cut_off(studio: Studio) -> None:
    studio.page.set_viewport_size({"width": 1280, "height": 1300})
    form = Form(studio)
    studio.tool("New model…").click()
    form.whole.get_by_text("Calls: batch axis").click()
    expect(form.field("method or function that resets")).to_be_visible()
    form.field("method or function that resets").scroll_into_view_if_needed()
    studio.screenshot("form-called")
    assert form.whole.evaluate(_CUT) == []


def test_a_failed_run_covers_no_step_and_shows_the_remedy(lab: Lab, page: Page) -> None:
    setup = "data = [1, 2, 3]\ndef never(x): raise ValueError('never')"
    studio = open_studio(lab, page, "failed.ipynb", [setup, OPEN], builder="get_ipython()")
    studio.type_text("data | map(never)")
    assert studio.run() == "failed"
    toast = studio.root.locator(".mm-toast-error")
    expect(toast).to_contain_text("click on an empty part of the canvas")
    canvas, said = studio.root.locator(".mm-middle").bounding_box(), toast.bounding_box()
    assert canvas is not None and said is not None
    assert said["y"] >= canvas["y"] + canvas["height"]
