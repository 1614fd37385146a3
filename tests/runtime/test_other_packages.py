"""Step kinds and frameworks of other installed packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # each check runs in a new process

KINDS = """
from mmnotebook.graph.kinds import Param, StepKind


def is_number(value):
    return isinstance(value, (int, float))


SCALE = StepKind(
    "scale",
    "function",
    "each value times a number",
    (Param("times", is_number, "a number", required=True),),
    lowering="toys.lowerings:SCALE",
    lean="toys.lowerings:LEAN_SCALE",
)
SPREAD = StepKind(
    "spread",
    "combining",
    "the greatest output less the smallest",
    lowering="toys.lowerings:SPREAD",
    inputs="join",
)
MAP = StepKind("map", "function", "not a new name", lowering="toys.lowerings:SCALE")
BARE = StepKind("bare", "function", "nothing says how it runs")
ODD = StepKind("odd", "functon", "no such family", lowering="toys.lowerings:SCALE")
MANY = StepKind("many", "function", "a wrong word", lowering="toys.lowerings:SCALE", outputs="many")
DOTS = StepKind("dots", "function", "a wrong place", lowering="toys.lowerings.SCALE")
GONE = StepKind("gone", "function", "no such lowering", lowering="toys.lowerings:GONE")
PLAIN = StepKind("plain", "function", "no lowering", lowering="toys.lowerings:spread")
EMPTY = StepKind("empty", "function", "an empty one", lowering="toys.lowerings:EMPTY")
"""
LOWERINGS = """
from mmnotebook.beam.lowering.step import Lowering
from toys.helper import OFFSET


def scaled(step):
    times = step.node["times"]
    return lambda value: value * times + OFFSET


def scaled_lean(step):
    times = step.node["times"]
    return lambda value: times * value + OFFSET


def spread(step):
    return lambda outputs: max(outputs.values()) - min(outputs.values())


SCALE = Lowering(each=scaled)
LEAN_SCALE = Lowering(each=scaled_lean)
SPREAD = Lowering(each=spread)
EMPTY = Lowering()
"""
FRAMEWORK = """
from apache_beam.ml.inference.base import ModelHandler, PredictionResult
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model.framework import Framework


class Tower:
    height = 3


class Handler(ModelHandler):
    def __init__(self, spec):
        self.height = spec.params["height"]

    def load_model(self):
        return self.height

    def run_inference(self, batch, model, inference_args=None):
        return [PredictionResult(example, example + model) for example in batch]


def store(name, target, options):
    height = target.height
    return ModelSpec(name, "towers", "live", "Tower", None, str(height), params={"height": height})


FRAMEWORK = Framework(
    name="towers",
    words="a Tower",
    modules=(),
    install="",
    claims=lambda target: isinstance(target, Tower),
    store=store,
    handler=Handler,
)
"""
ENTRY_POINTS = """
[mmnotebook.steps]
scale = toys.kinds:SCALE
spread = toys.kinds:SPREAD
second_map = toys.kinds:MAP
missing = toys.kinds:MISSING
no_kind = toys.kinds:is_number
bare = toys.kinds:BARE
odd = toys.kinds:ODD
many = toys.kinds:MANY
dots = toys.kinds:DOTS
gone = toys.kinds:GONE
plain = toys.kinds:PLAIN
empty = toys.kinds:EMPTY

[mmnotebook.frameworks]
towers = toys.towers:FRAMEWORK
"""
SCRIPT = """
import json, sys, warnings
warnings.simplefilter("error")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import mmnotebook as mm
    from mmnotebook.graph.kinds import KINDS
    list(KINDS)
found = {"warnings": [str(one.message) for one in caught if "available" in str(one.message)]}
warnings.simplefilter("default")
import apache_beam as beam
import pandas as pd
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from mmnotebook.beam.lowering.step import Lowering
from mmnotebook.graph.names import Names
from mmnotebook.ui.builder import palette
from toys import lowerings
from toys.towers import Tower

used, apply = [], Lowering.apply
def noted(self, step, pcoll):
    used.append("scaled lean" if self is lowerings.LEAN_SCALE else step.node.kind)
    return apply(self, step, pcoll)
Lowering.apply = noted
rows = list(range(20))
def half(x):
    return x / 2
text = "a = rows | scale(3)\\nb = rows | half\\nboth = [a, b] | spread()"
graph = mm.pipeline(text, rows=rows, half=half)
found["text"] = graph.to_text()
found["json is equal"] = mm.Graph.from_json(graph.to_json()) == graph
found["explained"] = mm.explain(graph).table.set_index("node")["reason"].to_dict()
found["drawn"] = "scale 3" in graph._repr_mimebundle_()["image/svg+xml"]
try:
    mm.pipeline("rows | scale(times='3')", rows=rows)
except mm.GraphError as error:
    found["wrong value"] = str(error)
try:
    mm.pipeline("rows | scall(3)", rows=rows, half=half)
except mm.GraphError as error:
    found["wrong name"] = str(error)
found["unusable"] = {}
for kind in ("gone", "plain", "empty"):
    try:
        mm.explain(mm.pipeline(f"rows | {kind}()", rows=rows))
    except mm.RunError as error:
        found["unusable"][kind] = str(error)
sections = palette.sections(Names(mm.registry, {}, {}))
steps = next(section for section in sections if section["title"] == "Steps")
found["in the palette"] = [item["title"] for item in steps["items"]]
result = mm.run(graph, progress=False)
found["used"] = used[:]
found["both"] = result["both"]["value"].tolist()
found["why"] = result.why["a"]
used.clear()
above = mm.run(graph, progress=False, fresh=True, runner=FnApiRunner())
found["used above"] = used[:]
for name in result:
    pd.testing.assert_frame_equal(result[name], above[name])
with beam.Pipeline(runner=FnApiRunner()) as pipeline:
    from apache_beam.testing.util import assert_that, equal_to
    outputs = mm.compile_graph(graph, pipeline)
    assert_that(outputs["both"] | beam.Values(), equal_to(found["both"]))
mm.register("tower", Tower())
found["framework"] = mm.registry["tower"].framework
predicted = mm.run(mm.pipeline("rows | tower", rows=rows), progress=False)
found["predictions"] = predicted["tower"]["prediction"].tolist()
print("FOUND", json.dumps(found))
"""


class Toys:
    """An installed package, which new processes import."""

    def __init__(self, folder: Path) -> None:
        self.site, self.cache = folder / "site", folder / "cache"
        info = self.site / "toys-1.0.dist-info"
        info.mkdir(parents=True)
        (self.site / "toys").mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(textwrap.dedent(ENTRY_POINTS))
        self.write("__init__", "")
        self.write("helper", "OFFSET = 0\n")
        self.write("kinds", KINDS)
        self.write("lowerings", LOWERINGS)
        self.write("towers", FRAMEWORK)

    def write(self, module: str, code: str) -> None:
        (self.site / "toys" / f"{module}.py").write_text(code)

    def run(self) -> dict[str, Any]:
        """Return the output of the script in a new process."""
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(self.site), str(Path.cwd())]),
            "MMNOTEBOOK_CACHE": str(self.cache),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        line = next((one for one in done.stdout.splitlines() if one.startswith("FOUND")), None)
        assert line is not None, done.stderr
        found: dict[str, Any] = json.loads(line.removeprefix("FOUND"))
        return found


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Toys:
    return Toys(tmp_path_factory.mktemp("toys"))


@pytest.fixture(scope="module")
def found(toys: Toys) -> dict[str, Any]:
    return toys.run()


def test_a_kind_is_written_saved_drawn_and_explained(found: dict[str, Any]) -> None:
    assert "a = rows | scale(3)" in found["text"]
    assert "spread()" in found["text"]
    assert found["json is equal"]
    assert found["drawn"]
    assert found["explained"]["a"] == "each value times a number"
    assert found["explained"]["both"].startswith("the greatest output less the smallest, of all")


def test_a_kind_has_messages_and_a_place_in_the_palette(found: dict[str, Any]) -> None:
    assert "a number" in found["wrong value"]
    assert "did you mean 'scale'?" in found["wrong name"]
    assert {"scale", "spread"} < set(found["in the palette"])
    assert not {"second_map", "bare", "missing"} & set(found["in the palette"])


def test_a_kind_runs_in_both_lowerings_and_is_cached(found: dict[str, Any]) -> None:
    assert found["both"] == [x * 3 - x / 2 for x in range(20)]
    assert found["used"] == ["scaled lean", "map", "spread"]
    assert found["used above"] == ["scale", "map", "spread"]


def test_unusable_entry_points_give_a_warning(found: dict[str, Any]) -> None:
    warned = "\n".join(found["warnings"])
    assert "'second_map' (toys.kinds:MAP) of the package 'toys'" in warned
    assert "there is a step kind 'map' already" in warned
    assert "has no attribute 'MISSING'" in warned
    assert "it is a function, not a StepKind" in warned
    assert "it has no lowering" in warned
    assert "its family is 'functon'; allowed: 'source', 'model', 'function'" in warned
    assert "its outputs is 'many'; allowed: 'one', 'one or none', 'any number'" in warned
    assert "its lowering 'toys.lowerings.SCALE' is not 'module:name'" in warned


def test_a_lowering_that_is_not_there_is_an_error_of_the_kind(found: dict[str, Any]) -> None:
    errors = found["unusable"]
    assert "has no attribute 'GONE'" in errors["gone"]
    assert "it is a function, not a Lowering" in errors["plain"]
    assert "it has none of each=, dofn= and transforms=" in errors["empty"]
    assert all(f"the step kind {kind!r} cannot run" in text for kind, text in errors.items())


def test_a_framework_of_another_package(found: dict[str, Any]) -> None:
    assert found["framework"] == "towers"
    assert found["predictions"] == [x + 3 for x in range(20)]


def test_the_code_of_a_kind_is_part_of_its_results(toys: Toys, found: dict[str, Any]) -> None:
    assert toys.run()["why"] == "read from the cache"
    toys.write("helper", "OFFSET = 1\n")
    changed = toys.run()
    assert changed["why"] != "read from the cache"
    assert changed["both"] == [x * 3 + 1 - x / 2 for x in range(20)]
    lean = ("times * value + OFFSET", "OFFSET + times * value")
    toys.write("lowerings", LOWERINGS.replace(*lean))  # only the second lowering
    assert toys.run()["why"] != "read from the cache"
