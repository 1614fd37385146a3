"""ONNX models: graphs with one or several inputs and outputs, live and in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import mmnotebook as mm
from mmnotebook.compat.onnxruntime import source
from mmnotebook.errors import GraphError, ModelError
from mmnotebook.model import frameworks
from mmnotebook.model.frameworks import onnx_weights

WEIGHTS = np.random.default_rng(0).normal(size=(64, 10)).astype(np.float32)


def value(name: str, kind: int, shape: list[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> onnx.ModelProto:
    weights = [numpy_helper.from_array(WEIGHTS, "w")]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def linear(batch: int | str = "n") -> onnx.ModelProto:
    """Return a graph that computes scores of ten classes."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["scores"])]
    return model(
        nodes,
        [value("x", TensorProto.FLOAT, [batch, 64])],
        [value("scores", TensorProto.FLOAT, [batch, 10])],
    )


def labelled() -> onnx.ModelProto:
    """Return a graph that adds two inputs, and returns scores and labels."""
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
    # The same graph has the same fingerprint, however often it is stored.
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
    with pytest.raises(ModelError, match="not an output of the model.*did you mean 'label'"):
        mm.register("wrong", labelled(), method="lable")
    with pytest.raises(ModelError, match="framework='onnx'; allowed: an ONNX ModelProto"):
        mm.register("wrong", torch.nn.Linear(2, 2), framework="onnx")


class TestLiveSessions:
    def test_from_a_file_and_from_content(
        self, pixels: np.ndarray[Any, Any], tmp_path: Path
    ) -> None:
        onnx.save_model(labelled(), tmp_path / "labelled.onnx")
        of_file = onnxruntime.InferenceSession(tmp_path / "labelled.onnx")
        of_bytes = onnxruntime.InferenceSession(labelled().SerializeToString())
        spec = mm.register("file", of_file, method="label")
        mm.register("content", of_bytes, method="label", batch_size=16)
        assert (spec.framework, spec.origin) == ("onnx", "InferenceSession")
        records = [{"left": row, "right": row} for row in pixels]
        r = mm.run(mm.pipeline("records | [file, content]", records=records))
        expected = (2 * pixels @ WEIGHTS).argmax(1).tolist()
        assert r["file"]["prediction"].tolist() == expected
        assert r["content"]["prediction"].tolist() == expected
        assert (r.models["parameter_bytes"] == WEIGHTS.nbytes).all()

    def test_its_options_are_kept(self) -> None:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads, options.enable_mem_pattern = 1, False
        content = linear().SerializeToString()
        spec = mm.register("live", onnxruntime.InferenceSession(content, options))
        plain = mm.register("plain", onnxruntime.InferenceSession(content))
        assert plain.params["options"] == {}
        own = frameworks.by_name("onnx").handler(spec).load_model().get_session_options()
        assert own.graph_optimization_level == options.graph_optimization_level
        assert (own.intra_op_num_threads, own.enable_mem_pattern) == (1, False)

    def test_the_file_of_a_session_is_deleted(self, tmp_path: Path) -> None:
        onnx.save_model(linear(), tmp_path / "gone.onnx")
        session = onnxruntime.InferenceSession(tmp_path / "gone.onnx")
        (tmp_path / "gone.onnx").unlink()
        text = "gone.onnx no longer exists\n.*register the .onnx file"
        with pytest.raises(ModelError, match=text):
            mm.register("gone", session)

    def test_the_private_attribute_with_the_model_of_a_session(self, tmp_path: Path) -> None:
        """Fail if a new version of ONNX Runtime stores the model in another private attribute."""
        path = tmp_path / "linear.onnx"
        onnx.save_model(linear(), path)
        assert source(onnxruntime.InferenceSession(str(path))) == path
        content = path.read_bytes()
        assert source(onnxruntime.InferenceSession(content)) == content
        assert source(object()) is None


def _tensor(name: str, kind: int, *dims: int) -> onnx.TensorProto:
    tensor = onnx.TensorProto(name=name, data_type=kind, dims=dims)
    tensor.raw_data = b""  # only its size counts, not its content
    return tensor


def _constant(**held: Any) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["c"], **held)


def _weigh(*nodes: onnx.NodeProto, **parts: Any) -> int | None:
    graph = helper.make_graph(list(nodes), "g", [], [], **parts)
    return onnx_weights.parameter_bytes(helper.make_model(graph))


class TestBytes:
    @pytest.mark.parametrize(
        ("kind", "bits"),
        [
            ("FLOAT", 32), ("DOUBLE", 64), ("FLOAT16", 16), ("BFLOAT16", 16), ("BOOL", 8),
            ("INT64", 64), ("UINT8", 8), ("COMPLEX128", 128), ("FLOAT8E4M3FN", 8), ("INT4", 4),
            ("UINT4", 4), ("FLOAT4E2M1", 4),
        ],
    )  # fmt: skip
    def test_of_every_type(self, kind: str, bits: int) -> None:
        tensor = _tensor("w", getattr(TensorProto, kind), 3, 7)
        assert _weigh(initializer=[tensor]) == (21 * bits + 7) // 8

    @pytest.mark.parametrize(
        ("held", "size"),
        [
            ({"value": numpy_helper.from_array(np.ones((3, 5), np.float32))}, 60),
            ({"value_float": 1.0}, 4),
            ({"value_floats": [1.0, 2.0]}, 8),
            ({"value_int": 1}, 8),
            ({"value_ints": [1, 2, 3]}, 24),
            ({"value_string": "four"}, 4),
            ({"value_strings": ["one", "three"]}, 8),
            ({"value": numpy_helper.from_array(np.array(["ab", "c"], object))}, 3),
        ],
    )
    def test_of_every_form_of_constant(self, held: dict[str, Any], size: int) -> None:
        assert _weigh(_constant(**held)) == size

    def test_of_sparse_tensors(self) -> None:
        values, indices = _tensor("v", TensorProto.FLOAT, 3), _tensor("i", TensorProto.INT64, 3)
        sparse = helper.make_sparse_tensor(values, indices, [100])
        graph = helper.make_graph([], "g", [], [], sparse_initializer=[sparse])
        assert onnx_weights.parameter_bytes(helper.make_model(graph)) == 3 * 4 + 3 * 8
        assert _weigh(_constant(sparse_value=sparse)) == 3 * 4 + 3 * 8

    def test_of_graphs_in_graphs_and_functions(self) -> None:
        def inner(name: str, *nodes: Any) -> onnx.GraphProto:
            tensor = _tensor(name, TensorProto.FLOAT, 10)
            return helper.make_graph(list(nodes), name, [], [], [tensor])

        deep = helper.make_node("Loop", [], ["y"], body=inner("c"))
        choice = helper.make_node(
            "If", ["yes"], ["y"], then_branch=inner("a"), else_branch=inner("b", deep)
        )
        assert _weigh(choice) == 120
        function = helper.make_function(
            "own", "F", [], ["c"], [_constant(value_floats=[1.0] * 5)], []
        )
        calls = [helper.make_node("F", [], [f"c{i}"], domain="own") for i in range(3)]
        model = helper.make_model(helper.make_graph(calls, "g", [], []), functions=[function])
        assert onnx_weights.parameter_bytes(model) == 20

    def test_of_what_other_domains_hold_in_attributes(self) -> None:
        scores = helper.make_node(
            "LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml", coefficients=[1.0] * 9
        )
        assert _weigh(scores) == 36
        assert _weigh(helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0])) == 0

    def test_unknown_is_missing(self) -> None:
        assert _weigh(initializer=[_tensor("w", TensorProto.UNDEFINED, 3)]) is None
        compiled = helper.make_node("EPContext", [], ["y"], domain="com.microsoft")
        assert _weigh(compiled) is None

    def test_of_external_data_that_tensors_share(
        self, pixels: np.ndarray[Any, Any], tmp_path: Path
    ) -> None:
        path = tmp_path / "linear.onnx"
        onnx.save_model(
            linear(), path, save_as_external_data=True, location="weights", size_threshold=0
        )
        before = mm.register("external", path)
        r = mm.run(mm.pipeline("rows | external", rows=list(pixels)))
        assert r.models.loc["external", "parameter_bytes"] == WEIGHTS.nbytes
        model = onnx.load(path, load_external_data=False)
        twin = model.graph.initializer.add()
        twin.CopyFrom(model.graph.initializer[0])
        twin.name = "twin"
        assert onnx_weights.parameter_bytes(model) == WEIGHTS.nbytes
        weights = bytearray((tmp_path / "weights").read_bytes())
        weights[-1] ^= 1
        (tmp_path / "weights").write_bytes(weights)
        assert mm.register("external", path).fingerprint != before.fingerprint


def same(kind: int) -> onnx.ModelProto:
    """Return a graph that returns its input, of a number type."""
    node = helper.make_node("Identity", ["a"], ["y"])
    return model([node], [value("a", kind, ["n"])], [value("y", kind, ["n"])])


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (TensorProto.INT8, 5, 300),
        (TensorProto.UINT8, 255, -1),
        (TensorProto.INT32, 7, 2**31 + 5),
        (TensorProto.INT64, 10.0, 10.9),
        (TensorProto.INT64, 10.0, float("nan")),
        (TensorProto.INT64, 10.0, float("inf")),
        (TensorProto.BOOL, 1.0, 0.5),
        (TensorProto.BOOL, 0, 2),
        (TensorProto.FLOAT, 5, 2**24 + 1),
        (TensorProto.FLOAT, 0.1, 1e300),
        (TensorProto.FLOAT16, 0.5, 1e6),
    ],
)
def test_a_value_that_an_input_cannot_hold_fails_alone(kind: int, good: Any, bad: Any) -> None:
    mm.register("o", same(kind))
    graph = mm.pipeline("data | o", data=[*[good] * 20, bad])
    result = mm.run(graph, progress=False)
    assert result.failed["id"].tolist() == ["20"] and len(result["o"]) == 20
    assert "'a' takes tensor(" in result.failed["message"][0]
    assert repr(bad) in result.failed["message"][0]
    assert np.allclose(result["o"]["prediction"].astype(float), float(good), rtol=1e-3)


def test_missing_values_stay_missing_in_floats() -> None:
    mm.register("o", same(TensorProto.FLOAT))
    made = mm.run(mm.pipeline("data | o", data=[1.5, float("nan")]), progress=False)
    assert made["o"]["prediction"].isna().tolist() == [False, True]
