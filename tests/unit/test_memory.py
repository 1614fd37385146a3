"""The forecast of model loads, compared with a simple LRU cache."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmnotebook as mm
from mmnotebook.errors import ResultError
from mmnotebook.results import memory

MODELS = st.lists(st.sampled_from("abcdef"), max_size=60)


def obvious(used: list[str], most: int) -> int:
    """Return the loads of an LRU cache with `most` models."""
    held: list[str] = []
    count = 0
    for name in used:
        if name in held:
            held.remove(name)
        else:
            count += 1
            if len(held) == most:
                held.pop(0)
        held.append(name)
    return count


@given(MODELS, st.integers(1, 8))
def test_loads_are_those_of_an_lru(used: list[str], most: int) -> None:
    assert memory.loads(used, most) == obvious(used, most)


@given(MODELS, st.integers(1, 12))
def test_in_a_window_each_model_is_used_once(models: list[str], rows: int) -> None:
    used: list[str] = []
    for start in range(0, len(models), rows):
        seen: list[str] = []
        for name in models[start : start + rows]:
            if name not in seen:
                seen.append(name)
        used += seen
    assert memory.uses(models, rows) == used


@given(MODELS, st.integers(1, 12))
def test_the_forecast_has_a_row_for_every_max_models(models: list[str], rows: int) -> None:
    table = memory.forecast_of(models, rows, dict.fromkeys(models, 0.5)).table
    count = len(set(models))
    assert table["max_models"].tolist() == list(range(1, count + 1))
    used = memory.uses(models, rows)
    assert table["loads_as_is"].tolist() == [obvious(used, most) for most in table["max_models"]]
    assert set(table["loads_grouped"]) <= {count}
    assert table["seconds_as_is"].tolist() == pytest.approx((table["loads_as_is"] * 0.5).tolist())
    assert (table["loads_as_is"].diff().dropna() <= 0).all()


def test_seconds_are_each_models_own() -> None:
    table = memory.forecast_of(list("abab"), 1, {"a": 1.0, "b": 10.0}).table
    assert table["seconds_as_is"].tolist() == [22, 11]
    assert table["seconds_grouped"].tolist() == [11, 11]
    assert memory.forecast_of(["a", "b"], 1, {"a": 3.0}).table["seconds_grouped"].tolist() == [6, 6]
    assert memory.forecast_of(["a", "b"], 1).table["seconds_as_is"].isna().all()


def test_the_recommendation_says_what_to_do() -> None:
    thrash = memory.forecast_of(list("ab") * 20, 1)
    assert thrash.recommendation == (
        "group=True: 2 loads for any max_models. In arrival order, as few loads need max_models=2; "
        "max_models=1 loads 40 times."
    )
    sorted_keys = memory.forecast_of(list("aaabbb"), 1)
    assert "without grouping" in sorted_keys.recommendation
    empty = memory.forecast_of([], 8)
    assert empty.recommendation == "No model is loaded, as there are no elements."
    assert "loads_as_is" in repr(thrash) and "<script" not in thrash._repr_html_()


def test_keys_are_forecast_with_a_mapping() -> None:
    keys = [1, 2, 3, 1, "other"] * 100
    mapping = {1: "one", ("2", "3"): "more"}
    table = mm.forecast(keys, models=mapping, batch_size=1).table
    names = ["one" if key == 1 else "more" for key in keys if key != "other"]
    used = memory.uses(names, memory.window_rows([1, 1]))
    assert table["loads_as_is"].tolist() == [obvious(used, 1), obvious(used, 2)]
    assert len(mm.forecast(keys, models=mapping, default="rest").table) == 3
    with pytest.raises(ResultError, match="models= is missing"):
        mm.forecast(keys)


def test_calls_are_counted_per_model_and_per_key() -> None:
    models, keys = list("aabb"), list("wxyz")
    assert memory.calls_by_model(models, {"a": 2, "b": 1}, 4) == 3
    assert memory.calls_by_model(models, {"a": 2, "b": 2}, 3) == 3
    assert memory.calls_by_key(keys, 4) == 4
    assert memory.calls_by_key(["w"] * 9, 4) == 3
