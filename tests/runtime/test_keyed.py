"""A model per key: both lowerings return the models' predictions; bad elements and keys fail."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import numpy as np
import pandas as pd
import pytest
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.utils import multi_process_shared
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mmnotebook as mm
from mmnotebook.errors import GraphError, ModelError
from tests.runtime.toys import OwnHandler, Scale

DOCUMENTED = '{"KEY_1": one, ("KEY_2", "KEY_3"): two}'
FOUR = '{"KEY_1": one, ("KEY_2", "KEY_3"): two, "KEY_4": three, ("KEY_5", "KEY_5", "KEY_6"): four}'
FACTORS = {"one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0}
OF_KEY = {
    "KEY_1": "one",
    **dict.fromkeys(["KEY_2", "KEY_3"], "two"),
    "KEY_4": "three",
    **dict.fromkeys(["KEY_5", "KEY_6"], "four"),
}


@pytest.fixture(autouse=True)
def registered() -> None:
    """Register four models that multiply by different factors."""
    for name, factor in FACTORS.items():
        mm.register(name, Scale(factor, most=1000.0), batch_size=8)


def frame(keys: list[Any]) -> pd.DataFrame:
    """Return a row per key; `x` is the row's number."""
    return pd.DataFrame({"x": [np.float32([row]) for row in range(len(keys))], "k": keys})


def run(text: str, data: pd.DataFrame, **given: Any) -> mm.Result:
    return mm.run(mm.pipeline(text, data=data, **given), progress=False, max_failed=1)


def check(result: mm.Result, of_key: dict[str, str]) -> None:
    """Check that every prediction is that of its key's model."""
    table = result["keyed"]
    assert len(table) == result.measures["keyed"].elements_out
    assert table["key"].tolist() == table["k"].astype(str).tolist()
    assert table["model"].tolist() == [of_key[key] for key in table["key"]]
    wanted = [x[0] * FACTORS[m] for x, m in zip(table["x"], table["model"], strict=True)]
    assert [float(p[0]) for p in table["prediction"]] == wanted


@pytest.mark.parametrize("lowering", ["blocks", "beam"])
@pytest.mark.parametrize("mapping", [DOCUMENTED, FOUR])
def test_the_documentations_examples(lowering: str, mapping: str) -> None:
    known = [key for key in OF_KEY if key in mapping]
    keys = np.random.default_rng(0).choice(known, 40).tolist()
    most = ", max_models=2" if mapping == FOUR else ""
    text = f'data["x"] | keyed({mapping}, by="k"{most}, lowering="{lowering}")'
    result = run(text, frame(keys))
    assert len(result.failed) == 0 and len(result["keyed"]) == 40
    check(result, OF_KEY)
    assert result.models["predictions"].sum() == 40
    # Grouped: max_models= is lower than the number of models, and group= is not set.
    assert result.models["loads"].tolist() == [1] * len(result.models)


MAPPINGS = st.dictionaries(
    st.sampled_from([*map(str, range(8))]), st.sampled_from(list(FACTORS)), min_size=1
)


def equal_to_the_models(mapping: dict[str, str], keys: list[int], rest: str) -> None:
    pairs = ", ".join(f"{key!r}: {name}" for key, name in mapping.items())
    text = f'data["x"] | keyed({{{pairs}}}, by="k", {rest})'
    result = run(text, frame(keys))
    check(result, mapping)
    unmapped = [str(row) for row, key in enumerate(keys) if str(key) not in mapping]
    assert result.failed["id"].tolist() == unmapped
    assert set(result["keyed"]["id"]).isdisjoint(unmapped)
    assert len(result["keyed"]) == len(keys) - len(unmapped)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    MAPPINGS,
    st.lists(st.integers(0, 9), min_size=1, max_size=80),
    st.sampled_from(["True", "False", '"auto"']),
    st.integers(1, 4),
)
def test_equal_to_the_models_themselves(
    mapping: dict[str, str], keys: list[int], group: str, most: int
) -> None:
    rest = f'group={group}, max_models={most}, lowering="blocks"'
    equal_to_the_models(mapping, keys, rest)


@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MAPPINGS, st.lists(st.integers(0, 9), min_size=1, max_size=20), st.integers(1, 4))
def test_equal_to_the_models_themselves_under_beam(
    mapping: dict[str, str], keys: list[int], most: int
) -> None:
    equal_to_the_models(mapping, keys, f'group=False, max_models={most}, lowering="beam"')


@pytest.mark.parametrize("lowering", ["blocks", "beam"])
def test_a_bad_element_fails_alone(lowering: str) -> None:
    data = frame(["KEY_1", "KEY_2", "other", "KEY_1", "KEY_2", "KEY_2"])
    data["x"] = [np.float32([x]) for x in (0, 5000, 2, 5000, 4, 5)]  # the maximum is 1000
    result = run(f'data["x"] | keyed({DOCUMENTED}, by="k", lowering="{lowering}")', data)
    check(result, OF_KEY)
    assert result["keyed"]["id"].tolist() == ["0", "4", "5"]
    failed = result.failed.set_index("id")
    assert failed["error"].to_dict() == {
        "1": "ValueError",
        "2": "UnmappedKeyError",
        "3": "ValueError",
    }
    assert "no model for the key 'other'; mapped: 'KEY_1', 'KEY_2'" in failed["message"]["2"]
    assert "default=" in failed["message"]["2"]
    measure = result.measures["keyed"]
    assert (measure.elements_in, measure.elements_out, measure.failed) == (6, 3, 3)
    assert result.models["failed"].sum() == 2


@pytest.mark.parametrize("lowering", ["blocks", "beam"])
def test_other_keys_go_to_the_default(lowering: str) -> None:
    keys = ["KEY_1", "x", "KEY_1", "y", "any other key"]
    text = f'data["x"] | keyed({{"KEY_1": one}}, by="k", default=two, lowering="{lowering}")'
    result = run(text, frame(keys))
    of_key = dict.fromkeys(keys, "two") | {"KEY_1": "one"}
    check(result, of_key)
    assert len(result["keyed"]) == 5


def test_the_server_of_beams_lowering_has_a_secret_password() -> None:
    text = 'data["x"] | keyed({"KEY_1": one, "KEY_2": two}, by="k", lowering="beam")'
    check(run(text, frame(["KEY_1", "KEY_2"])), OF_KEY)
    assert multi_process_shared.AUTH_KEY != b"mps" and len(multi_process_shared.AUTH_KEY) == 32


def sign(x: Any) -> str:
    return "high" if x[0] > 3 else "low"


def test_a_function_gives_the_key() -> None:
    result = run('data["x"] | keyed({"low": one, "high": two}, by=sign)', frame([0] * 6), sign=sign)
    table = result["keyed"]
    assert table["key"].tolist() == ["low"] * 4 + ["high"] * 2
    assert table["model"].tolist() == ["one"] * 4 + ["two"] * 2


def test_numbers_that_are_equal_are_one_key() -> None:
    result = run('data["x"] | keyed({1: one, 2: two}, by="k")', frame([1.0, 2.0, 1.0]))
    assert result["keyed"]["model"].tolist() == ["one", "two", "one"]


def test_each_model_has_its_own_batches_and_input() -> None:
    mm.register("large", Scale(5.0), batch_size=32, input="x")
    mm.register("whole", OwnHandler(), input="y", output=float)
    data = frame(["a", "b"] * 64).assign(y=1.0)
    graph = mm.pipeline('data | keyed({"a": large, "b": whole}, by="k")', data=data)
    result = mm.run(graph, progress=False)
    assert result.models["mean_batch"].to_dict() == {"large": 32, "whole": pytest.approx(64 / 13)}
    table = result["keyed"]
    assert table["prediction"][1] == 3.0 and float(table["prediction"][2][0]) == 10.0
    with pytest.raises(ModelError, match="large: 32, whole: 5"):
        run('data | keyed({"a": large, "b": whole}, by="k", lowering="beam")', data)
    said = mm.explain(graph).table.set_index("node").loc["keyed"]
    assert said["lowering"] == "blocks" and "one batch size" in said["reason"]


def test_worker_options_of_the_models_must_agree() -> None:
    mm.register("en", Scale(1.0), env_vars={"LANG_OF_MODEL": "en"})
    mm.register("de", Scale(2.0), env_vars={"LANG_OF_MODEL": "de"})
    with pytest.raises(ModelError, match="LANG_OF_MODEL='en' and LANG_OF_MODEL='de'"):
        run('data["x"] | keyed({"a": en, "b": de}, by="k")', frame(["a"]))
    mm.register("two_copies", Scale(2.0), model_copies=2)
    with pytest.raises(ModelError, match="2 copies"):
        run('data["x"] | keyed({"a": en, "b": two_copies}, by="k")', frame(["a"]))


def test_a_key_in_two_mappings_is_an_error_that_names_both() -> None:
    with pytest.raises(GraphError, match="'one' and 'two'"):
        mm.pipeline('data | keyed({"a": one, ("a", "b"): two}, by="k")', data=frame([]))


def test_a_graph_for_any_runner() -> None:
    graph = mm.pipeline(
        f'data["x"] | keyed({DOCUMENTED}, by="k", max_models=1) | first',
        data=frame(["KEY_1", "KEY_3", "KEY_2"]),
        first=first,
    )
    with beam.Pipeline("FnApiRunner") as pipeline:
        made = mm.compile_graph(graph, pipeline)["first"]
        values = made | beam.Map(lambda pair: (pair[0].id, pair[0].key, pair[1]))
        assert_that(values, equal_to([("0", "KEY_1", 0), ("1", "KEY_3", 2), ("2", "KEY_2", 4)]))


def first(prediction: Any) -> float:
    return float(prediction.inference[0])


def test_no_elements_need_no_load() -> None:
    nothing = run('data | filter(no) | keyed({"a": one}, by="k")', frame(["a"]), no=never)
    assert len(nothing["keyed"]) == 0 and nothing.models["loads"].tolist() == [0]


def never(value: Any) -> bool:
    return False
