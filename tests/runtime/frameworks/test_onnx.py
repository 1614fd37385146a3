"""ONNX models: graphs with one and several inputs and outputs, live and in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import mmnotebook as mm
from mmnotebook.errors import GraphError, ModelError

WEIGHTS = np.random.default_rng(0).normal(size=(64, 10)).astype(np.float32)


def value(name: str, kind: int, shape: list[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> onnx.ModelProto:
    weights = [numpy_helper.from_array(WEIGHTS, "w")]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def linear(batch: int | str = "n") -> onnx.ModelProto:
    """Scores of ten classes."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["scores"])]
    return model(
        nodes,
        [value("x", TensorProto.FLOAT, [batch, 64])],
        [value("scores", TensorProto.FLOAT, [batch, 10])],
    )


def labelled() -> onnx.ModelProto:
    """Two inputs that are added up, and two outputs: scores and labels."""
    nodes = [
        helper.make_node("Add", ["left", "right"], ["x"]),
        helper.make_node("MatMul", ["x", "w"], ["scores"]),
        helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
    ]
    return model(
        nodes,
        [value(name, TensorProto.FLOAT, ["n", 64]) for name in ("left", "right")],
        [
            value("scores", TensorProto.FLOAT, ["n", 10]),
            value("label", TensorProto.INT64, ["n"]),
        ],
    )


def test_a_live_model_and_its_file_predict_as_numpy_does(
    rows: list[Any], pixels: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    onnx.save_model(linear(), tmp_path / "linear.onnx")
    live = mm.register("live", linear(), batch_size=16)
    file = mm.register("file", tmp_path / "linear.onnx", output="argmax")
    assert (live.framework, live.origin, file.framework) == ("onnx", "ModelProto", "onnx")
    # The same graph has the same fingerprint however often it is stored.
    assert live.fingerprint == mm.register("again", linear()).fingerprint
    r = mm.run(mm.pipeline("rows | [live, file]", rows=rows))
    scores = np.stack(list(r["live"]["prediction"]))
    np.testing.assert_allclose(scores, pixels @ WEIGHTS, rtol=1e-4, atol=1e-3)
    assert r["file"]["prediction"].tolist() == (pixels @ WEIGHTS).argmax(1).tolist()
    assert r.failed["id"].tolist() == ["7", "7"]
    assert r.models.loc["live", "parameter_bytes"] == WEIGHTS.nbytes
    assert r.models.loc["live", "predictions"] == 60


def test_a_graph_made_for_one_example_is_called_for_each(pixels: np.ndarray[Any, Any]) -> None:
    mm.register("single", linear(batch=1))
    tensors = [torch.from_numpy(row).double() for row in pixels[:20]]
    r = mm.run(mm.pipeline("tensors | single", tensors=tensors))
    scores = np.stack(list(r["single"]["prediction"]))
    np.testing.assert_allclose(scores, pixels[:20] @ WEIGHTS, rtol=1e-4, atol=1e-3)


def test_inputs_and_outputs_by_name(pixels: np.ndarray[Any, Any]) -> None:
    records = [{"left": row, "right": row.tolist(), "user": "u"} for row in pixels]
    mm.register("both", labelled())
    mm.register("label", labelled(), method="label")
    r = mm.run(mm.pipeline("records | [both, label]", records=records))
    expected = (2 * pixels @ WEIGHTS).argmax(1).tolist()
    assert [row["label"] for row in r["both"]["prediction"]] == expected
    assert r["label"]["prediction"].tolist() == expected


def test_an_input_without_a_field_names_the_nearest(pixels: np.ndarray[Any, Any]) -> None:
    mm.register("both", labelled())
    records = [{"left": row, "rihgt": row} for row in pixels[:5]]
    with pytest.raises(GraphError, match="no field for the input 'right'.*did you mean 'rihgt'"):
        mm.run(mm.pipeline("records | both", records=records))


def test_what_cannot_be_registered(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    with pytest.raises(ModelError, match="cannot be loaded.*\n.*export the model again"):
        mm.register("broken", broken)
    with pytest.raises(ModelError, match="no output of the model.*did you mean 'label'"):
        mm.register("wrong", labelled(), method="lable")
    with pytest.raises(ModelError, match="framework='onnx'; allowed: an ONNX ModelProto"):
        mm.register("wrong", torch.nn.Linear(2, 2), framework="onnx")
