"""The size of a model is the exact size of its tensors or arrays in bytes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import xgboost
from onnx import helper
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmnotebook.model.loaded.parameter_bytes import weigh


def test_parameters_and_buffers() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(10, 5), torch.nn.BatchNorm1d(5))
    # Weights and biases in float32, two running statistics of the norm, and its int64 counter.
    assert weigh(model).parameter_bytes == (50 + 5 + 5 + 5) * 4 + (5 + 5) * 4 + 8
    assert weigh(model.double()).parameter_bytes == (50 + 5 + 5 + 5 + 5 + 5) * 8 + 8
    assert weigh(torch.jit.script(model)).parameter_bytes == weigh(model).parameter_bytes


def test_shared_storage_counts_once() -> None:
    model = torch.nn.Sequential(torch.nn.Embedding(100, 8), torch.nn.Linear(8, 100, bias=False))
    model[1].weight = model[0].weight
    assert weigh(model).parameter_bytes == 100 * 8 * 4
    module = torch.nn.Module()
    whole = torch.zeros(1000)
    module.register_buffer("head", whole[:10])
    module.register_buffer("tail", whole[900:])
    assert weigh(module).parameter_bytes == 4000


def test_a_model_without_parameters_weighs_nothing() -> None:
    assert weigh(torch.nn.ReLU()).parameter_bytes == 0
    assert weigh(torch.nn.ReLU()).device_bytes is None


def test_a_quantized_model_does_not_have_size_zero() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(100, 50))
    quantized = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear})
    assert (weigh(quantized).parameter_bytes or 0) >= 100 * 50


def test_sparse_and_lazy_parameters_do_not_stop_a_run() -> None:
    sparse = torch.nn.Module()
    sparse.register_buffer("adjacency", torch.eye(100).to_sparse())
    # 100 values in float32 with two int64 indices each.
    assert weigh(sparse).parameter_bytes == 100 * 4 + 200 * 8
    assert weigh(torch.nn.LazyLinear(4)).parameter_bytes is None


def test_an_estimator_weighs_its_arrays() -> None:
    model = LinearRegression().fit(np.random.rand(50, 40), np.random.rand(50))
    size = weigh(model).parameter_bytes
    assert size is not None and 40 * 8 <= size <= 40 * 8 * 3


def test_a_forest_weighs_its_trees() -> None:
    inputs = np.random.default_rng(0).random((500, 8))
    model = RandomForestClassifier(20, random_state=0).fit(inputs, inputs[:, 0] > 0.5)
    nodes = sum(tree.tree_.node_count for tree in model.estimators_)
    per_node = model.estimators_[0].tree_.__getstate__()["nodes"].itemsize
    size = weigh(model).parameter_bytes
    assert size is not None and nodes * per_node < size < nodes * per_node * 2


def test_views_of_one_array_count_once() -> None:
    whole = np.zeros(1000)
    assert weigh([whole, whole[::2], whole[10:]]).parameter_bytes == 8000
    assert weigh({"back": whole[::-1], "rows": whole.reshape(10, 100).T}).parameter_bytes == 8000


def test_a_module_inside_of_something_else() -> None:
    class Holder:
        def __init__(self) -> None:
            self.net = torch.nn.Linear(10, 5)
            self.table = np.zeros(10)
            self.function = lambda x: x

    assert weigh(Holder()).parameter_bytes == 55 * 4 + 80


@pytest.mark.parametrize(
    "model", [object(), "text", {"a": 1}, threading.Lock()], ids=lambda model: type(model).__name__
)
def test_unknown_sizes_are_missing(model: Any) -> None:
    assert weigh(model).parameter_bytes is None


def test_frozen_torchscript_weighs_the_constants_of_its_code(tmp_path: Path) -> None:
    frozen = torch.jit.freeze(torch.jit.script(torch.nn.Linear(10, 5).eval()))
    assert list(frozen.parameters()) == []
    frozen.save(str(tmp_path / "frozen.pt"))
    for model in (frozen, torch.jit.load(str(tmp_path / "frozen.pt"))):
        assert weigh(model).parameter_bytes == 55 * 4


def test_the_plain_attributes_of_a_module_count() -> None:
    class Loose(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = torch.nn.Linear(2, 2)
            self.scale = torch.ones(1000)
            self.tables: list[Any] = [np.zeros(10), {"a": torch.ones(5)}]
            self.tables.append(self.tables)  # it contains itself
            self.again = [self.net, self.scale]

    assert weigh(Loose()).parameter_bytes == 4 * 6 + 4000 + 80 + 20


def test_the_size_of_models_inside_an_object() -> None:
    inner = torch.nn.Sequential(torch.nn.Linear(100, 50))
    quantized = torch.ao.quantization.quantize_dynamic(inner, {torch.nn.Linear})
    scripted = torch.jit.script(torch.nn.Linear(10, 5))
    table = np.random.default_rng(0).random((20, 3))
    trees = xgboost.XGBRegressor(n_estimators=2, n_jobs=1).fit(table, table[:, 0])
    parts = [quantized, scripted, trees, np.zeros(10)]
    alone = [weigh(part).parameter_bytes or 0 for part in parts]
    assert 0 not in alone
    assert weigh({"parts": parts, "again": trees}).parameter_bytes == sum(alone)
    assert weigh(make_pipeline(StandardScaler().fit(table), trees)).parameter_bytes == (
        alone[2] + (weigh(StandardScaler().fit(table)).parameter_bytes or 0)
    )


def test_partly_unknown_sizes_are_missing() -> None:
    graph = helper.make_graph([], "g", [], [])
    session = _session(graph)
    session._model_bytes = None
    assert weigh(session).parameter_bytes is None
    assert weigh([session, np.zeros(10)]).parameter_bytes is None


def test_an_onnx_graph_without_constants_weighs_nothing() -> None:
    assert weigh(_session(helper.make_graph([], "g", [], []))).parameter_bytes == 0


def _session(graph: Any) -> Any:
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n"]) for name in "xy"]
    graph.input.append(ends[0])
    graph.output.append(ends[1])
    graph.node.append(helper.make_node("Relu", ["x"], ["y"]))
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    return onnxruntime.InferenceSession(model.SerializeToString())
