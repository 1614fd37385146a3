"""The predictions of a run equal those of the model, called directly with each element.

For every framework: random data, numbers of elements, batch sizes and forms of the same numbers.
"""

from __future__ import annotations

import functools
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from apache_beam.ml.inference.base import ModelHandler, PredictionResult
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mmnotebook as mm
from mmnotebook.results.values import plain
from tests import own_process

WIDTH = 4
RNG = np.random.default_rng(0)
TRAIN = RNG.random((60, WIDTH))
LABELS = (TRAIN[:, 0] * 3).astype(int)


@dataclass
class Subject:
    """A model, its arguments for `register`, and its output for one row in a direct call."""

    target: Any
    alone: Callable[[Any], Any]
    how: dict[str, Any] = field(default_factory=dict)


def _torch(module: Any) -> Callable[[Any], Any]:
    import torch

    def alone(row: Any) -> Any:
        with torch.no_grad():
            made = module(torch.as_tensor(np.asarray(row), dtype=torch.float32)[None])
        return _first(made)

    return alone


def _first(made: Any) -> Any:
    """Return the outputs of the only element of a batch."""
    if isinstance(made, dict):
        return {name: _first(part) for name, part in made.items()}
    if isinstance(made, (tuple, list)):
        return tuple(_first(part) for part in made)
    return plain(made[0])


def net() -> Any:
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(WIDTH, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))


def torch_module() -> Subject:
    module = net().eval()
    return Subject(module, _torch(module))


def torch_heads() -> Subject:
    import torch

    class Heads(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net()

        def forward(self, x: Any) -> Any:
            return [self.net(x), x.sum(1)]

    module = Heads().eval()
    return Subject(module, _torch(module))


def torch_script() -> Subject:
    import torch

    module = net().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Subject(torch.jit.trace(module, torch.zeros(2, WIDTH)), _torch(module))


def torch_exported() -> Subject:
    import torch

    module = net().eval()
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(module, (torch.zeros(2, WIDTH),), dynamic_shapes=({0: batch},))
    return Subject(program, _torch(module))


def torch_state_dict() -> Subject:
    import torch

    module = net().eval()
    path = Path(tempfile.mkdtemp()) / "net.pt"
    torch.save(module.state_dict(), path)
    return Subject(path, _torch(module), {"model_class": net})


def torch_time_major() -> Subject:
    import torch

    torch.manual_seed(0)
    layer = torch.nn.RNN(1, 3)

    def alone(row: Any) -> Any:
        with torch.no_grad():
            out, hidden = layer(
                torch.as_tensor(np.asarray(row), dtype=torch.float32)[:, None, None]
            )
        return plain(out[:, 0]), plain(hidden[:, 0])

    def column(row: Any) -> Any:
        return np.asarray(row, "float32")[:, None]

    how = {"batch_axis": 1, "output_batch_axis": 1, "preprocess": column}
    return Subject(layer, alone, how)


def sklearn_labels() -> Subject:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(TRAIN, LABELS)
    return Subject(model, lambda row: model.predict([row])[0])


def sklearn_shares() -> Subject:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    forest = RandomForestClassifier(5, random_state=0)
    model = make_pipeline(StandardScaler(), forest).fit(TRAIN, LABELS)
    return Subject(model, lambda row: model.predict_proba([row])[0], {"method": "predict_proba"})


def sklearn_several_labels() -> Subject:
    from sklearn.ensemble import RandomForestClassifier

    both = np.c_[LABELS > 0, TRAIN[:, 1] > 0.5].astype(int)
    model = RandomForestClassifier(5, random_state=0).fit(TRAIN, both)
    alone = lambda row: tuple(p[0] for p in model.predict_proba([row]))  # noqa: E731
    return Subject(model, alone, {"method": "predict_proba"})


def python_function() -> Subject:
    def norms(batch: Any) -> Any:
        rows = np.asarray(batch, float)
        return {"norm": np.sqrt((rows**2).sum(1)), "text": [f"{row[0]:.3f}" for row in rows]}

    alone = lambda row: {  # noqa: E731
        "norm": float(np.sqrt((np.asarray(row, float) ** 2).sum())),
        "text": f"{float(np.asarray(row, float)[0]):.3f}",
    }
    return Subject(norms, alone, {"framework": "python"})


def python_unbatched() -> Subject:
    return Subject(
        lambda row: float(np.asarray(row).sum()),
        lambda row: float(np.asarray(row).sum()),
        {"framework": "python", "batched": False},
    )


class Sums(ModelHandler[Any, PredictionResult, Any]):
    """A Beam handler as users write them."""

    def load_model(self) -> Any:
        return np.sum

    def run_inference(self, batch: Any, model: Any, inference_args: Any = None) -> Any:
        return [PredictionResult(row, float(model(np.asarray(plain(row))))) for row in batch]


def beam_handler() -> Subject:
    return Subject(Sums(), lambda row: float(np.sum(np.asarray(row))))


def _onnx(shape: list[Any], out: list[Any]) -> Any:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(1).random((WIDTH, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)],
        [numpy_helper.from_array(weights, "w")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(made)
    return made, lambda row: np.asarray(row, "float32") @ weights


def onnx_graph() -> Subject:
    return Subject(*_onnx(["n", WIDTH], ["n", 3]))


def onnx_of_one() -> Subject:
    return Subject(*_onnx([1, WIDTH], [1, 3]))


def onnx_without_a_batch() -> Subject:
    return Subject(*_onnx([WIDTH], [3]))


def xgboost_classifier() -> Subject:
    import xgboost

    model = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(TRAIN, LABELS)
    alone = lambda row: model.predict_proba(np.asarray([row]))[0]  # noqa: E731
    return Subject(model, alone, {"method": "predict_proba"})


def lightgbm_classifier() -> Subject:
    import lightgbm

    model = lightgbm.LGBMClassifier(n_estimators=3, n_jobs=1, verbose=-1).fit(TRAIN, LABELS)
    alone = lambda row: model.predict_proba(np.asarray([row]))[0]  # noqa: E731
    return Subject(model, alone, {"method": "predict_proba"})


def catboost_regressor() -> Subject:
    import catboost

    model = catboost.CatBoostRegressor(
        iterations=3, verbose=0, thread_count=1, allow_writing_files=False
    )
    model.fit(TRAIN, TRAIN[:, 0] * 2)
    return Subject(model, lambda row: model.predict(np.asarray([row]))[0])


def keras_network() -> Subject:
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((WIDTH,)), keras.layers.Dense(3, activation="softmax")])
    alone = lambda row: np.asarray(model(np.asarray([row], "float32")))[0]  # noqa: E731
    return Subject(model, alone)


def huggingface_model() -> Subject:
    import torch
    import transformers

    torch.manual_seed(0)
    shape = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    config = transformers.BertConfig(vocab_size=20, num_attention_heads=2, num_labels=3, **shape)
    model = transformers.BertForSequenceClassification(config).eval()

    def tokens(row: Any) -> Any:
        return (np.asarray(row, float) * 19).astype("int64")

    def alone(row: Any) -> Any:
        with torch.no_grad():
            return plain(model(torch.from_numpy(tokens(row))[None]).logits[0])

    return Subject(model, alone, {"preprocess": tokens})


SUBJECTS = {
    made.__name__: (made, needs)
    for made, needs in [
        (torch_module, "torch"),
        (torch_heads, "torch"),
        (torch_script, "torch"),
        (torch_exported, "torch"),
        (torch_state_dict, "torch"),
        (torch_time_major, "torch"),
        (sklearn_labels, "sklearn"),
        (sklearn_shares, "sklearn"),
        (sklearn_several_labels, "sklearn"),
        (python_function, "numpy"),
        (python_unbatched, "numpy"),
        (beam_handler, "apache_beam"),
        (onnx_graph, "onnxruntime"),
        (onnx_of_one, "onnxruntime"),
        (onnx_without_a_batch, "onnxruntime"),
        (xgboost_classifier, "xgboost"),
        (lightgbm_classifier, "lightgbm"),
        (catboost_regressor, "catboost"),
        (keras_network, "keras"),
        (huggingface_model, "transformers"),
    ]
}


@functools.cache
def subject(name: str) -> Subject:
    return SUBJECTS[name][0]()


FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "array": lambda rows: rows,
    "arrays": list,
    "lists": lambda rows: rows.tolist(),
    "single precision": lambda rows: rows.astype("float32"),
}


def agrees(one: Any, other: Any) -> bool:
    """Return whether two outputs are equal up to float32's rounding."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(agrees(one[name], other[name]) for name in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(agrees, one, other))
    if isinstance(one, str):
        return bool(one == other)
    one, other = np.asarray(one), np.asarray(other)
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-4, atol=1e-5)


def check(name: str, count: int, batch: int, seed: int, form: str) -> None:
    """Check that the predictions of a run equal the model's output for each element alone."""
    pytest.importorskip(SUBJECTS[name][1])
    model = subject(name)
    rows = np.random.default_rng(seed).random((count, WIDTH)).round(3)
    how = dict(model.how)
    if how.get("batched", True):
        how["batch_size"] = batch
    mm.register("subject", model.target, **how)
    graph = mm.pipeline("data | subject", data=FORMS[form](rows))
    result = mm.run(graph, progress=False, fresh=True)
    ids = [str(place) for place in range(count)]
    assert result["subject"]["id"].tolist() == ids, result.failed.to_dict("records")
    for row, prediction in zip(rows, result["subject"]["prediction"], strict=True):
        expected = model.alone(row.astype("float32") if form == "single precision" else row)
        assert agrees(plain(prediction), expected), (row, prediction, expected)


random_runs = given(
    count=st.integers(1, 12),
    batch=st.integers(1, 6),
    seed=st.integers(0, 2**16),
    form=st.sampled_from(sorted(FORMS)),
)
ONE_FIXTURE = [HealthCheck.function_scoped_fixture]


@pytest.mark.parametrize("name", own_process.cases(SUBJECTS, "keras_network"))
@settings(max_examples=3, suppress_health_check=ONE_FIXTURE, deadline=None)
@random_runs
def test_a_run_returns_the_predictions_of_the_model(
    name: str, count: int, batch: int, seed: int, form: str
) -> None:
    check(name, count, batch, seed, form)


@pytest.mark.slow
@pytest.mark.parametrize("name", own_process.cases(SUBJECTS, "keras_network"))
@settings(max_examples=25, suppress_health_check=ONE_FIXTURE, deadline=None)
@random_runs
def test_many_runs_return_the_predictions_of_the_model(
    name: str, count: int, batch: int, seed: int, form: str
) -> None:
    check(name, count, batch, seed, form)
