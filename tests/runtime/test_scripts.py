"""Scripts of plain Beam: their rows equal those of a run, and they need no mmnotebook."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import importlib.util
import json
import math
import os
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import mmnotebook as mm
from mmnotebook.export.beam_script.code import Code
from mmnotebook.export.typed_json import NotWritable
from mmnotebook.results.results import Result
from tests.runtime.test_ways_to_run import FUNCTIONS, PATTERNS, Adds

RUNNER = Path(__file__).with_name("script_runner.py")
FEATURES = ["a", "b"]


@pytest.fixture
def numbers() -> Iterator[None]:
    """Two models that add a number."""
    for name, number in (("one", 1.0), ("other", 2.0)):
        mm.register(name, Adds(number))
    yield


def table() -> pd.DataFrame:
    made = np.random.default_rng(1).standard_normal((60, 2)).astype("float32")
    frame = pd.DataFrame(made, columns=FEATURES)
    return frame.assign(lang=["de", "fr", "it"] * 20, y=(made.sum(axis=1) > 0).astype(int))


@pytest.fixture
def classifiers() -> Iterator[None]:
    """A tree of rows, a regression of a table, and a torch module."""
    frame = table()
    rows = frame[FEATURES].to_numpy()
    mm.register("tree", DecisionTreeClassifier(random_state=0).fit(rows, frame["y"]))
    mm.register(
        "logistic",
        LogisticRegression().fit(frame[FEATURES], frame["y"]),
        method="predict_proba",
        output="argmax",
    )
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    mm.register("net", net, batch_size=7)
    yield


def plus_one(result: Any) -> Any:
    return result.inference + 1


LEARNED = {
    "arms": f"s = data | split({{'x': 0.3, 'y': 0.7}}, by='lang', pin={{'7': 'y'}})\n"
    f"s.x[{FEATURES}] | tree\ns.y[{FEATURES}] | net",
    "keyed": f"data[{FEATURES}] | keyed({{'de': tree, ('fr', 'x'): tree}}, by='lang', default=net,"
    " max_models=1, group=True)",
    "named": f"data | logistic\ndata[{FEATURES}] | tree | map(plus_one)",
    "vote": f"data[{FEATURES}] | [tree, logistic] | vote()",
    "sure": "data.drop('lang', 'y') | cascade(net, tree, below=0.6)",
}


def outputs(folder: Path, name: str) -> dict[str, Any]:
    """Return the rows that a script wrote, by id."""
    lines = [
        json.loads(line)
        for path in sorted(folder.glob(f"{name}*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    found = {line["id"]: line["value"] for line in lines}
    assert len(found) == len(lines)
    return found


def check(folder: Path, result: Result, names: list[str]) -> None:
    for name in names:
        elements = result.elements(name)
        expected = dict(zip(elements.ids, elements.plain(), strict=True))
        found = outputs(folder / "output", name)
        assert found.keys() == expected.keys(), name
        for key, value in expected.items():
            np.testing.assert_allclose(
                np.asarray(found[key], float), np.asarray(value, float), rtol=1e-4, atol=1e-6
            )


def ends(graph: mm.Graph) -> list[str]:
    read = {wire.node for node in graph for wire in node.inputs}
    return [node.name for node in graph if node.name not in read and node.kind != "write"]


def run_scripts(root: Path, *more: str) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH" or not more}
    line = [sys.executable, str(RUNNER), str(root), *more]
    done = subprocess.run(line, capture_output=True, text=True, timeout=280, env=env, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def exported(root: Path, mode: Any, without: str = "?") -> dict[Path, tuple[mm.Graph, Result]]:
    """Export each pattern into a folder of its own; return the graphs and their results.

    Beam transforms of the notebook have no source that a script could contain.
    """
    found = {}
    for place, text in enumerate([*PATTERNS.values(), *LEARNED.values()]):
        if without in text or "transform(" in text:
            continue
        folder = root / f"p{place:02}"
        data: Any = list(range(100)) if place < len(PATTERNS) else table()
        known = {**FUNCTIONS, "plus_one": plus_one}
        used = {name: one for name, one in known.items() if name in text}
        text = text if place >= len(PATTERNS) else f"out = {text}"
        graph = mm.pipeline(text.replace("FOLDER", root.as_posix()), data=data, **used)
        mm.export.script(graph, folder / "pipeline.py", mode=mode)
        found[folder] = graph, mm.run(graph, progress=False, max_failed=0.5)
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("numbers", "classifiers")
def test_each_pattern_gives_the_same_rows_without_mmnotebook(tmp_path: Path) -> None:
    made = exported(tmp_path, None)
    run_scripts(tmp_path, "hidden")
    for folder, (graph, result) in made.items():
        check(folder, result, ends(graph))
    written = pd.read_json(tmp_path / "out.jsonl", lines=True)
    assert sorted(written["value"]) == list(range(0, 200, 2))


@pytest.mark.slow
@pytest.mark.usefixtures("numbers", "classifiers")
def test_each_pattern_gives_the_same_rows_with_mmnotebook(tmp_path: Path) -> None:
    made = exported(tmp_path, "mmnotebook", without="lowering='beam'")
    run_scripts(tmp_path)
    for folder, (graph, result) in made.items():
        check(folder, result, ends(graph))


@pytest.mark.parametrize("mode", [None, "mmnotebook"])
def test_a_transform_is_refused_by_its_node(mode: Any, tmp_path: Path) -> None:
    graph = mm.pipeline("data | chain", data=[1], chain=beam.Map(abs))
    with pytest.raises(mm.GraphError, match="node 'chain'.*cannot be exported"):
        mm.export.script(graph, tmp_path / "pipeline.py", mode=mode)


@pytest.mark.usefixtures("classifiers")
def test_a_script_and_what_is_beside_it(tmp_path: Path) -> None:
    graph = mm.pipeline(LEARNED["arms"], data=table())
    path = mm.export.script(graph, tmp_path / "made" / "pipeline.py", sample=20)
    folder, text = path.parent, path.read_text()
    assert "import mmnotebook" not in text and "wait_until_finish" not in text
    assert {one.name for one in folder.iterdir()} == {
        *("Dockerfile", "data", "metadata.json", "models", "pipeline.py", "requirements.txt"),
        *("sample.json", "test_pipeline.py"),
    }
    for line in (folder / "requirements.txt").read_text().splitlines():
        name, _, version = line.partition("==")
        assert importlib.metadata.version(name).partition("+")[0] == version
    assert "scikit-learn==" in (folder / "requirements.txt").read_text()
    names = [
        one["name"] for one in json.loads((folder / "metadata.json").read_text())["parameters"]
    ]
    assert names[:2] == ["input_data", "models"]
    assert len(list((folder / "models").iterdir())) == 2
    assert all(one.stat().st_mode & 0o077 == 0 for one in folder.rglob("*") if one.is_file())
    line = [sys.executable, "-m", "ruff", "format", "--isolated", "--check", str(folder)]
    subprocess.run(line, check=True)
    module = loaded(path)
    assert callable(module.build) and module.RESULTS == ["tree", "net"]


def loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("exported_pipeline", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FRESH = """
import importlib.util, sys
assert importlib.util.find_spec("mmnotebook") is None
import pipeline, test_pipeline
pipeline.run(["--output=output"])
test_pipeline.test_the_rows_equal_those_of_the_notebook()
"""


@pytest.mark.slow
@pytest.mark.usefixtures("classifiers")
def test_a_script_runs_alone_in_a_fresh_environment(tmp_path: Path) -> None:
    graph = mm.pipeline(LEARNED["keyed"], data=table())
    folder = mm.export.script(graph, tmp_path / "made" / "pipeline.py").parent
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    place = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    # The packages of this environment, without the files that add this repository to its path.
    packages = Path(beam.__file__).parents[1]
    (Path(place.stdout.strip()) / "packages.pth").write_text(f"{packages}\n")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", FRESH], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    check(folder, mm.run(graph, progress=False), ends(graph))


def test_files_are_read_by_their_path(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "rows.csv", index=False)
    graph = mm.pipeline("data['a'] | map(floor)", data=str(tmp_path / "*.csv"), floor=math.floor)
    path = mm.export.script(graph, tmp_path / "made" / "pipeline.py")
    assert "from math import floor" in path.read_text()
    assert not (path.parent / "data").exists()
    module = loaded(path)
    module.run([f"--output={tmp_path / 'made' / 'output'}"])
    elements = mm.run(graph, progress=False).elements("floor")
    found = outputs(tmp_path / "made" / "output", "floor")
    expected = {
        key.rpartition("/")[2]: value
        for key, value in zip(elements.ids, elements.plain(), strict=True)
    }
    assert found == expected


REFUSED: dict[str, tuple[str, Mapping[str, Any], str]] = {
    "a partial": ("data | map(f)", {"f": functools.partial(max, 1)}, "neither a function nor"),
    "a lock": ("data | map(f)", {"f": lambda x: (x, LOCK)}, "'LOCK' is"),
    "a csv": ("data | write('out.csv')", {}, "needs a schema"),
    "watch": ("data | model(one, watch='*.pkl')", {}, "watch= is not supported"),
    "an option": ("data | slow", {}, "no timeout"),
    "a lost field": ("data | map(f) | split({'a': 0.5, 'b': 0.5}, by='a')", {"f": abs}, "by='a'"),
}
LOCK = contextlib.nullcontext()


@pytest.mark.usefixtures("numbers")
@pytest.mark.parametrize(("text", "names", "message"), REFUSED.values(), ids=REFUSED)
def test_what_plain_beam_cannot_express_is_refused(
    text: str, names: Mapping[str, Any], message: str, tmp_path: Path
) -> None:
    mm.register("slow", Adds(1), timeout=5.0)
    data = [{"a": 1}, {"a": 2}] if "by=" in text else [1, 2]
    graph = mm.pipeline(text, data=data, **names)
    if "by=" in message:
        message = "the field 'a' of the source does not reach"
    with pytest.raises(mm.GraphError, match=message) as one:
        mm.export.script(graph, tmp_path / "pipeline.py")
    assert "node '" in str(one.value) and 'mode="mmnotebook"' in str(one.value)
    assert not (tmp_path / "pipeline.py").exists()


@pytest.mark.parametrize("arguments", [{"mode": "beam"}, {"sample": -1}, {"sample": True}])
def test_a_wrong_argument_is_refused(arguments: Any, tmp_path: Path) -> None:
    graph = mm.pipeline("data | f", data=[1], f=abs)
    with pytest.raises(mm.RunError, match="allowed"):
        mm.export.script(graph, tmp_path / "pipeline.py", **arguments)


def test_a_parameter_must_be_set_before_an_export(tmp_path: Path) -> None:
    graph = mm.pipeline("data | f", data=mm.parameter(), f=abs)
    with pytest.raises(mm.RunError, match="not set"):
        mm.export.script(graph, tmp_path / "pipeline.py")


OFFSET = 3


def shifted(x: Any) -> Any:
    return doubled(x) + OFFSET


def doubled(x: Any) -> Any:
    return np.multiply(x, 2)


@mm.pure
def declared(x: Any) -> Any:
    return shifted(x)


def nested(bound: int) -> Any:
    def above(x: Any) -> bool:
        return bool(x > bound)

    return above


class TestCode:
    """The source of functions, with what they use."""

    def run(self, code: Code, call: str) -> Any:
        names: dict[str, Any] = {}
        exec("\n".join([*code.imports, *code.helpers, *code.user]), names)
        return eval(call, names)

    def test_globals_functions_and_imports_come_with_it(self) -> None:
        code = Code()
        assert code.add("declared", declared) == "declared"
        assert self.run(code, "declared(2)") == 7
        assert list(code.imports) == ["from typing import Any", "import numpy as np"]
        assert "mm.pure" not in "".join(code.user)

    def test_a_lambda_and_a_closure_become_functions(self) -> None:
        code = Code()
        code.add("half", lambda x: x / 2)
        code.add("above", nested(5))
        assert self.run(code, "half(3), above(6), above(4)") == (1.5, True, False)

    def test_another_name_is_an_alias(self) -> None:
        code = Code()
        code.add("other", doubled)
        assert self.run(code, "other(4)") == 8

    def test_builtins_need_no_source(self) -> None:
        code = Code()
        assert code.add("len", len) == "len" and not code.user and not code.imports

    def test_two_objects_of_one_name_are_refused(self) -> None:
        code = Code()
        code.add("above", nested(5))
        with pytest.raises(NotWritable, match="two different objects are named 'bound'"):
            code.add("below", nested(6))

    def test_a_name_of_the_script_is_refused(self) -> None:
        for name in ("build", "nodes", "beam"):
            with pytest.raises(NotWritable, match="rename yours"):
                Code().add(name, doubled)

    def test_a_helper_gets_another_name_beside_a_function_of_the_user(self) -> None:
        code = Code()
        code.add("plain", lambda x: x / 2)
        name = code.helper("argmax")
        assert self.run(code, f"plain(4), {name}([1, 3, 2])") == (2.0, 1)
        assert code.helper("plain") == "plain_in_beam"
