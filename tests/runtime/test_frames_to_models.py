"""Models that take DataFrames receive the dtypes of the notebook's DataFrame."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier

import mmnotebook as mm
from mmnotebook.running import trial

COUNT = 30


class Looks(BaseEstimator):  # type: ignore[misc]
    """An estimator that predicts the dtypes and categories of its input."""

    def fit(self, table: Any) -> Looks:
        self.n_features_in_ = table.shape[1]
        return self

    def predict(self, table: Any) -> list[str]:
        return [dtypes_text(table)] * len(table)


def dtypes_text(table: pd.DataFrame) -> str:
    kinds = []
    for name, dtype in dict(table.dtypes).items():
        categories = list(getattr(dtype, "categories", []))
        cells = table[name] if isinstance(dtype, np.dtype) and dtype.kind == "O" else ()
        types = sorted({type(cell).__name__ for cell in cells})
        kinds.append(f"{name}: {dtype!r} {categories} {types}")
    return "\n".join(kinds)


def table() -> pd.DataFrame:
    numbers = np.arange(COUNT)
    frame = pd.DataFrame(
        {
            "category": pd.Categorical(list("abc") * 10, categories=["z", "c", "b", "a"]),
            "ordered": pd.Categorical(numbers % 5, ordered=True),
            "bins": pd.cut(numbers, 4),
            "Int64": pd.array([*[None] * 20, *range(10)], dtype="Int64"),
            "Float32": pd.array([*range(29), None], dtype="Float32"),
            "boolean": pd.array([True, None] * 15, dtype="boolean"),
            "string": pd.array(["x", None, "y"] * 10, dtype="string"),
            "object": ["t", None, "u"] * 10,
            "decimal": [decimal.Decimal(n) / 10 for n in range(COUNT)],
            "day": [datetime.date(2024, 1, 1)] * COUNT,
            "time": pd.date_range("2024-01-01", periods=COUNT),
            "zone": pd.date_range("2024-01-01", periods=COUNT, tz="Europe/Paris"),
            "span": pd.to_timedelta(numbers, unit="h"),
            "period": pd.period_range("2024-01", periods=COUNT, freq="M"),
            **{name: numbers.astype(name) for name in ("int8", "uint64", "float16", "float32")},
        }
    )
    frame["object"] = frame["object"].astype(object)
    frame["mixed"] = pd.Series([1, 2.5, "a"] * 10, dtype=object)
    frame["whole"] = pd.Series([1, 2, 3] * 10, dtype=object)
    return frame


def predictions(text: str, model: str = "looks", **names: Any) -> list[Any]:
    result = mm.run(mm.pipeline(text, **names), progress=False)
    return list(result[model]["prediction"])


def even(row: Any) -> bool:
    return int(row["int8"]) % 2 == 0


@pytest.mark.parametrize("batch_size", [1, 7, None])
def test_of_every_kind_in_every_batch(batch_size: int | None) -> None:
    frame = table()
    mm.register("looks", Looks().fit(frame), batch_size=batch_size)
    # In a column of objects, the types depend on the rows of the batch.
    kinds = [line.split("[")[0] for line in dtypes_text(frame).splitlines()]
    texts = ["d | looks", 's = d | split({"a": 0.5, "b": 0.5})\ns.a | looks']
    found = [one for text in texts for one in predictions(text, d=frame)]
    for one in {*found, *predictions("d | filter(even) | looks", d=frame, even=even)}:
        assert [line.split("[")[0] for line in one.splitlines()] == kinds
        assert "category: CategoricalDtype(" in one and "['z', 'c', 'b', 'a'] []" in one


def types(row: Any) -> str:
    return " ".join(type(cell).__name__ for cell in row.values())


def test_functions_receive_the_rows_of_pandas() -> None:
    frame = table()
    result = mm.run(mm.pipeline("d | types", d=frame, types=types), progress=False)
    assert list(result["types"]["value"]) == list(map(types, frame.to_dict("records")))


def test_cached_values_are_passed_with_the_same_dtypes(tmp_path: Path) -> None:
    frame = table()
    mm.register("looks", Looks().fit(frame))
    first = predictions("e = d | filter(even)\ne | looks", d=frame, even=even)
    mm.register("looks", Looks().fit(frame), batch_size=3)
    graph = mm.pipeline("e = d | filter(even)\ne | looks", d=frame, even=even)
    again = mm.run(graph, progress=False)
    assert again.nodes.loc["e", "cached"]
    lines = {line for one in again["looks"]["prediction"] for line in one.splitlines()}
    plain = {line for one in first for line in one.splitlines() if "object" not in line}
    assert plain <= lines


def test_from_parquet(tmp_path: Path) -> None:
    frame = table().drop(columns=["mixed", "float16", "bins"])
    path = tmp_path / "a.parquet"
    frame.to_parquet(path, row_group_size=8)
    back = pd.read_parquet(path)
    mm.register("looks", Looks().fit(back))
    assert set(predictions(f'read("{path}") | looks')) == {dtypes_text(back)}


@pytest.mark.parametrize("batch_size", [1, 7, None])
def test_trees_on_categories_predict_what_they_predict_alone(batch_size: int | None) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"num": rng.random(60), "cat": pd.Categorical(rng.choice(list("abc"), 60))}
    )
    labels = ((frame["num"] > 0.5) ^ (frame["cat"] == "a")).astype(int)
    hist = HistGradientBoostingClassifier(
        max_iter=5, min_samples_leaf=3, categorical_features="from_dtype"
    )
    xgb = xgboost.XGBClassifier(n_estimators=5, enable_categorical=True, n_jobs=1)
    for name, model in {"hist": hist, "xgb": xgb}.items():
        truth = model.fit(frame, labels).predict(frame)
        mm.register(name, model, batch_size=batch_size)
        assert predictions(f"d | {name}", name, d=frame) == list(truth)
        assert predictions(f"d | {name}", name, d=frame.iloc[::-7]) == list(truth[::-7])


def test_from_a_dict_of_columns_and_a_structured_array() -> None:
    columns = {"c": pd.Categorical(["a", "b"]), "n": np.arange(2, dtype="int8"), "t": ["x", None]}
    mm.register("looks", Looks().fit(pd.DataFrame(columns)), batch_size=1)
    for one in predictions("d | looks", d=columns):
        assert "c: CategoricalDtype(" in one and "n: dtype('int8')" in one
    array = np.zeros(2, dtype=[("n", "int16"), ("f", ">f4")])
    assert "n: dtype('int16')" in predictions("d | looks", d=array)[0]
    assert "f: dtype('float32')" in predictions("d | looks", d=array)[0]


@pytest.mark.parametrize("lowering", ["blocks", "beam"])
def test_by_key(lowering: str) -> None:
    frame = table()[["category", "Int64", "int8"]].assign(key=list("pqq") * 10)
    mm.register("looks", Looks().fit(frame))
    mm.register("other", Looks().fit(frame))
    text = f'd | keyed({{"p": looks, "q": other}}, by="key", lowering="{lowering}")'
    found = predictions(text, "keyed", d=frame)
    assert set(found) == {dtypes_text(frame)} and len(found) == COUNT


def test_a_model_is_tried_with_a_row_as_it_is() -> None:
    frame = table()[["category", "Int64"]]
    row = trial.first_row("d", frame)
    assert trial.first_element("d", frame) == row[0] == frame.to_dict("records")[0]
    assert "CategoricalDtype" in trial.try_model(Looks().fit(frame), row).output
