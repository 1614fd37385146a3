"""Models receive fields by name; fields that do not exist are errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import torch
import xgboost
from onnx import TensorProto
from onnx import helper as oh
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import mmnotebook as mm
from mmnotebook.errors import GraphError, MMError, Problem
from tests import own_process

N = 24
FRAME = pd.DataFrame(
    {
        "a": np.arange(float(N)),
        "b": (np.arange(float(N)) * 7) % 11,
        "label": (np.arange(N) > 12).astype(int),
        "user": [f"u{i % 5}" for i in range(N)],
    }
)
XY = FRAME[["a", "b"]]
ORDERS = ['df[["a", "b"]]', 'df[["b", "a"]]', "df", 'df.drop("label", "user")']


def two(values: Any) -> Any:
    return values


class Two(torch.nn.Module):
    """A model that computes a + 2 b, which differs from 2 a + b."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a + 2 * b


class Keywords(torch.nn.Module):
    def forward(self, a: torch.Tensor, *, b: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return (a + 2 * b) * scale


class Any_(torch.nn.Module):
    def forward(self, **fields: torch.Tensor) -> torch.Tensor:
        return fields["a"] + 2 * fields["b"]


class Supervised(torch.nn.Module):
    def forward(self, a: Any, b: Any, labels: Any = None) -> Any:
        assert labels is None
        return a + 2 * b


def predictions(text: str, **data: Any) -> list[float]:
    graph = mm.pipeline(text, **{"df": FRAME, **data})
    result = mm.run(graph, progress=False)
    assert result.failed.empty, result.failed["message"].iloc[0]
    frames = [result[name] for name in result if graph[name].kind in ("model", "keyed", "cascade")]
    frame = pd.concat(frames)
    frame = frame.loc[frame["id"].astype(int).sort_values().index] if len(frames) == 1 else frame
    frame = frame.assign(n=frame["id"].astype(int)).sort_values("n")
    return [float(np.ravel(p)[0]) for p in frame["prediction"]]


def refused(text: str, **data: Any) -> Problem:
    """Return the only problem of a text, found when the graph is created."""
    with pytest.raises(GraphError) as error:
        mm.pipeline(text, **{"df": FRAME, **data})
    (problem,) = error.value.problems
    assert problem.line == 1
    return problem


def expected(model: Any, frame: pd.DataFrame = XY) -> list[float]:
    return [float(value) for value in np.ravel(model.predict(frame))]


def fitted() -> dict[str, Any]:
    y = FRAME["a"] + 3 * FRAME["b"]
    plain = LinearRegression().fit(XY, y)
    scaled = make_pipeline(StandardScaler(), LinearRegression()).fit(XY, y)
    gbm = lightgbm.LGBMRegressor(n_estimators=3, min_child_samples=2, verbose=-1).fit(XY, y)
    xgb = xgboost.XGBRegressor(n_estimators=3, n_jobs=1).fit(XY, y)
    return {"plain": plain, "scaled": scaled, "gbm": gbm, "xgb": xgb}


class TestColumns:
    @pytest.mark.parametrize("name", list(fitted()))
    def test_fields_go_to_an_estimator_by_name_in_any_order(self, name: str) -> None:
        model = fitted()[name]
        mm.register("m", model)
        for head in ORDERS:
            assert predictions(f"{head} | m") == pytest.approx(expected(model)), head

    def test_a_booster_too(self) -> None:
        booster = xgboost.train({"n_jobs": 1}, xgboost.DMatrix(XY, FRAME["b"]), 3)
        truth = booster.predict(xgboost.DMatrix(XY)).tolist()
        mm.register("m", booster)
        for head in ORDERS:
            assert predictions(f"{head} | m") == pytest.approx(truth), head

    def test_a_transformer_of_named_columns_of_several_kinds(self) -> None:
        columns = FRAME[["user", "b"]]
        first = make_column_transformer((OneHotEncoder(), ["user"]), remainder="passthrough")
        model = make_pipeline(first, LinearRegression()).fit(columns, FRAME["b"])
        mm.register("m", model)
        for head in ("df", 'df[["b", "user"]]', 'df.drop("a", "label")'):
            assert predictions(f"{head} | m") == pytest.approx(expected(model, columns)), head

    def test_without_names_it_is_a_row_in_the_order_given(self) -> None:
        model = LinearRegression().fit(XY.to_numpy(), FRAME["a"] + 3 * FRAME["b"])
        mm.register("m", model)
        assert predictions('df[["a", "b"]] | m') == pytest.approx(expected(model, XY.to_numpy()))
        turned = expected(model, FRAME[["b", "a"]].to_numpy())
        assert predictions('df[["b", "a"]] | m') == pytest.approx(turned)
        assert predictions('df.drop("user", "label") | m') == pytest.approx(
            expected(model, XY.to_numpy())
        )

    @pytest.mark.parametrize("columns", [[0, 1], pd.MultiIndex.from_tuples([("p", 1), ("q", 2)])])
    def test_columns_whose_names_are_no_texts(self, columns: Any) -> None:
        frame = pd.DataFrame(XY.to_numpy(), columns=columns)
        mm.register("lr", LinearRegression().fit(frame, FRAME["b"]))
        first, second = map(str, columns)
        given = predictions(f'df[["{first}", "{second}"]] | lr', df=frame)
        assert given == pytest.approx(FRAME["b"].tolist())

    def test_numbers_as_names_reach_xgboost(self) -> None:
        frame = pd.DataFrame(XY.to_numpy(), columns=[0, 1])
        model = xgboost.XGBRegressor(n_estimators=3, n_jobs=1).fit(frame, FRAME["b"])
        mm.register("m", model)
        for head in ("df", 'df[["1", "0"]]'):
            assert predictions(f"{head} | m", df=frame) == pytest.approx(expected(model, frame))

    def test_an_object_that_knows_its_features(self) -> None:
        class Own:
            feature_names_in_ = ("a", "b")

            def predict(self, rows: Any) -> Any:
                return rows[:, 0] + 2 * rows[:, 1]

        mm.register("m", Own())
        truth = (FRAME["a"] + 2 * FRAME["b"]).tolist()
        assert predictions('df[["b", "a"]] | m') == truth

    @pytest.mark.parametrize(
        "text",
        [
            'df[["b", "a"]] | split(m=0.5, n=0.5, by="user")',
            'df[["b", "a"]] | filter(every) | m',
            'df[["b", "a"]] | switch(way, m=m, n=n)',
            'df[["b", "a"]] | keyed({("u0", "u1"): m, ("u2", "u3", "u4"): n}, by="user")',
            'df[["b", "a"]] | keyed({"l": m, "r": n}, by=side, lowering="beam")',
            'df[["b", "a"]] | cascade(sure, m, below=1.0)',
            '{df[["b", "a"]], more[["a", "b"]]} | m',
            "df | m2",
        ],
    )
    def test_with_any_step_between(self, text: str) -> None:
        model = fitted()["plain"]
        for name in ("m", "n"):
            mm.register(name, model)
        mm.register("m2", model, input=["b", "a"])
        mm.register("sure", LogisticRegression().fit(XY, FRAME["label"]), method="predict_proba")

        def every(row: Any) -> bool:
            return bool(row.shape == (2,))

        def way(row: Any) -> str:
            return "m" if row[0] < 5 else "n"

        def side(row: Any) -> str:
            return "l" if row[0] < 5 else "r"

        more = FRAME.set_index(FRAME.index + N)
        known = {"every": every, "way": way, "side": side, "more": more}
        used = {name: value for name, value in known.items() if name in text}
        truth = expected(model) * (2 if "more" in text else 1)
        assert predictions(text, **used) == pytest.approx(truth)

    def test_a_function_is_given_a_row(self) -> None:
        def seen(row: Any) -> Any:
            return type(row).__name__, row.dtype.kind, row.tolist()

        text = 'df[["b", "a"]] | map(seen)\nrest = df.drop("a", "label") | map(seen)'
        result = mm.run(mm.pipeline(text, df=FRAME, seen=seen), progress=False)
        assert result["seen"]["value"][1] == ("ndarray", "f", [7.0, 1.0])
        assert result["rest"]["value"][1] == ("ndarray", "O", [7.0, "u1"])  # a text is not a number

    def test_a_stored_selection_is_by_name_too(self) -> None:
        model = fitted()["plain"]
        mm.register("m", model)
        text = 's = df[["b", "a"]] | split({"p": 0.5, "q": 0.5})'
        mm.run(mm.pipeline(text, df=FRAME), progress=False)
        result = mm.run(mm.pipeline(f"{text}\n{{s.p, s.q}} | m", df=FRAME), progress=False)
        assert result.nodes.loc["s", "cached"]
        frame = result["m"].assign(n=result["m"]["id"].astype(int)).sort_values("n")
        assert frame["prediction"].tolist() == pytest.approx(expected(model))

    def test_files_are_written_by_name(self, tmp_path: Path) -> None:
        path = tmp_path / "out.csv"
        mm.run(mm.pipeline(f'df.drop("label", "user") | write("{path}")', df=FRAME))
        assert pd.read_csv(path).columns.tolist() == ["id", "a", "b"]


def onnx_model() -> Any:
    """Return a + 2 b, as a graph with two inputs."""
    inputs = [oh.make_tensor_value_info(n, TensorProto.FLOAT, ["n"]) for n in ("a", "b")]
    output = oh.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])
    nodes = [
        oh.make_node("Add", ["b", "b"], ["bb"]),
        oh.make_node("Add", ["a", "bb"], ["y"]),
    ]
    graph = oh.make_graph(nodes, "g", inputs, [output])
    opset = oh.make_opsetid("", 13)
    return oh.make_model(graph, opset_imports=[opset], ir_version=8)


def keras_model(shape: str) -> Any:
    import keras

    a, b = keras.Input((), name="a"), keras.Input((), name="b")
    made = keras.layers.Add()([a, b, b])
    return keras.Model({"a": a, "b": b} if shape == "dict" else [a, b], made)


def traced() -> Any:
    return torch.jit.trace(Two(), (torch.ones(2), torch.ones(2)))


def exported() -> Any:
    batch = {0: torch.export.Dim("batch")}
    given = (torch.ones(3), torch.ones(3))
    return torch.export.export(Two(), given, dynamic_shapes=(batch, batch))


MODELS: dict[str, Callable[[], Any]] = {
    "module": Two,
    "keywords": Keywords,
    "any": Any_,
    "labels": Supervised,
    "traced": traced,
    "exported": exported,
    "onnx": onnx_model,
    "keras_dict": lambda: keras_model("dict"),
    "keras_list": lambda: keras_model("list"),
}
SUM = (FRAME["a"] + 2 * FRAME["b"]).tolist()


class TestSeveralInputs:
    @pytest.mark.parametrize("name", own_process.cases(MODELS, "keras_dict", "keras_list"))
    def test_fields_go_to_inputs_by_name(self, name: str) -> None:
        mm.register("m", MODELS[name]())
        mm.register("fed", MODELS[name](), input=("b", "a"))
        texts = [f"{head} | m" for head in ORDERS if name != "any" or head != "df"]
        texts += ['{"b": df["b"], "a": df["a"]} | m', "df | fed"]
        texts += ['{"a": df["b"], "b": df["a"]} | m']
        for text in texts:
            turned = (FRAME["b"] + 2 * FRAME["a"]).tolist()
            wanted = turned if '"a": df["b"]' in text else SUM
            assert predictions(text) == pytest.approx(wanted), text

    def test_inference_args_need_no_field(self) -> None:
        mm.register("m", Keywords(), inference_args={"b": 0.0, "scale": 2.0})
        assert predictions("df | m") == (2 * FRAME["a"]).tolist()

    def test_records_with_other_fields_or_another_order(self) -> None:
        mm.register("m", Two())
        rows = [{"a": 1.0, "b": 2.0}, {"b": 2.0, "a": 1.0, "c": "x"}]
        assert predictions("df | m", df=rows) == [5.0, 5.0]
        assert predictions('df[["b", "a"]] | m', df=rows) == [5.0, 5.0]

    def test_an_element_without_an_input_fails_alone(self) -> None:
        mm.register("m", Two())
        rows = [{"a": 1.0, "b": 2.0}] * 9 + [{"a": 1.0, "bb": 2.0}]
        result = mm.run(mm.pipeline("df | m", df=rows), progress=False)
        assert result["m"]["prediction"].tolist() == [5.0] * 9
        assert "no field 'b'" in result.failed["message"].iloc[0]
        assert "did you mean 'bb'?" in result.failed["message"].iloc[0]

    def test_an_input_of_one_row_is_a_row(self) -> None:
        class Flagged(torch.nn.Module):
            def forward(self, x: Any, twice: bool = False) -> Any:
                return x.sum(-1)

        mm.register("m", Flagged())
        assert predictions('df[["a", "b"]] | m') == (FRAME["a"] + FRAME["b"]).tolist()

    def test_structured_arrays(self) -> None:
        array = XY.to_records(index=False).view(np.ndarray)
        mm.register("m", Two())
        for head in ('df[["b", "a"]]', "df", '{"b": df["b"], "a": df["a"]}'):
            assert predictions(f"{head} | m", df=array) == SUM, head
        assert refused('df["aa"] | m', df=array).nearest == "a"


class TestHuggingFace:
    @pytest.fixture
    def bert(self) -> Any:
        transformers = pytest.importorskip("transformers")
        torch.manual_seed(0)
        shape = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
        config = transformers.BertConfig(vocab_size=20, num_attention_heads=2, **shape)
        model = transformers.BertForSequenceClassification(config).eval()
        mm.register("bert", model)
        return model

    def test_inputs_by_name_and_the_truth_left_out(self, bert: Any) -> None:
        rows = pd.DataFrame(
            {
                "attention_mask": [[1, 1, 0], [1, 1, 1]],
                "input_ids": [[1, 2, 3], [4, 5, 6]],
                "labels": [0, 1],
                "text": ["x", "y"],
            }
        )
        ids, mask = (torch.tensor(rows[name].tolist()) for name in ("input_ids", "attention_mask"))
        truth = bert(input_ids=ids, attention_mask=mask).logits[:, 0].tolist()
        heads = ["df", 'df[["attention_mask", "input_ids"]]', 'df.drop("labels", "text")']
        heads += [
            'df.drop("text")',
            '{"attention_mask": df["attention_mask"], "input_ids": df["input_ids"]}',
        ]
        for head in heads:
            assert predictions(f"{head} | bert", df=rows) == pytest.approx(truth, abs=1e-6), head
        problem = refused('df[["input_ids", "labels"]] | bert', df=rows)
        assert "only in training" in problem.message and problem.found == "'labels'"
        assert refused('df[["input_id"]] | bert', df=rows).nearest == "input_ids"


class TestProblems:
    """Problems found when the graph is created, with the nearest name."""

    @pytest.mark.parametrize(
        ("text", "found", "close"),
        [
            ('df["aa"] | m', "'aa'", "a"),
            ('df[["a", "bb"]] | plain', "'bb'", "b"),
            ('df.drop("lable") | plain', "'lable'", "label"),
            ('df | split(m=0.5, n=0.5, by="usr")', "'usr'", "user"),
            ('df["a"] | split(m=0.5, n=0.5, by="usr")', "'usr'", "user"),
            ('df["a"] | keyed({"u": m}, by="usr")', "'usr'", "user"),
            ('df | filter(f) | split(m=0.5, n=0.5, by="usr")', "'usr'", "user"),
            ('s = df | split({"p": 0.5, "q": 0.5})\ns.p["aa"] | m', "'aa'", "a"),
            ('x = source(df, id="usr") | m', "'usr'", "user"),
            ("df | fed", "'usr'", "user"),
            ('{"l": df["aa"], "r": df["b"]} | plain', "'aa'", "a"),
        ],
    )
    def test_a_field_that_the_data_does_not_have(self, text: str, found: str, close: str) -> None:
        for name in ("m", "n"):
            mm.register(name, LinearRegression().fit([[1.0]], [1.0]))
        mm.register("fed", LinearRegression().fit([[1.0]], [1.0]), input="usr")
        mm.register("plain", LinearRegression().fit([[1.0, 2.0]], [1.0]))
        given = {"f": two} if "(f)" in text else {}
        with pytest.raises(GraphError) as error:
            mm.pipeline(text, df=FRAME, **given)
        assert [(p.found, p.nearest) for p in error.value.problems][:1] == [(found, close)]
        # The same graph, created without known names, is refused before the run.
        graph = mm.Graph.from_json(_json(text)).bind(df=FRAME, **given)
        with pytest.raises(MMError, match=found):
            mm.run(graph, progress=False)

    @pytest.mark.parametrize(
        ("text", "said", "close"),
        [
            ('df[["a"]] | m', "no field for the input 'b' of model 'm'", None),
            ('df[["a", "b", "label"]] | m', "model 'm' has no such input", None),
            ('{"a": df["a"], "bb": df["b"]} | m', "has no such input", "b"),
            ('df.drop("b") | m', "no field for the input 'b'", None),
            ('df.drop("a", "b") | m', "no fields for the inputs 'a', 'b'", None),
            ("df | one", "no field for the input 'input' of model 'one'", None),
            ('df.drop("a", "b", "label", "user") | f', "no field is left", None),
            ('df[["a"]] | columns', "no field for the input 'b' of model 'columns'", None),
            ('df[["a"]] | cascade(columns, m, below=0.5)', "input 'b' of model 'columns'", None),
            ('df[["a"]] | keyed({"u": m}, by="user")', "input 'b' of model 'm'", None),
            ("df | three", "input 'c' of model 'three'", None),
            ("df | fed", "model 'fed' has no such input", None),
        ],
    )
    def test_missing_inputs_and_unknown_fields(
        self, text: str, said: str, close: str | None
    ) -> None:
        class Three(torch.nn.Module):
            def forward(self, a: Any, b: Any, c: Any) -> Any:
                return a

        mm.register("m", Two())
        mm.register("one", torch.nn.Linear(2, 1))
        mm.register("columns", LogisticRegression().fit(XY, FRAME["label"]))
        mm.register("three", Three())
        mm.register("fed", Two(), input=("a", "b", "label"))
        given = {"f": two} if "| f" in text and "fed" not in text else {}
        with pytest.raises(GraphError) as error:
            mm.pipeline(text, df=FRAME, **given)
        messages = [str(problem) for problem in error.value.problems]
        assert any(said in message for message in messages), messages
        assert close is None or close in [problem.nearest for problem in error.value.problems]
        with pytest.raises(GraphError):
            mm.run(mm.Graph.from_json(_json(text)).bind(df=FRAME, **given), progress=False)

    @pytest.mark.parametrize(
        "text",
        [
            'df | map(f) | split(m=0.5, n=0.5, by="made")',
            'df | map(f)\nf["made"] | m',
            'nested["inner"] | split(m=0.5, n=0.5, by="deep")',
            'nested["inner"] | filter(f)\nf["deep"] | m',
            '[df["a"], nested] | split(m=0.5, n=0.5, by="nested")',
            'long["inner"] | m',
        ],
    )
    def test_unknown_fields_are_not_reported(self, text: str) -> None:
        for name in ("m", "n"):
            mm.register(name, LinearRegression().fit([[1.0]], [1.0]))
        known = {
            "f": two,
            "df": FRAME,
            "nested": [{"inner": {"deep": 1.0}}],
            "long": iter_free([{"inner": 1.0}]),
        }
        used = {name: value for name, value in known.items() if re.search(rf"\b{name}\b", text)}
        assert mm.pipeline(text, **used)

    def test_of_a_nested_record_too(self) -> None:
        mm.register("m", LinearRegression().fit([[1.0]], [1.0]))
        nested = [{"inner": {"deep": 1.0}}]
        text = 'nested["inner"] | filter(f)\nf["dep"] | m'
        with pytest.raises(GraphError, match="'dep'; allowed: 'deep'; did you mean 'deep'"):
            mm.pipeline(text, nested=nested, f=two)

    @pytest.mark.parametrize("ending", ["csv", "parquet", "npy"])
    def test_files_whose_fields_are_found_at_once(self, ending: str, tmp_path: Path) -> None:
        path = tmp_path / f"rows.{ending}"
        write = {
            "csv": lambda: FRAME.to_csv(path, index=False),
            "parquet": lambda: FRAME.to_parquet(path),
            "npy": lambda: np.save(path, XY.to_records(index=False).view(np.ndarray)),
        }
        write[ending]()
        mm.register("m", LinearRegression().fit([[1.0]], [1.0]))
        for source in (f'read("{path}")', "files"):
            given = {"files": str(path)} if source == "files" else {}
            good = mm.run(mm.pipeline(f'{source}["a"] | m', **given), progress=False)
            assert good.failed.empty
            with pytest.raises(GraphError, match="'aa'; allowed: 'a'"):
                mm.run(mm.pipeline(f'{source}["aa"] | m', **given), progress=False)
            builder = mm.Builder(mm.pipeline(f'{source}["aa"] | m', **given))
            assert [p.nearest for p in builder.problems] == ["a"]
            builder.close()


def iter_free(rows: list[Any]) -> list[Any]:
    """Return a list subclass, whose content is not inspected."""

    class Rows(list[Any]):
        pass

    return Rows(rows)


def _json(text: str) -> str:
    from mmnotebook.graph.models import registry
    from mmnotebook.graph.names import Names
    from mmnotebook.notation.text import parse

    names = Names(registry, {"df": [], "f": two}, {})  # the data is unknown
    try:
        return parse(text, names).to_json()
    except GraphError:  # the inputs of the model are known from its name
        from mmnotebook.editing import texts

        graph = texts.read(text, names).graph
        assert graph is not None
        return graph.to_json()
