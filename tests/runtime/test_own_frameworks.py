"""Exported programs, methods of models, and Python objects, from `register` to predictions."""

from __future__ import annotations

import pickle
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import mmnotebook as mm
from mmnotebook.errors import ModelError, RunError
from mmnotebook.model import frameworks, inputs
from tests.runtime import toys

ROWS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
BATCH = {0: torch.export.Dim("batch")}


def refused(*args: Any, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        mm.register(*args, **options)
    return str(caught.value)


def predictions(name: str, data: list[Any]) -> list[Any]:
    run = mm.run(mm.pipeline(f"data | {name}", data=data))
    assert run.failed.empty, run.failed.to_dict("records")
    return list(run[name]["prediction"])


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.top = torch.nn.Linear(2, 3)

    def forward(self, x: torch.Tensor, shift: torch.Tensor | None = None) -> torch.Tensor:
        scores: torch.Tensor = self.top(x)
        return scores if shift is None else scores + shift

    def encode(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return x * scale


class TestExportedPrograms:
    @pytest.mark.parametrize("kept", ["live", "file"])
    def test_they_predict_as_the_module(self, tmp_path: Path, kept: str) -> None:
        net = Net().eval()
        program = torch.export.export(net, (torch.ones(4, 2),), dynamic_shapes=(BATCH,))
        torch.export.save(program, tmp_path / "net.pt2")
        spec = mm.register("net", program if kept == "live" else tmp_path / "net.pt2", batch_size=2)
        assert (spec.framework, spec.form) == ("torch", "exported")
        given = predictions("net", ROWS)
        assert np.allclose(np.stack(given), net(torch.tensor(ROWS)).detach())

    def test_one_program_has_one_fingerprint(self) -> None:
        torch.manual_seed(0)
        net, other = Net().eval(), Net().eval()
        programs = [
            torch.export.export(module, (torch.ones(4, 2),), dynamic_shapes=(BATCH,))
            for module in (net, net, other)
        ]
        one, again, two = [mm.register("m", program).fingerprint for program in programs]
        assert one == again != two

    @pytest.mark.parametrize("named", [False, True])
    def test_records_come_by_name_however_it_was_exported(self, named: bool) -> None:
        net = Net().eval()
        x, shift = torch.ones(4, 2), torch.ones(4, 3)
        args, kwargs = ((), {"shift": shift, "x": x}) if named else ((x, shift), None)
        shapes = {"x": BATCH, "shift": BATCH}
        program = torch.export.export(net, args, kwargs, dynamic_shapes=shapes)
        mm.register("net", program)
        records = [{"shift": [0.5, 0.5, 0.5], "x": row} for row in ROWS]
        expected = net(torch.tensor(ROWS), torch.full((3, 3), 0.5)).detach()
        assert np.allclose(np.stack(predictions("net", records)), expected)

    def test_a_program_of_one_batch_size(self) -> None:
        net = Net().eval()
        text = refused("net", torch.export.export(net, (torch.ones(4, 2),)))
        assert "batches of 4 only" in text and "Dim(" in text
        single = torch.export.export(net, (torch.ones(1, 2),))
        assert mm.register("net", single).batch_size == 1
        assert len(predictions("net", ROWS)) == 3
        assert "it takes batches of 1" in refused("net", single, batch_size=8)

    def test_files_that_are_not_programs(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = tmp_path / "net.pt2"
        path.write_bytes(b"PK broken")
        text = refused("net", path)
        assert "cannot be loaded" in text and "torch.export.save" in text
        assert not caplog.records  # torch's own stack trace
        program = torch.export.export(Net().eval(), (torch.ones(1, 2),))
        assert "only has forward" in refused("net", program, method="encode")


class TestMethods:
    def test_of_a_module_with_arguments(self) -> None:
        mm.register("net", Net(), method="encode", inference_args={"scale": 3.0})
        assert np.allclose(np.stack(predictions("net", ROWS)), np.array(ROWS) * 3)

    def test_of_estimators(self) -> None:
        rows, labels = np.array([[0.0], [1.0], [2.0], [3.0]]), [0, 0, 1, 1]
        model = LogisticRegression().fit(rows, labels)
        mm.register("proba", model, method="predict_proba")
        mm.register("best", model, method="predict_proba", output="argmax")
        mm.register("score", model, method="decision_function")
        mm.register("scaled", StandardScaler().fit(rows), method="transform")
        run = mm.run(mm.pipeline("data | [proba, best, score, scaled]", data=list(rows)))
        assert np.allclose(np.stack(run["proba"]["prediction"]), model.predict_proba(rows))
        assert run["best"]["prediction"].tolist() == labels
        assert np.allclose(run["score"]["prediction"], model.decision_function(rows))
        assert np.allclose(np.concatenate(run["scaled"]["prediction"]).std(), 1)

    def test_records_feed_a_method_by_column(self) -> None:
        frame = pd.DataFrame({"a": [0.0, 1.0, 2.0], "b": [1.0, 0.0, 1.0]})
        model = RandomForestClassifier(3, random_state=0).fit(frame, [0, 1, 0])
        mm.register("proba", model, method="predict_proba")
        run = mm.run(mm.pipeline("rows | proba", rows=frame[["b", "a"]]))
        assert np.allclose(np.stack(run["proba"]["prediction"]), model.predict_proba(frame))

    def test_that_are_not_there(self) -> None:
        model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
        assert "did you mean 'predict_proba'" in refused("m", model, method="predict_prob")
        assert "has no method 'encod'; did you mean 'encode'" in refused("m", Net(), method="encod")
        assert "it has no such option" in refused("m", toys.OwnHandler(), method="x")


class Booster:
    """An object with a predict method, as models of many libraries."""

    def __init__(self, weights: list[float]) -> None:
        self.weights = np.array(weights)
        self.seen: list[str] = []

    def predict(self, batch: Any, scale: float = 1.0) -> Any:
        return batch @ self.weights * scale


class Caller:
    def __call__(self, batch: Any) -> list[str]:
        return [f"{type(batch).__name__}:{example}" for example in batch]


class TestPythonObjects:
    def test_one_with_a_predict(self) -> None:
        spec = mm.register("booster", Booster([1.0, 10.0]), inference_args={"scale": 2.0})
        assert (spec.framework, spec.form, spec.origin) == ("python", "pickle", "Booster")
        assert predictions("booster", ROWS) == [42.0, 86.0, 130.0]
        assert mm.register("b", Booster([1.0, 10.0])).fingerprint == spec.fingerprint
        assert mm.register("b", Booster([2.0, 10.0])).fingerprint != spec.fingerprint

    def test_one_that_can_be_called(self) -> None:
        mm.register("caller", Caller())
        assert predictions("caller", ["a", "b"]) == ["list:a", "list:b"]
        assert predictions("caller", [1, 2]) == ["ndarray:1", "ndarray:2"]

    def test_a_function_of_a_batch_when_it_is_asked_for(self) -> None:
        def total(batch: Any) -> Any:
            return batch.sum(axis=1)

        text = refused("total", total)
        assert "use its name as a step" in text and 'framework="python"' in text
        spec = mm.register("total", total, framework="python")
        assert spec.origin == "total" and predictions("total", ROWS) == [3.0, 7.0, 11.0]

    def test_one_in_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "booster.pkl"
        path.write_bytes(pickle.dumps(toys.Scale))
        assert 'framework="python"' in refused("m", path)
        path.write_bytes(pickle.dumps({"a": 1}))
        assert "has no predict method and is not callable" in refused("m", path, framework="python")
        path.write_bytes(pickle.dumps(Booster([1.0, 1.0])))
        assert mm.register("m", path, framework="python").path == str(path)
        assert predictions("m", ROWS) == [3.0, 7.0, 11.0]

    def test_what_cannot_be_stored_or_called(self) -> None:
        booster = Booster([1.0])
        booster.lock = threading.Lock()  # type: ignore[attr-defined]
        assert "cannot be pickled" in refused("m", booster)
        assert "wrap it in a Beam ModelHandler" in refused("m", toys.Slotted(1.0))
        assert "has no predict" in refused("m", toys.Slotted(1.0), framework="python")
        assert "has no method 'fit'" in refused("m", Booster([1.0]), method="fit")

    def test_the_batches_that_it_receives(self) -> None:
        array = inputs.python_batch([[1, 2], [3, 4]])
        assert isinstance(array, np.ndarray) and array.shape == (2, 2)
        assert inputs.python_batch([torch.ones(2), torch.zeros(2)]).tolist() == [[1, 1], [0, 0]]
        for examples in (["a", "b"], [{"x": 1}, {"x": 2}], [[1, "a"]], [[[1], [2, 3]]], [None]):
            assert inputs.python_batch(examples) == examples

    @pytest.mark.parametrize("sizes", [[(3, 2)], [(3, 2)] * 2, [(3, 2), (4, 2)]])
    def test_images_are_images_whatever_their_sizes(self, sizes: list[tuple[int, int]]) -> None:
        images = [Image.new("RGB", size) for size in sizes]
        batch = inputs.python_batch(images)
        assert type(batch) is list and all(isinstance(one, Image.Image) for one in batch)

    @pytest.mark.parametrize(
        "examples",
        [[[1], [2, 3]], [torch.ones(1), torch.ones(2)], [np.ones(1), np.ones(2)], [1, [2]]],
        ids=str,
    )
    def test_numbers_of_unequal_shapes_are_arrays_too(self, examples: list[Any]) -> None:
        batch = inputs.python_batch(examples)
        assert type(batch) is list and all(isinstance(one, np.ndarray) for one in batch)
        whole = [inputs.python_batch([example])[0] for example in examples]
        assert all(np.array_equal(one, other) for one, other in zip(batch, whole, strict=True))


class Drops:
    """A model that returns no output for some elements."""

    def predict(self, batch: Any) -> Any:
        return batch[batch >= 0]


def test_another_number_of_predictions_stops_the_run() -> None:
    mm.register("drops", Drops())
    graph = mm.pipeline("data | drops", data=[1, 2, -3, 4])
    wrong = r"model 'drops' returned an array of shape \(3,\)"
    with pytest.raises(RunError, match=wrong) as caught:
        mm.run(graph, max_failed=1.0)
    assert caught.value.node == "drops"
    assert "for a batch of 4" in str(caught.value) and "batched=False" in str(caught.value)


class TestFrameworkByName:
    def test_is_used_without_detection(self) -> None:
        model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
        assert mm.register("m", model).framework == "sklearn"
        assert mm.register("m", model, framework="python").framework == "python"
        assert predictions("m", [[0.0], [1.0]]) == [0, 1]

    def test_refuses_what_it_cannot_take(self) -> None:
        text = refused("m", toys.OwnHandler(), framework="torch")
        assert "framework='torch'" in text and "allowed: a torch nn.Module" in text
        assert "a Beam ModelHandler" in refused("m", Net(), framework="beam")
        assert "allowed: a fitted scikit-learn" in refused("m", Net(), framework="sklearn")

    def test_that_does_not_exist(self) -> None:
        assert "did you mean 'torch'" in refused("m", Net(), framework="troch")

    def test_that_is_not_installed(self) -> None:
        torch_like = frameworks.by_name("torch")
        missing = replace(torch_like, modules=("no_such_module",), install="pip install toy")
        with pytest.raises(ModelError) as caught:
            missing.need("m")
        assert "no_such_module cannot be imported" in str(caught.value)
        assert "pip install toy" in str(caught.value)
