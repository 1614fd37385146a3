"""A model directly after another: it receives the inference, never Beam's PredictionResult."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from apache_beam.ml.inference.base import PredictionResult
from sklearn.linear_model import LinearRegression

import mmnotebook as mm
from mmnotebook.beam.dofns.inferences import bare, inferences
from mmnotebook.elements.columns import Objects, Records, Tuples
from mmnotebook.elements.packing import pack
from tests.runtime import toys

X = [np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.array([5.0, 0.0])]


class Twice:
    def predict(self, batch: Any) -> list[Any]:
        return [np.asarray(x) * 2 for x in batch]


class Record:
    def predict(self, batch: Any) -> list[Any]:
        return [{"k": np.asarray(x), "n": float(np.sum(x))} for x in batch]


class Sums:
    def predict(self, batch: Any) -> list[Any]:
        return [_sum(x) for x in batch]


def _sum(value: Any) -> float:
    assert not isinstance(value, PredictionResult)
    if isinstance(value, dict):
        return sum(map(_sum, value.values()))
    return float(np.asarray(value).sum())


def of_torch(module: torch.nn.Module) -> Any:
    return lambda x: module(torch.as_tensor(np.asarray(x), dtype=torch.float32)).numpy()


torch.manual_seed(0)
FIRST = torch.nn.Linear(2, 2).requires_grad_(False)
SECOND = torch.nn.Linear(2, 1).requires_grad_(False)
LINE = LinearRegression().fit(np.eye(2), np.eye(2))
DO: dict[str, Any] = {
    "first": of_torch(FIRST),
    "second": of_torch(SECOND),
    "line": lambda x: LINE.predict([x])[0],
    "twice": lambda x: 2 * np.asarray(x),
    "sums": _sum,
    "own": lambda x: 3.0 * float(np.sum(x)),
    "record": lambda x: {"k": np.asarray(x), "n": float(np.sum(x))},
    "field": lambda x: 2 * x["k"],
    "halved": lambda x: 2 * np.asarray(x) / 2,
}


def half(x: Any) -> Any:
    assert not isinstance(x, PredictionResult)
    return np.asarray(x) / 2


@pytest.fixture(autouse=True)
def registered() -> None:
    mm.register("first", FIRST)
    mm.register("second", SECOND)
    mm.register("line", LINE)
    mm.register("twice", Twice())
    mm.register("sums", Sums())
    mm.register("record", Record())
    mm.register("field", Twice(), input="k")
    mm.register("halved", Twice(), preprocess=half)
    mm.register("own", toys.OwnHandler())


def predictions(text: str, node: str, **names: Any) -> list[Any]:
    result = mm.run(mm.pipeline(text, X=X, **names), progress=False, max_failed=0.0)
    return list(result[node]["prediction"])


def equal(found: list[Any], expected: list[Any]) -> bool:
    assert len(found) == len(expected)
    pairs = zip(found, expected, strict=True)
    return all(np.allclose(np.ravel(one), np.ravel(other), atol=1e-5) for one, other in pairs)


ALL = ("first", "line", "twice", "own")
PAIRS = [(a, b) for a in ("first", "line", "twice") for b in (*ALL, "second", "sums", "halved")]
PAIRS.remove(("first", "own"))  # which does not support tensors


@pytest.mark.parametrize(("a", "b"), [*PAIRS, ("record", "field"), ("record", "sums")])
def test_any_pair(a: str, b: str) -> None:
    node = b if a != b else f"{b}_2"
    assert equal(predictions(f"X | {a} | {b}", node), [DO[b](DO[a](x)) for x in X])


def test_a_field_of_an_inference_is_selected() -> None:
    found = predictions(
        'r = X | record\nr["k"] | twice\nr["n"] | map(double)', "twice", double=double
    )
    assert equal(found, [2 * x for x in X])
    found = mm.run(mm.pipeline('X | record["n"] | double', X=X, double=double), progress=False)
    assert list(found["double"]["value"]) == [2 * float(np.sum(x)) for x in X]


def double(value: Any) -> Any:
    return 2 * value


def test_a_field_that_no_inference_has_is_an_error() -> None:
    result = mm.run(mm.pipeline('X | record["kk"] | twice', X=X), progress=False, max_failed=1.0)
    assert "no field 'kk'; the element has: k, n; did you mean 'k'?" in result.failed["message"][0]


def big(made: Any) -> str:
    assert isinstance(made, PredictionResult)
    return "a" if made.inference[0] > 3 else "b"


def test_behind_a_switch_a_split_and_a_filter() -> None:
    text = "X | twice | switch(big, a=first, b=line)"
    expected = [DO["first" if x[0] > 1.5 else "line"](2 * x) for x in X]
    result = mm.run(mm.pipeline(text, X=X, big=big), progress=False)
    found = {row.id: row.prediction for n in ("first", "line") for row in result[n].itertuples()}
    assert equal([found[str(n)] for n in range(3)], expected)
    text = "X | twice | filter(bool) | split(first=0.5, line=0.5)"
    result = mm.run(mm.pipeline(text, X=X), progress=False)
    for name in ("first", "line"):
        for row in result[name].itertuples():
            assert equal([row.prediction], [DO[name](2 * X[int(row.id)])])


@pytest.mark.parametrize("lowering", ["blocks", "beam"])
def test_after_and_before_a_model_per_key(lowering: str) -> None:
    rows = pd.DataFrame({"x": X, "lang": ["a", "b", "a"]})
    how = f'keyed({{"a": first, "b": line}}, by="lang", lowering="{lowering}")'
    text = f'rows["x"] | twice | {how} | second'
    result = mm.run(mm.pipeline(text, rows=rows), progress=False, max_failed=0.0)
    chosen = [DO[name] for name in ("first", "line", "first")]
    assert list(result["keyed"]["key"]) == ["a", "b", "a"]
    expected = [DO["second"](do(2 * x)) for do, x in zip(chosen, X, strict=True)]
    assert equal(list(result["second"]["prediction"]), expected)


def low(output: Any) -> float:
    assert not isinstance(output, PredictionResult)
    return 0.1 if output[0] > 5 else 0.9


def test_after_and_before_a_cascade() -> None:
    text = "X | twice | cascade(twice, line, below=0.5, score=low) | second"
    expected = [DO["second"](DO["line"](2 * x) if 4 * x[0] > 5 else 4 * x) for x in X]
    result = mm.run(mm.pipeline(text, X=X, low=low), progress=False, max_failed=0.0)
    assert equal(list(result["second"]["prediction"]), expected)
    assert set(result["cascade"]["model"]) == {"twice", "line"}


def test_a_join_of_models_is_a_dict_of_their_inferences() -> None:
    found = predictions("X | [twice, first] | sums", "sums")
    assert equal(found, [_sum(2 * x) + _sum(DO["first"](x)) for x in X])
    mm.register("named", Twice(), input="left")
    found = predictions('t = X | twice\n{"left": t, "right": X} | named', "named")
    assert equal(found, [4 * x for x in X])
    found = predictions("t = X | twice\n{t, X} | sums", "sums")
    assert sorted(found) == sorted([*(_sum(x) for x in X), *(_sum(2 * x) for x in X)])


def kind(made: Any) -> str:
    return f"{type(made).__name__} of {made.model_id}"


def test_functions_are_given_what_beam_gives() -> None:
    result = mm.run(mm.pipeline("X | twice | kind", X=X, kind=kind), progress=False)
    assert set(result["kind"]["value"]) == {"PredictionResult of twice"}


def test_by_column_where_there_are_columns() -> None:
    made = [PredictionResult(x, 2 * x, "m") for x in X]
    assert type(inferences(pack(made))) is type(pack(X))
    assert inferences(pack(X)) is not None
    joined = pack([{"a": one, "b": 1} for one in made])
    assert isinstance(joined, Records) and isinstance(joined.columns["a"], Tuples)
    given = bare(joined)
    assert isinstance(given, Records) and not isinstance(given.columns["a"], (Tuples, Objects))
    pairs = bare(pack([(one, "x") for one in made]))
    assert equal([pair[0] for pair in pairs], [2 * x for x in X])


@pytest.mark.parametrize("other", ["a text", None, {"unequal": 1}])
def test_single_values_are_passed_without_a_prediction_result_too(other: Any) -> None:
    made = PredictionResult(1, 2, "m")
    assert list(bare(pack([made, other]))) == [2, other]
    assert list(bare(pack([{"a": made}, {"b": other}]))) == [{"a": 2}, {"b": other}]
    values = pack([other, "more"])
    assert list(bare(values)) == list(values)
