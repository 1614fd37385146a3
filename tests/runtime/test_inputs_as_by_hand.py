"""Models receive the same inputs as in a direct call: dtypes, names and types."""

from __future__ import annotations

import re
from collections import namedtuple
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import torch
import xgboost
from catboost import CatBoostRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

import mmnotebook as mm
from mmnotebook.errors import GraphError, ModelError, RunError

RNG = np.random.default_rng(0)
XYZ = pd.DataFrame(RNG.normal(size=(60, 3)), columns=["a", "b", "c"])
Row = namedtuple("Row", "c b a")


def answers(text: str, **bound: Any) -> list[Any]:
    result = mm.run(mm.pipeline(text, **bound), progress=False)
    assert result.failed.empty, result.failed["message"].iloc[0]
    node = next(name for name in result if result.graph[name].kind == "model")
    frame = result[node].assign(n=lambda f: f["id"].astype(int)).sort_values("n")
    return frame["prediction"].tolist()


def code(table: pd.DataFrame) -> pd.DataFrame:
    """Return a number that differs between a column's dtype and the dtype without conversion."""
    column = table.iloc[:, 0]
    known = str(column.dtype) if not hasattr(column, "cat") else str(list(column.cat.categories))
    return pd.DataFrame({"n": [float(sum(map(ord, known)))] * len(table)})


def yes(_: Any) -> bool:
    return True


def no(_: Any) -> bool:
    return False


COLUMNS = {
    "seconds": pd.date_range("2024", periods=6).astype("datetime64[s]"),
    "zone": pd.date_range("2024", periods=6, tz="Europe/Berlin"),
    "category": pd.Categorical(list("abcabc"), categories=list("cab"), ordered=True),
    "missing": pd.array([None, 1, 2, 3, 4, 5], dtype="Int64"),
    "arrow": pd.array(range(6), dtype="int64[pyarrow]"),
    "string": pd.array(list("abcabc"), dtype="string"),
    "small": np.arange(6, dtype="int8"),
    "float32": np.arange(6, dtype="float32"),
    "boolean": pd.array([None, True, False, True, True, True], dtype="boolean"),
    "object": list("abcabc"),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_one_field_keeps_its_dtype(kind: str) -> None:
    """Check brackets, `input=`, a Series, a filter and a union."""
    table = pd.DataFrame({"x": COLUMNS[kind], "other": 1})
    model = make_pipeline(FunctionTransformer(code), LinearRegression())
    model.fit(table[["x"]], np.arange(6.0))
    model[-1].coef_[:], model[-1].intercept_ = 1.0, 0.0
    expected = model.predict(table[["x"]]).tolist()
    mm.register("p", model)
    bound = {"T": table, "S": table["x"].rename("when"), "yes": yes, "no": no}
    ways = ['T["x"] | p', 'T[["x"]] | p', "S | p", 'T["x"] | filter(yes) | p']
    ways += ['{T["x"] | filter(yes), T["x"] | filter(no)} | p']
    for text in ways:
        assert answers(text, **{k: v for k, v in bound.items() if k in text}) == expected, text
    mm.register("p", model, input="x", batch_size=1)
    assert answers("T | p", T=table) == expected


def test_a_text_goes_into_an_encoder_fitted_on_a_frame() -> None:
    table = pd.DataFrame({"x": list("abcabc")})
    mm.register("p", make_pipeline(OneHotEncoder(), LinearRegression()).fit(table, range(6)))
    expected = [1.5, 2.5, 3.5] * 2
    assert np.allclose(answers('T["x"] | p', T=table), expected)
    assert np.allclose(answers("texts | p", texts=list("abcabc")), expected)


def series(row: Any) -> Any:
    return pd.Series({"c": row["c"], "b": row["b"], "a": row["a"]})


def named(row: Any) -> Any:
    return Row(row["c"], row["b"], row["a"])


def void(row: Any) -> Any:
    return np.array([(row["c"], row["b"], row["a"])], dtype=[(n, "f8") for n in "cba"])[0]


def either(row: Any) -> Any:
    return (series, named, void, dict)[int(abs(row["a"]) * 100) % 4](row)


@pytest.mark.parametrize(
    ("function", "kind"),
    [(one, kind) for one in (series, named, void) for kind in ("lightgbm", "python", "torch")]
    + [(either, kind) for kind in ("lightgbm", "xgboost", "sklearn", "torch")],
)
def test_fields_are_passed_by_name_not_by_position(function: Any, kind: str) -> None:
    truth = XYZ["a"] * 3 - XYZ["b"] * 2 + XYZ["c"] * 7
    if kind == "torch":
        mm.register("m", Weighted())
        expected = truth.tolist()
    else:
        make = {
            "lightgbm": lightgbm.LGBMRegressor(n_estimators=5, min_child_samples=2, verbose=-1),
            "xgboost": xgboost.XGBRegressor(n_estimators=3),
        }.get(kind, LinearRegression())
        model = make.fit(XYZ, truth)
        expected = model.predict(XYZ).tolist()
        mm.register("m", model, **({"framework": "python"} if kind == "python" else {}))
    assert np.allclose(answers("XYZ | f | m", XYZ=XYZ, f=function), expected, atol=1e-4)


class Weighted(torch.nn.Module):
    def forward(self, a: Any, b: Any, c: Any) -> Any:
        return a * 3 - b * 2 + c * 7


def test_a_structured_array_by_names() -> None:
    mm.register("m", LinearRegression().fit(XYZ, XYZ["a"]))
    rows = XYZ[["c", "b", "a"]].to_records(index=False)
    assert np.allclose(answers("rows | m", rows=np.array(rows)), XYZ["a"])
    assert np.allclose(answers("rows | m", rows=list(np.array(rows))), XYZ["a"])


class Optional(torch.nn.Module):
    def forward(self, x: Any, target: Any = None) -> Any:
        return x if target is None else x + target


def test_a_field_that_is_asked_for_by_name_is_never_stacked() -> None:
    data = pd.DataFrame({"x": [1.0, 2.0], "target": [10.0, 20.0]})
    mm.register("m", Optional())
    assert answers("R | m", R=data) == [1, 2]
    for text in ('R[["x", "target"]] | m', 'R[["target", "x"]] | m'):
        with pytest.raises(GraphError, match="only in training"):
            mm.pipeline(text, R=data)
    mm.register("m", Optional(), input=["x", "target"])
    with pytest.raises(GraphError, match="only in training"):
        mm.pipeline("R | m", R=data)


class Places(torch.nn.Module):
    def forward(self, x: Any, /, y: Any) -> Any:
        return x + y


def test_inputs_by_place_alone_are_refused_when_registered() -> None:
    with pytest.raises(ModelError, match="takes x by position only"):
        mm.register("m", Places())


def test_a_numbered_column_is_written_as_a_text() -> None:
    table = pd.DataFrame([[1.0, 2.0]])
    with pytest.raises(GraphError, match=re.escape('["0"]')):
        mm.pipeline("z[0] | yes", z=table, yes=yes)
    assert mm.run(mm.pipeline('z["0"] | yes', z=table, yes=yes), progress=False)["yes"].shape[0]


def test_a_file_of_another_kind_fails_alone(tmp_path: Path) -> None:
    for at in range(12):
        np.save(tmp_path / f"{at}.npy", np.ones(1))
    (tmp_path / "notes.txt").write_text("x")
    graph = mm.pipeline(f'read("{tmp_path}/*") | yes', yes=yes)
    result = mm.run(graph, progress=False)
    assert len(result["yes"]) == 12
    assert result.failed["id"].tolist() == ["notes.txt"]
    assert "'.txt'" in result.failed["message"][0]
    with pytest.raises(RunError, match="allowed endings"):
        mm.run(mm.pipeline(f'read("{tmp_path}/*.txt") | yes', yes=yes), progress=False)


class Two(torch.nn.Module):
    """A record of two numbers."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Any) -> Any:
        return {"a": x[:, 0].to(self.dtype), "b": x[:, 1].to(self.dtype)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_numbers_of_a_module_are_numbers_for_trees(dtype: torch.dtype) -> None:
    rows = RNG.normal(size=(40, 2)).astype("float32") * 9
    given = pd.DataFrame(torch.tensor(rows).to(dtype).float().numpy(), columns=["a", "b"])
    trees = [
        xgboost.XGBRegressor(n_estimators=3),
        lightgbm.LGBMRegressor(n_estimators=3, min_child_samples=2, verbose=-1),
        CatBoostRegressor(iterations=3, verbose=0, allow_writing_files=False),
        LinearRegression(),
    ]
    mm.register("two", Two(dtype))
    for tree in trees:
        mm.register("tree", tree.fit(given, given["a"]))
        made = mm.run(mm.pipeline("rows | two | tree", rows=rows), progress=False)
        assert np.allclose(made["tree"]["prediction"], tree.predict(given), atol=1e-5)


def test_united_frames_whose_ids_coincide_are_refused() -> None:
    jan = pd.DataFrame({"x": [1.0, 2.0], "label": ["A", "B"]})
    feb = pd.DataFrame({"x": [3.0, 4.0]})
    mm.register("m", LinearRegression().fit(XYZ[["a"]], XYZ["a"]))
    graph = mm.pipeline('{jan["x"], feb["x"]} | m', jan=jan, feb=feb)
    with pytest.raises(RunError, match=r"union of 'jan' and 'feb'.*id '0'") as caught:
        mm.run(graph, progress=False)
    assert "ignore_index=True" in str(caught.value)
    apart = feb.set_index(pd.Index(["f0", "f1"]))
    made = mm.run(mm.pipeline('{jan["x"], feb["x"]} | m', jan=jan, feb=apart), progress=False)
    assert made["m"]["label"].isna().tolist() == [False, False, True, True]
    both = mm.run(mm.pipeline('[jan["x"], feb["x"]] | f', jan=jan, feb=feb, f=yes), progress=False)
    assert len(both["f"]) == 2


def test_one_value_for_several_inputs_is_refused_before_the_run() -> None:
    mm.register("m", Weighted())
    with pytest.raises(GraphError, match="3 inputs, but receives one value"):
        mm.pipeline('XYZ["a"] | m', XYZ=XYZ)
