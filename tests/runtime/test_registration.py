"""Models that can be registered, those that are refused, and the remedies."""

from __future__ import annotations

import gc
import io
import os
import pickle
import stat
import threading
from pathlib import Path
from typing import Any

import joblib
import pytest
import torch
from apache_beam.ml.inference.base import KeyedModelHandler, ModelHandler
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

import mmnotebook as mm
from mmnotebook.errors import ModelError
from mmnotebook.graph.models import Registry
from tests.runtime import toys


def refused(*args: Any, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        mm.register(*args, **options)
    return str(caught.value)


def saved_state(folder: Path, module: torch.nn.Module) -> Path:
    path = folder / "weights.pt"
    torch.save(module.state_dict(), path)
    return path


class TestLiveObjects:
    def test_a_module_is_stored_once_in_a_private_file(self, models: Registry) -> None:
        spec = mm.register("mlp", toys.Scale(), batch_size=16, input="x", output="argmax")
        assert spec == models["mlp"]
        assert (spec.framework, spec.form, spec.origin) == ("torch", "module", "Scale")
        assert (spec.input, spec.output, spec.batch_size, spec.device) == ("x", "argmax", 16, "CPU")
        assert spec.path is not None
        path = Path(spec.path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700

    def test_the_fingerprint_is_the_content(self) -> None:
        one = mm.register("a", toys.Scale(2.0)).fingerprint
        assert mm.register("b", toys.Scale(2.0)).fingerprint == one
        assert mm.register("b", toys.Scale(2.5)).fingerprint != one

    def test_an_estimator(self, forest: RandomForestClassifier) -> None:
        spec = mm.register("tree", forest)
        assert (spec.framework, spec.form, spec.batch_size) == ("sklearn", "pickle", 64)
        assert spec.origin == "RandomForestClassifier"

    def test_a_handler_keeps_its_own_batches(self) -> None:
        spec = mm.register("own", toys.OwnHandler())
        assert (spec.framework, spec.form, spec.path, spec.batch_size) == (
            "beam", "handler", None, None,
        )  # fmt: skip

    def test_the_same_name_again_replaces_with_a_note(self, models: Registry) -> None:
        assert mm.register("m", toys.Scale()).replaces is None
        spec = mm.register("m", LinearRegression().fit([[1.0]], [1.0]))
        assert spec.replaces == "Scale" and "replaces Scale" in repr(spec)
        assert list(models) == ["m"] and models["m"].framework == "sklearn"

    def test_the_file_of_a_replaced_model_goes_with_it(self) -> None:
        first = mm.register("m", toys.Scale())
        path = Path(str(first.path))
        mm.register("m", toys.Scale(3.0))
        assert path.exists(), "a reference to the model remains"
        del first
        gc.collect()
        assert not path.parent.exists()

    def test_a_refused_model_leaves_the_one_before(self, models: Registry) -> None:
        before = mm.register("m", toys.Scale())
        refused("m", LinearRegression())
        assert models["m"] is before

    def test_training_mode_of_the_live_module_is_left_alone(self) -> None:
        module = torch.nn.Dropout()
        mm.register("m", module)
        assert module.training


class TestRefusedObjects:
    def test_live_weights_need_their_module(self) -> None:
        assert "net.load_state_dict(weights)" in refused("m", torch.nn.Linear(1, 1).state_dict())

    def test_a_class(self) -> None:
        text = refused("m", toys.Scale)
        assert "the class Scale" in text and "create an instance: Scale(...)" in text

    def test_an_estimator_that_is_not_fitted(self) -> None:
        text = refused("m", RandomForestClassifier())
        assert "this RandomForestClassifier" in text and "fit it first" in text

    def test_a_transformer(self) -> None:
        text = refused("m", StandardScaler().fit([[1.0]]))
        assert "StandardScaler has no predict" in text and "use a function as a step" in text

    def test_what_cannot_be_pickled(self) -> None:
        module = toys.Scale()
        module.lock = threading.Lock()  # type: ignore[assignment]
        text = refused("m", module)
        assert "cannot be pickled" in text and "remove locks" in text
        handler = toys.OwnHandler()
        handler.lock = threading.Lock()  # type: ignore[attr-defined]
        assert "cannot be pickled" in refused("m", handler)
        estimator = LinearRegression().fit([[1.0]], [1.0])
        estimator.lock = threading.Lock()
        assert "cannot be pickled" in refused("m", estimator)

    def test_an_object_of_another_kind(self) -> None:
        text = refused("m", toys.Slotted(1.0))
        assert "Slotted" in text and "allowed: " in text and "a torch nn.Module" in text
        assert "wrap it in a Beam ModelHandler" in text

    def test_a_function_needs_no_registration(self) -> None:
        assert "a function needs no registration" in refused("m", len)

    def test_a_keyed_handler(self) -> None:
        text = refused("m", KeyedModelHandler(toys.OwnHandler()))
        assert "KeyedModelHandler" in text and "register the handler that it wraps" in text
        wrapped = KeyedModelHandler(toys.OwnHandler()).with_preprocess_fn(lambda x: x)
        assert "register the handler that it wraps" in refused("m", wrapped)

    def test_a_handler_of_ready_made_batches(self) -> None:
        assert "batch_size=1" in refused("m", toys.OwnHandler().with_no_batching())


class TestFiles:
    def test_torchscript(self, tmp_path: Path) -> None:
        path = tmp_path / "model.pt"
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 1), torch.zeros(1, 2)), path)
        spec = mm.register("m", path)
        assert (spec.form, spec.path, spec.origin) == ("torchscript", str(path), str(path))

    def test_a_state_dict_with_its_class(self, tmp_path: Path) -> None:
        path = saved_state(tmp_path, torch.nn.Linear(3, 2))
        spec = mm.register(
            "m", str(path), model_class=torch.nn.Linear,
            model_params={"in_features": 3, "out_features": 2},
        )  # fmt: skip
        assert (spec.form, dict(spec.params)) == (
            "state_dict",
            {"in_features": 3, "out_features": 2},
        )

    @pytest.mark.parametrize(("ending", "form"), [("pkl", "pickle"), ("joblib", "joblib")])
    def test_an_estimator_in_a_file(
        self, tmp_path: Path, forest: RandomForestClassifier, ending: str, form: str
    ) -> None:
        path = tmp_path / f"model.{ending}"
        joblib.dump(forest, path) if form == "joblib" else path.write_bytes(pickle.dumps(forest))
        assert mm.register("m", path).form == form

    def test_a_pkl_file_that_joblib_wrote(
        self, tmp_path: Path, forest: RandomForestClassifier
    ) -> None:
        path = tmp_path / "model.pkl"
        joblib.dump(forest, path, compress=3)
        assert mm.register("m", path).form == "joblib"

    def test_home_and_relative_paths(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forest: RandomForestClassifier
    ) -> None:
        (tmp_path / "m.pkl").write_bytes(pickle.dumps(forest))
        monkeypatch.setenv("HOME", str(tmp_path))
        assert mm.register("m", "~/m.pkl").path == str(tmp_path / "m.pkl")
        monkeypatch.chdir(tmp_path)
        assert mm.register("m", "m.pkl").path == str(tmp_path / "m.pkl")


class Evil:
    """A pickle that creates a file if it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


class TestRefusedFiles:
    def test_no_such_file_or_a_folder(self, tmp_path: Path) -> None:
        assert "there is no such file" in refused("m", tmp_path / "no.pt")
        assert "it is a folder" in refused("m", tmp_path)
        assert "the current folder is" in refused("m", "no.pt")

    def test_a_state_dict_without_its_class(self, tmp_path: Path) -> None:
        text = refused("m", saved_state(tmp_path, torch.nn.Linear(3, 2)))
        assert "weights without the module" in text and "model_class=" in text

    def test_a_state_dict_that_does_not_fit(self, tmp_path: Path) -> None:
        path = saved_state(tmp_path, torch.nn.Linear(3, 2))
        params = {"in_features": 4, "out_features": 2}
        text = refused("m", path, model_class=torch.nn.Linear, model_params=params)
        assert "does not fit Linear" in text and "size mismatch" in text

    def test_parameters_that_the_class_does_not_take(self, tmp_path: Path) -> None:
        path = saved_state(tmp_path, torch.nn.Linear(3, 2))
        text = refused("m", path, model_class=torch.nn.Linear, model_params={"size": 3})
        assert "Linear(size=3) raises TypeError" in text

    def test_a_class_that_makes_something_else(self, tmp_path: Path) -> None:
        path = saved_state(tmp_path, torch.nn.Linear(3, 2))
        assert "dict creates a dict" in refused("m", path, model_class=dict)

    def test_parameters_that_cannot_be_pickled(self, tmp_path: Path) -> None:
        path = saved_state(tmp_path, torch.nn.ReLU())
        lock = threading.Lock()
        text = refused(
            "m", path, model_class=lambda lock: torch.nn.ReLU(), model_params={"lock": lock}
        )
        assert "cannot be pickled" in text

    def test_a_live_module_in_place_of_its_class(self, tmp_path: Path) -> None:
        module = torch.nn.Linear(3, 2)
        text = refused("m", saved_state(tmp_path, module), model_class=module)
        assert "model_class" in text and "torch nn.Module class" in text

    def test_torchscript_needs_no_class(self, tmp_path: Path) -> None:
        path = tmp_path / "model.pt"
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 1), torch.zeros(1, 2)), path)
        text = refused("m", path, model_class=torch.nn.Linear)
        assert "TorchScript" in text and "leave model_class" in text

    @pytest.mark.parametrize("with_class", [True, False])
    def test_a_pickled_module_is_refused_unopened(self, tmp_path: Path, with_class: bool) -> None:
        path, trace = tmp_path / "model.pt", tmp_path / "trace"
        module = torch.nn.Module()
        module.evil = Evil(trace)  # type: ignore[assignment]
        torch.save(module, path)
        options = {
            "model_class": torch.nn.Linear,
            "model_params": {"in_features": 1, "out_features": 1},
        }
        text = refused("m", path, **(options if with_class else {}))
        assert "whole pickled module runs code" in text and "register the live module" in text
        assert not trace.exists()

    def test_a_pickle_of_something_else(self, tmp_path: Path) -> None:
        path = tmp_path / "model.pkl"
        path.write_bytes(pickle.dumps({"a": 1}))
        assert "contains a dict" in refused("m", path)

    def test_a_broken_pickle(self, tmp_path: Path) -> None:
        path = tmp_path / "model.pkl"
        path.write_bytes(b"not a pickle")
        text = refused("m", path)
        assert "cannot be loaded" in text and "joblib.dump" in text

    def test_an_unfitted_estimator_in_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "model.joblib"
        joblib.dump(LinearRegression(), path)
        assert "it is not fitted" in refused("m", path)

    def test_an_ending_that_is_not_known(self, tmp_path: Path) -> None:
        path = tmp_path / "model.xyz"
        path.write_bytes(b"?")
        text = refused("m", path)
        assert "'.xyz' are not known" in text and "TorchScript" in text

    def test_a_file_that_may_not_be_read(self, tmp_path: Path) -> None:
        path = tmp_path / "model.pkl"
        path.write_bytes(b"?" * 10)
        path.chmod(0)
        if os.access(path, os.R_OK):  # root can read every file
            assert "cannot be loaded" in refused("m", path)
        else:
            assert "Permission" in refused("m", path)

    def test_a_broken_torchscript(self, tmp_path: Path) -> None:
        good, path = io.BytesIO(), tmp_path / "model.pt"
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 1), torch.zeros(1, 2)), good)
        path.write_bytes(good.getvalue()[:200])
        assert "cannot register" in refused("m", path)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"batch_size": 0}, "a positive integer"),
        ({"batch_size": 2.5}, "a positive integer"),
        ({"batch_size": True}, "a positive integer"),
        ({"device": "TPU"}, "'CPU' or 'GPU'"),
        ({"device": 0}, "'CPU' or 'GPU'"),
        ({"input": ""}, "the name of a field"),
        ({"input": ["a", 1]}, "the name of a field"),
        ({"input": []}, "the name of a field"),
        ({"output": "softmax"}, "'argmax', a function, or None"),
        ({"output": (x for x in "ab").__next__}, "cannot be pickled"),
        ({"model_class": toys.Scale}, "apply to a state-dict file"),
        ({"model_params": {"factor": 1}}, "apply to a state-dict file"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_invalid_options(options: dict[str, Any], says: str) -> None:
    assert says in refused("m", toys.Scale(), **options)


@pytest.mark.parametrize("name", ["", "a b", "1a", "for", None, 3, "map", "source", "vote"])
def test_invalid_names(name: Any) -> None:
    text = refused(name, toys.Scale())
    assert "is not a valid model name" in text or "the name of a step" in text


def test_several_fields_are_kept_in_order() -> None:
    assert mm.register("m", toys.Scale(), input=["b", "a"]).input == ("b", "a")
    assert mm.register("m", toys.Scale(), input="b").input == "b"


@pytest.mark.parametrize(
    ("framework", "target"),
    [("sklearn", DummyClassifier().fit([[0.0]], [1])), ("python", lambda batch, **options: batch)],
)
def test_arguments_are_accepted_although_old_versions_of_beam_refuse_them(
    framework: str, target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handler: Any, inference_args: Any) -> None:
        raise ValueError("inference_args were provided")

    monkeypatch.setattr(ModelHandler, "validate_inference_args", refuse)  # as in Beam 2.70
    spec = mm.register("m", target, framework=framework, inference_args={"a": 1})
    assert dict(spec.inference_args) == {"a": 1}
