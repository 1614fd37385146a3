"""A run in this process and one on InteractiveRunner above a given runner are the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import mmnotebook as mm
from mmnotebook.beam.direct import InProcessPipeline

PATTERNS = {
    "sequence": "data | double | one",
    "ensemble": "data | [one, other] | mean()",
    "A/B": "data | split(one=0.5, other=0.5)",
    "switch": "data | switch(route, small=one, large=other)",
    "failures": "data | picky | one",
    "many from one": "data | flat_map(twice) | one",
}


def double(x: Any) -> Any:
    return x * 2


def picky(x: Any) -> Any:
    if x > 90:
        raise ValueError("too large")
    return x


def route(x: Any) -> str:
    return "large" if x > 50 else "small"


def twice(x: Any) -> list[Any]:
    return [x, x + 0.5]


class Adds:
    """Adds a number to each element of a batch."""

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


FUNCTIONS = {"double": double, "picky": picky, "route": route, "twice": twice}


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("text", PATTERNS.values(), ids=PATTERNS)
def test_both_give_the_same(text: str) -> None:
    used = {name: one for name, one in FUNCTIONS.items() if name in text}
    graph = mm.pipeline(f"out = {text}", data=list(range(100)), **used)
    here = mm.run(graph, progress=False, max_failed=0.5)
    above = mm.run(graph, progress=False, max_failed=0.5, fresh=True, runner=FnApiRunner())
    for name in here:
        pd.testing.assert_frame_equal(here[name], above[name])
    pd.testing.assert_frame_equal(here.failed, above.failed)


@pytest.mark.parametrize("function", [endless, broken])
def test_both_fail_alike(function: Any) -> None:
    graph = mm.pipeline("out = data | function", data=[1, 2, 3], function=function)
    errors = []
    for runner in (None, FnApiRunner()):
        with pytest.raises(mm.RunError) as raised:
            mm.run(graph, progress=False, runner=runner)
        errors.append(str(raised.value))
    assert errors[0] == errors[1]


def test_what_one_stored_the_other_reads() -> None:
    graph = mm.pipeline("out = data | double", data=list(range(10)), double=double)
    made = mm.run(graph, progress=False)
    read = mm.run(graph, progress=False, runner=FnApiRunner())
    assert set(read.why.values()) == {"read from the cache"}
    pd.testing.assert_frame_equal(made["out"], read["out"])


def test_a_storing_step_is_of_the_node_with_its_whole_name(tmp_path: Path) -> None:
    pipeline = InProcessPipeline(None, {"b": tmp_path, "ab": tmp_path}, "run")
    steps = ("b: store", "ab: store", "ab: store/ParDo", "b", "c: store")
    assert [pipeline.stores(step) for step in steps] == ["b", "ab", "ab", None, None]
