"""A run uses the current state of live models and their files, in every framework."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from catboost import CatBoostRegressor
from lightgbm import Booster, Dataset
from lightgbm import train as train_lightgbm
from transformers import BertConfig, BertModel
from xgboost import Booster as XGBooster
from xgboost import DMatrix, XGBRegressor
from xgboost import train as train_xgboost

import mmnotebook as mm
from tests import own_process

X = np.random.default_rng(0).random((64, 2)).astype("f4")
ROWS = list(X[:3])
CACHED = "read from the cache"


def run() -> tuple[list[Any], str]:
    r = mm.run(mm.pipeline("rows | m", rows=ROWS), progress=False)
    assert r.failed.empty
    return [np.asarray(one, "f8").ravel().tolist() for one in r["m"]["prediction"]], r.why["m"]


def booster() -> XGBooster:
    return train_xgboost({"base_score": 0.5}, DMatrix(X, X[:, 0]), 2)


def boosted(model: XGBooster) -> None:
    model.update(DMatrix(X, X[:, 1]), 2)


def light() -> Booster:
    settings = {"verbose": -1, "min_data_in_leaf": 1}
    data = Dataset(X, X[:, 0], free_raw_data=False)
    return train_lightgbm(settings, data, 2, keep_training_booster=True)


def cat(column: int = 0, model: Any = None) -> CatBoostRegressor:
    model = model or CatBoostRegressor(iterations=2, verbose=False, allow_writing_files=False)
    return model.fit(X, X[:, column])


def dense() -> Any:
    from tests.runtime.frameworks import tensorflow_models

    return tensorflow_models.dense(X)


def scaled() -> Any:
    from tests.runtime.frameworks import tensorflow_models

    return tensorflow_models.Scaled()


def proto() -> Any:
    x, y = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 2]) for name in "xy"
    )
    factor = onnx.numpy_helper.from_array(np.array([2.0], "f4"), "factor")
    node = onnx.helper.make_node("Mul", ["x", "factor"], ["y"])
    graph = onnx.helper.make_graph([node], "scale", [x], [y], [factor])
    opset = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)


def other_factor(model: Any) -> None:
    changed = onnx.numpy_helper.from_array(np.array([3.0], "f4"), "factor")
    model.graph.initializer[0].CopyFrom(changed)


CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "xgboost": (booster, boosted),
    "xgboost like sklearn": (
        lambda: XGBRegressor(n_estimators=2).fit(X, X[:, 0]),
        lambda m: m.fit(X, X[:, 1]),
    ),
    "lightgbm": (light, lambda m: m.update()),
    "catboost": (cat, lambda m: cat(1, m)),
    "keras": (dense, lambda m: m.layers[0].kernel.assign([[5.0], [6.0]])),
    "tf.Module": (scaled, lambda m: m.factor.assign(3.0)),
    "onnx": (proto, other_factor),
    "torchscript": (
        lambda: torch.jit.script(torch.nn.Linear(2, 1)),
        lambda m: m.weight.data.mul_(3),
    ),
    "exported": (
        lambda: torch.export.export(torch.nn.Linear(2, 2).eval(), (torch.ones(1, 2),)),
        lambda p: p.state_dict["weight"].data.mul_(3),
    ),
}


@pytest.mark.parametrize("kind", own_process.cases(CHANGES, "keras", "tf.Module"))
def test_trained_on(kind: str) -> None:
    make, change = CHANGES[kind]
    model = make()
    mm.register("m", model)
    first, _ = run()
    assert run()[1] == CACHED
    change(model)
    second, why = run()
    assert second != first
    assert why == "its model m changed"
    assert run() == (second, CACHED)


def test_a_live_model_of_hugging_face() -> None:
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = BertModel(BertConfig(vocab_size=8, intermediate_size=8, **size)).eval()
    mm.register("m", model)

    def ran() -> tuple[Any, str]:
        rows = [{"input_ids": np.array([1, 2])}]
        r = mm.run(mm.pipeline("rows | m", rows=rows), progress=False)
        return np.asarray(r["m"]["prediction"][0]["pooler_output"]).tolist(), r.why["m"]

    first, _ = ran()
    assert ran()[1] == CACHED
    model.pooler.dense.weight.data.mul_(3)
    second, why = ran()
    assert second != first and why == "its model m changed"
    assert ran()[1] == CACHED


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_any_file_of_a_folder(name: str, tmp_path: Path) -> None:
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = BertModel(BertConfig(vocab_size=8, intermediate_size=8, **size)).eval()
    model.save_pretrained(tmp_path)
    mm.register("m", tmp_path)
    graph = mm.pipeline("rows | m", rows=[{"input_ids": np.array([1, 2])}])
    mm.run(graph, progress=False)
    assert mm.run(graph, progress=False).why["m"] == CACHED
    if name == "config.json":
        config = (tmp_path / name).read_text("utf-8")
        (tmp_path / name).write_text(config.replace('"gelu"', '"relu"'), "utf-8")
    else:
        model.pooler.dense.weight.data.mul_(3)
        model.save_pretrained(tmp_path)
    assert mm.run(graph, progress=False).why["m"] == "its model m changed"


def test_external_data_beside_an_onnx_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save_model(proto(), path, save_as_external_data=True, location="w", size_threshold=0)
    mm.register("m", path)
    first, _ = run()
    assert run()[1] == CACHED
    (tmp_path / "w").write_bytes(np.array([5.0], "f4").tobytes())
    second, why = run()
    assert second != first and why == "its model m changed"
