"""Every Python cell of the README runs without changes, all in order in one notebook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.conftest import ROOT, Kernel, start_kernel

README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = FENCE.findall(README)
CELLS = [code for language, code in BLOCKS if language == "python"]
# The objects that the README expects in the notebook.
SETUP = """
import pandas as pd, torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

data = load_digits()
digits = pd.DataFrame({"x": list(data.data.astype("float32")), "label": data.target})
net = torch.nn.Linear(64, 10)
forest = RandomForestClassifier(10, random_state=0).fit(data.data, data.target)
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """Start a notebook with its setup cell; the README's cells are executed in it in order."""
    for kernel in start_kernel(MMNOTEBOOK_CACHE=str(tmp_path_factory.mktemp("cache"))):
        assert kernel.run(SETUP)["status"] == "ok"
        yield kernel


def test_there_is_no_cell_that_is_not_run() -> None:
    assert {language for language, _ in BLOCKS} == {"bash", "python"}
    assert README.count("```") == 2 * len(BLOCKS)
    assert len(CELLS) >= 5


@pytest.mark.parametrize("place", range(len(CELLS)))
def test_a_cell_runs_word_for_word(notebook: Kernel, place: int) -> None:
    reply = notebook.run(CELLS[place])
    assert reply["status"] == "ok", (CELLS[place], reply)
    errors = [said["text"] for said in notebook.of("stream") if said["name"] == "stderr"]
    assert errors == []


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("digits_ab == graph == builder.graph", "True"),
        ("before is not r and list(before.models.index)", "['mlp', 'tree']"),
        ("builder.problems, len(builder.result['mlp'])", "([], 1797)"),
        ("bool(r.nodes['cached'].all()), len(r.failed)", "(True, 0)"),
        ("len(running.result()['tree'])", "1797"),
    ],
)
def test_the_variables_after_the_cells(notebook: Kernel, expression: str, expected: str) -> None:
    assert notebook.run(expression)["status"] == "ok"
    (shown,) = notebook.of("execute_result")
    assert shown["data"]["text/plain"] == expected


def test_the_files_that_the_readme_points_to_are_there() -> None:
    links: list[Any] = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links and [link for link in links if not Path(ROOT / link).exists()] == []
