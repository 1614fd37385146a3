"""Every framework uses or refuses each option of `register`; it never ignores one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import onnxruntime
import pytest
import torch
import transformers
import xgboost
from onnx import TensorProto, helper
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer
from sklearn.linear_model import LinearRegression

import mmnotebook as mm
from mmnotebook.errors import ModelError
from mmnotebook.model import frameworks
from tests import own_process
from tests.runtime import toys

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "bad", "good", "film"]
TEXTS = ["a good film", "bad", "a film", "good"]
TABLE = np.random.default_rng(0).random((40, 3)).astype(np.float32)
ROWS = list(TABLE[:4])


class Summing:
    """An object with a predict method."""

    def predict(self, batch: Any) -> Any:
        return np.asarray(batch).sum(1)


def _onnx() -> Any:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in "xy"]
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _bert(folder: Path) -> tuple[Any, Any]:
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=8, intermediate_size=8, num_attention_heads=2,
        num_hidden_layers=1,
    )  # fmt: skip
    words = {word: place for place, word in enumerate(WORDS)}
    model, tokenizer = transformers.BertModel(config), transformers.BertTokenizerFast(vocab=words)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model.eval(), tokenizer


def _made(folder: Path) -> dict[str, tuple[Any, dict[str, Any], list[Any]]]:
    """Return targets with their options and elements, by framework and form."""
    net = torch.nn.Linear(3, 2).eval()
    torch.save(net.state_dict(), folder / "net.pt")
    torch.jit.script(net).save(str(folder / "script.pt"))
    batches = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(net, (torch.ones(4, 3),), dynamic_shapes=batches)
    boosted = xgboost.XGBRegressor(n_estimators=2, n_jobs=1).fit(TABLE, TABLE[:, 0])
    boosted.save_model(folder / "trees.ubj")
    light = lightgbm.LGBMRegressor(n_estimators=2, verbose=-1).fit(TABLE, TABLE[:, 0])
    light.booster_.save_model(folder / "light.txt")
    cat = catboost.CatBoostRegressor(iterations=2, verbose=0, allow_writing_files=False)
    cat.fit(TABLE, TABLE[:, 0]).save_model(str(folder / "cat.cbm"))
    bert, tokenizer = _bert(folder / "bert")
    encoder = SentenceTransformer(
        modules=[Transformer(str(folder / "bert")), Pooling(8)], device="cpu"
    )
    encoder.save_pretrained(str(folder / "encoder"))
    pipeline = transformers.pipeline("feature-extraction", model=bert, tokenizer=tokenizer)
    weights = {
        "model_class": torch.nn.Linear,
        "model_params": {"in_features": 3, "out_features": 2},
    }
    task = {"task": "feature-extraction"}
    ids = [np.array([2, 5, 3])] * 4
    return {
        "torch": (net, {}, ROWS),
        "torch state dict": (folder / "net.pt", weights, ROWS),
        "torch script": (folder / "script.pt", {}, ROWS),
        "torch exported": (program, {}, ROWS),
        "sklearn": (LinearRegression().fit(TABLE, TABLE[:, 0]), {}, ROWS),
        "python": (Summing(), {}, ROWS),
        "xgboost": (boosted, {}, ROWS),
        "xgboost file": (folder / "trees.ubj", {}, ROWS),
        "lightgbm": (light, {}, ROWS),
        "lightgbm file": (folder / "light.txt", {}, ROWS),
        "catboost": (cat, {}, ROWS),
        "catboost file": (folder / "cat.cbm", {}, ROWS),
        "onnx": (_onnx(), {}, ROWS),
        "onnx session": (onnxruntime.InferenceSession(_onnx().SerializeToString()), {}, ROWS),
        "huggingface pipeline": (pipeline, {}, TEXTS),
        "huggingface folder": (folder / "bert", task, TEXTS),
        "huggingface model": (bert, {"output": len}, ids),
        "sentence_transformers": (encoder, {}, TEXTS),
        "sentence_transformers folder": (folder / "encoder", {}, TEXTS),
        "beam": (toys.OwnHandler(), {}, ROWS),
    }


def _made_of_tensorflow(folder: Path) -> dict[str, tuple[Any, dict[str, Any], list[Any]]]:
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.save(folder / "dense.keras")
    return {"tensorflow": (model, {}, ROWS), "tensorflow file": (folder / "dense.keras", {}, ROWS)}


FORMS = (
    "torch", "torch state dict", "torch script", "torch exported", "sklearn", "python", "xgboost",
    "xgboost file", "lightgbm", "lightgbm file", "catboost", "catboost file", "onnx",
    "onnx session", "tensorflow", "tensorflow file", "huggingface pipeline", "huggingface folder",
    "huggingface model", "sentence_transformers", "sentence_transformers folder", "beam",
)  # fmt: skip
OF_TENSORFLOW = ("tensorflow", "tensorflow file")
REMOTE = {"vllm", "vertex"}
"""Frameworks that need a service; their own tests cover these options."""

Registering = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def offline() -> Any:
    """Set offline mode, so that no test waits for the hub."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return _made(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def targets_of_tensorflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return _made_of_tensorflow(tmp_path_factory.mktemp("models"))


@pytest.fixture(params=own_process.cases(FORMS, *OF_TENSORFLOW))
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def made(request: pytest.FixtureRequest, form: str) -> tuple[Any, dict[str, Any], list[Any]]:
    """Return the target of this form, its options, and elements."""
    kind = "targets_of_tensorflow" if form in OF_TENSORFLOW else "targets"
    found: tuple[Any, dict[str, Any], list[Any]] = request.getfixturevalue(kind)[form]
    return found


@pytest.fixture
def registering(made: tuple[Any, dict[str, Any], list[Any]]) -> Registering:
    """Return a function that registers the model of this form as "m", with further options."""
    target, needed, _ = made
    return lambda **options: mm.register("m", target, **{**needed, **options})


@pytest.fixture
def elements(made: tuple[Any, dict[str, Any], list[Any]]) -> Any:
    return made[2]


def run(elements: list[Any], **options: Any) -> Any:
    return mm.run(mm.pipeline("elements | m", elements=elements), max_failed=1.0, **options)


def test_every_framework_is_here(targets: dict[str, Any]) -> None:
    assert set(FORMS) == {*targets, *OF_TENSORFLOW}
    names = {framework.name for framework in frameworks.ALL}
    assert {form.split()[0] for form in FORMS} == names - REMOTE


@pytest.mark.own_process
def test_every_form_of_tensorflow_is_here(targets_of_tensorflow: dict[str, Any]) -> None:
    assert set(OF_TENSORFLOW) == set(targets_of_tensorflow)


@pytest.mark.parametrize(
    "options",
    [
        {"no_such_option": 1},
        {"method": "no_such_method"},
        {"revision": "no_such_revision"},
        {"model_class": dict},
        {"model_class": dict, "model_params": {"no_such_argument": 1}},
        {"timeout": "soon"},
        {"device": "TPU"},
        {"inference_args": [1]},
    ],
    ids=str,
)
def test_an_invalid_option_is_refused_by_name(registering: Registering, options: Any) -> None:
    with pytest.raises(ModelError) as caught:
        registering(**options)
    assert any(word in str(caught.value) for word in [*options, *map(str, options.values())])


PASSED_ON = {"xgboost file", "huggingface folder"}
"""Forms whose model class accepts any argument."""


def test_arguments_of_a_class_are_given_to_it_or_refused(
    registering: Registering, form: str
) -> None:
    if form in PASSED_ON:
        assert "7" in str(registering(model_params={"no_such_argument": 7}).params)
        return
    with pytest.raises(ModelError, match="model_params|no_such_argument"):
        registering(model_params={"no_such_argument": 1})


def test_a_gpu_is_used_where_there_is_one_or_refused(
    registering: Registering, form: str, elements: list[Any]
) -> None:
    name = form.split()[0]
    if "GPU" not in frameworks.by_name(name).devices:
        with pytest.raises(ModelError, match="device='GPU'; allowed: 'CPU'"):
            registering(device="GPU")
        return
    assert registering(device="GPU").device == "GPU"
    assert run(elements).failed.empty


def test_options_of_every_model_are_used(
    registering: Registering, elements: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MM_TEST_OF_OPTIONS", raising=False)
    registering(
        batch_size=2,
        preprocess=lambda example: example,
        output=lambda made: ("seen", made),
        env_vars={"MM_TEST_OF_OPTIONS": "set"},
        timeout=60,
        large_model=True,
        model_copies=1,
    )
    r = run(elements)
    assert r.failed.empty, r.failed["message"].tolist()
    assert [first for first, _ in r["m"]["prediction"]] == ["seen"] * 4
    assert r.models.loc["m", "batches"] == 2
    assert os.environ["MM_TEST_OF_OPTIONS"] == "set"


def test_preprocess_is_called(registering: Registering, elements: list[Any]) -> None:
    def refuse(example: Any) -> Any:
        raise KeyError("refused before the model")

    registering(preprocess=refuse)
    assert run(elements).failed["message"].str.contains("refused before").tolist() == [True] * 4


IGNORED = {"lightgbm", "huggingface", "tensorflow", "beam"}
"""Frameworks that accept any argument of a call and pass it on to another library."""
UNNAMED = {"torch script"}
"""A form whose error has the number of arguments, but not their names."""


def test_an_argument_of_the_call_reaches_the_model(
    registering: Registering, form: str, elements: list[Any]
) -> None:
    if form.split()[0] in IGNORED:
        pytest.skip("takes any argument")
    try:
        registering(inference_args={"no_such_argument": 1})
    except ModelError as error:
        assert "no_such_argument" in str(error)
        return
    failed = run(elements).failed
    assert len(failed) == 4
    assert form in UNNAMED or failed["message"].str.contains("no_such_argument").all()
