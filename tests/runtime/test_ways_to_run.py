"""A run in this process and one on InteractiveRunner with a runner have the same results."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pandas as pd
import pytest
from apache_beam.options.pipeline_options import (
    DirectOptions,
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import mmnotebook as mm
from mmnotebook.beam.direct import InProcessPipeline
from mmnotebook.beam.options import as_options
from mmnotebook.graph.kinds import KINDS

PATTERNS = {
    "sequence": "data | map(double) | one",
    "ensemble": "data | [one, other] | mean()",
    "A/B": "data | split(one=0.5, other=0.5)",
    "switch": "data | switch(route, small=one, large=other)",
    "failures": "data | picky | one",
    "many from one": "data | flat_map(twice) | one",
    "vote": "data | [one, other] | vote()",
    "stack": "data | [one, other] | stack()",
    "filter": "data | filter(odd) | other",
    "cascade": "data | cascade(one, other, below=0.5, score=sure)",
    "keyed": "data | keyed({'small': one, 'large': other}, by=route)",
    "keyed in Beam": "data | keyed({'small': one, 'large': other}, by=route, lowering='beam')",
    "transform of each value": "data | transform(chain) | one",
    "transform of all values": "data | transform(smallest)",
    "written": "data | double | write('FOLDER/out.jsonl')",
}


def double(x: Any) -> Any:
    return x * 2


def picky(x: Any) -> Any:
    if x > 90:
        raise ValueError("too large")
    return x


def route(x: Any) -> str:
    return "large" if x > 50 else "small"


def odd(x: Any) -> bool:
    return bool(x % 2)


def sure(output: Any) -> float:
    return min(1.0, float(output) / 100)


def twice(x: Any) -> list[Any]:
    return [x, x + 0.5]


class Adds:
    """A model that adds a number to each element of a batch."""

    def __init__(self, number: float) -> None:
        self.number = number

    def predict(self, batch: Any) -> Any:
        return np.asarray(batch) + self.number


@pytest.fixture
def models() -> Iterator[None]:
    for name, number in (("one", 1.0), ("other", 2.0)):
        mm.register(name, Adds(number))
    yield
    for name in ("one", "other"):
        mm.registry.remove(name)


def endless(x: Any) -> Any:
    return (part for part in range(x))


def broken(x: Any) -> Any:
    raise ValueError("broken")


FUNCTIONS = {
    "double": double,
    "odd": odd,
    "picky": picky,
    "route": route,
    "sure": sure,
    "twice": twice,
    "chain": beam.Map(double) | beam.Filter(odd) | beam.FlatMap(twice),
    "smallest": beam.combiners.Top.Smallest(3),
}


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("text", PATTERNS.values(), ids=PATTERNS)
def test_both_give_the_same(text: str, tmp_path: Path) -> None:
    used = {name: one for name, one in FUNCTIONS.items() if name in text}
    text = text.replace("FOLDER", tmp_path.as_posix())
    graph = mm.pipeline(f"out = {text}", data=list(range(100)), **used)
    here = mm.run(graph, progress=False, max_failed=0.5)
    above = mm.run(graph, progress=False, max_failed=0.5, fresh=True, runner=FnApiRunner())
    for name in here:
        pd.testing.assert_frame_equal(here[name], above[name])
    pd.testing.assert_frame_equal(here.failed, above.failed)


@pytest.mark.usefixtures("models")
def test_every_kind_of_step_is_compared() -> None:
    graphs = [mm.parse(text) for text in PATTERNS.values()]
    compared = {node.kind for graph in graphs for node in graph}
    assert compared >= {kind.name for kind in KINDS.values() if kind.lowering}


@pytest.mark.parametrize("function", [endless, broken])
def test_both_fail_alike(function: Any) -> None:
    graph = mm.pipeline("out = data | function", data=[1, 2, 3], function=function)
    errors = []
    for runner in (None, FnApiRunner()):
        with pytest.raises(mm.RunError) as raised:
            mm.run(graph, progress=False, runner=runner)
        errors.append(str(raised.value))
    assert errors[0] == errors[1]


def test_each_reads_the_entries_of_the_other() -> None:
    graph = mm.pipeline("out = data | double", data=list(range(10)), double=double)
    made = mm.run(graph, progress=False)
    read = mm.run(graph, progress=False, runner=FnApiRunner())
    assert set(read.why.values()) == {"read from the cache"}
    pd.testing.assert_frame_equal(made["out"], read["out"])


def test_a_storing_step_is_of_the_node_with_its_whole_name(tmp_path: Path) -> None:
    pipeline = InProcessPipeline(None, {"b": tmp_path, "ab": tmp_path}, "run")
    steps = ("b: store", "ab: store", "ab: store/ParDo", "b", "c: store")
    assert [pipeline.stores(step) for step in steps] == ["b", "ab", "ab", None, None]


def test_options_are_those_of_beam_in_every_view_and_copy() -> None:
    given = {"streaming": True, "job_name": "a", "direct_num_workers": 2}
    options, stock = as_options(given), PipelineOptions.from_dictionary(dict(given))
    for kind in (StandardOptions, GoogleCloudOptions, DirectOptions):
        assert options.view_as(kind) is options.view_as(kind)
        assert options.view_as(kind).get_all_options() == stock.view_as(kind).get_all_options()
    copied = copy.deepcopy(options)
    options.view_as(GoogleCloudOptions).job_name = "b"
    assert options.get_all_options()["job_name"] == "b"
    assert copied.view_as(GoogleCloudOptions).job_name == "a"
    copied.view_as(DirectOptions).direct_num_workers = 3
    assert options.view_as(DirectOptions).direct_num_workers == 2
