"""Models from the form, and graphs with them: torch from variables and weights, all from files."""

from __future__ import annotations

import re

import joblib
import pandas as pd
import pytest
from playwright.sync_api import Page, expect
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from tests.browser.lab import Lab
from tests.browser.studio import open_studio
from tests.browser.test_builder_form import OPEN, Form

TORCH = """import torch

class Net(torch.nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, hidden), torch.nn.Linear(hidden, 3))

    def forward(self, batch):
        return self.layers(batch)

class Other(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(4, 3)

class Refuses(Net):
    def forward(self, batch):
        raise ValueError("not this <b>one</b>")

net, refuses = Net(8), Refuses(8)
torch.save(net.state_dict(), "weights.pt")
rows = list(torch.rand(40, 4))"""


@pytest.fixture
def form(lab: Lab, page: Page, request: pytest.FixtureRequest) -> Form:
    cells = [TORCH, OPEN] if "torch" in request.node.name else [OPEN]
    studio = open_studio(lab, page, f"{request.node.name}.ipynb", cells, builder="get_ipython()")
    studio.tool("New model…").click()
    return Form(studio)


def register(form: Form, name: str, file: str, fields: str) -> None:
    form.fill("name", name)
    form.field("the model is").select_option("a file")
    form.fill("file", file)
    form.fill("input", fields)
    form.press("Register")
    form.expect(f"registered: {name}")
    expect(form.studio.item(name)).to_be_visible()


def fails(form: Form, what: str, remedy: str) -> None:
    """Try the model; one line states the problem, the next line the remedy."""
    form.press("Try it")
    alert = form.whole.get_by_role("alert")
    expect(alert).to_contain_text(what)
    lines = alert.inner_text().splitlines()
    assert len(lines) == 2, lines
    assert lines[1].startswith(f"→ {remedy}"), lines


def test_torch_models_of_a_variable_and_of_weights(form: Form) -> None:
    studio = form.studio
    form.fill("name", "near")
    form.field("variable").select_option("refuses: Refuses")
    fails(form, "ValueError: not this <b>one</b>", "the model received the whole value")
    form.field("variable").select_option("net: Net")
    form.press("Try it")
    form.expect("It works.")
    form.expect("loaded in")
    form.expect("parameters: 268 bytes")
    form.press("Register")
    form.expect("registered: near")

    form.fill("name", "far")
    form.field("the model is").select_option("a file")
    form.fill("file", "weights.pt")
    form.fill("class", "Othr")
    form.expect("did you mean 'Other'?")
    form.fill("class", "Other")
    fails(form, "does not fit Other", "pass the class and model_params")
    form.fill("class", "Net")
    form.fill("arguments of the class", '{"hidden": 8}')
    form.press("Try it")
    form.expect("It works.")
    form.press("Register")
    form.expect("registered: far")
    form.press("Close")

    studio.add("A/B split")
    studio.wait_for(studio.text, "rows | split(near=0.5, far=0.5)")
    assert studio.run() == "done"
    counts = [int(count) for count in studio.wires().values()]
    assert sorted(counts)[-1] == sum(sorted(counts)[:-1]) == 40


def test_an_ab_split_of_files_alone(form: Form, lab: Lab) -> None:
    studio = form.studio
    data = load_iris()
    pd.DataFrame(data.data, columns=list("abcd")).to_csv(lab.root / "flowers.csv", index=False)
    for name, model in (
        ("line", LogisticRegression(max_iter=500)),
        ("tree", DecisionTreeClassifier()),
    ):
        joblib.dump(model.fit(data.data, data.target), lab.root / f"{name}.joblib")
        register(form, name, f"{name}.joblib", "a, b, c, d")
    form.press("Close")

    studio.add("A/B split")
    studio.wait_for(lambda: len(studio.names()), 4)
    (empty,) = set(studio.names()) - {"split", "line", "tree"}
    studio.select(empty)
    studio.tool("Delete").click()
    studio.add("read")
    studio.wait_for(studio.names, ["line", "read", "split", "tree"])
    path = studio.whole.get_by_label(re.compile("^path"))
    path.fill("flowers.csv")
    path.press("Tab")
    studio.connect("read", None, "split")
    studio.wait_for(studio.text, 'read("flowers.csv") | split(line=0.5, tree=0.5)')
    assert studio.run() == "done"
    counts = [int(count) for count in studio.wires().values()]
    assert sorted(counts)[-1] == sum(sorted(counts)[:-1]) == 150
    expect(studio.node("tree").locator(".mm-step-detail")).to_have_text("tree.joblib · sklearn")
    studio.picture("models-files")
