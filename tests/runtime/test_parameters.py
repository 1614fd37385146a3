"""Parameters: names of a graph that the caller of a run sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mmnotebook as mm


def double(x: Any) -> Any:
    return x * 2


def triple(x: Any) -> Any:
    return x * 3


def graph() -> mm.Graph:
    return mm.pipeline("data | double", data=mm.parameter("path of numbers"), double=double)


def test_a_set_parameter_is_the_data_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "numbers.jsonl"
    path.write_text("1\n2\n")
    for value in (str(path), path, [1, 2]):
        made = mm.run(graph(), set={"data": value}, progress=False)
        assert made["double"]["value"].tolist() == [2, 4]
    with_default = graph().bind(data=[5])
    assert mm.run(with_default, progress=False)["double"]["value"].tolist() == [10]


def test_functions_can_be_set_too() -> None:
    made = mm.run(graph(), set={"data": [1], "double": triple}, progress=False)
    assert made["double"]["value"].tolist() == [3]


def test_a_parameter_that_is_not_set_is_named() -> None:
    with pytest.raises(
        mm.RunError, match=r"parameter 'data' \(path of numbers\) is not set"
    ) as one:
        mm.run(graph(), progress=False)
    assert one.value.node == "data" and "set={'data': ...}" in str(one.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dta": [1]}, "did you mean 'data'"),
        ({"adder": [1]}, "'adder' is a model"),
        ([1], "allowed: a dict"),
        ({3: [1]}, "uses no such name"),
    ],
)
def test_a_wrong_name_is_refused(values: Any, message: str) -> None:
    mm.register("adder", lambda batch: batch, framework="python")
    whole = mm.pipeline("data | double | adder", data=mm.parameter(), double=double)
    with pytest.raises(mm.RunError, match=message):
        mm.run(whole, set=values, progress=False)


def test_a_parameter_is_described_in_words() -> None:
    assert repr(mm.parameter("path")) == "mm.parameter('path')"
    for wrong in ("", 3, None):
        with pytest.raises(mm.RunError, match="what to set, in words"):
            mm.parameter(wrong)  # type: ignore[arg-type]
