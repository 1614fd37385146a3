"""Trying a model on one example works as in a run, and leaves no files behind."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import apache_beam as beam
import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression

import mmnotebook as mm
from mmnotebook import storage
from mmnotebook.errors import ModelError, RunError
from mmnotebook.graph.models import Registry
from mmnotebook.model.loaded.models import loaded_models
from mmnotebook.running.trial import Trial, first_element, short, try_model
from tests.runtime import toys


def refused(*args: Any, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        try_model(*args, **options)
    return str(caught.value)


def private_files() -> set[Path]:
    return {path for path in storage.session_folder().rglob("*") if path.is_file()}


class TestTrial:
    def test_a_module_with_one_record(self, mlp: torch.nn.Module, digits: pd.DataFrame) -> None:
        example = first_element("digits", digits)
        trial = try_model(mlp, example, input="x", output="argmax", batch_size=16)
        with torch.no_grad():
            expected = int(mlp(torch.from_numpy(digits["x"][0])[None])[0].argmax())
        assert trial.output == str(expected)
        assert trial.parameter_bytes == sum(p.nbytes for p in mlp.parameters())
        assert trial.batch == 16
        assert 0 < trial.ran_in < 60 and 0 < trial.loaded_in < 60

    def test_a_batch_of_64_by_default(self, mlp: torch.nn.Module, digits: pd.DataFrame) -> None:
        trial = try_model(mlp, digits["x"][0])
        assert trial.batch == 64
        assert trial.output.startswith("float32 (10,): [") and trial.output.endswith(", …]")

    def test_a_state_dict(self, tmp_path: Path) -> None:
        path = tmp_path / "weights.pt"
        torch.save(toys.Scale(3.0).state_dict(), path)
        trial = try_model(path, [2.0], model_class=toys.Scale, model_params={"factor": 1.0})
        assert trial.output == "float32 (1,): [6]"

    def test_a_joblib_file(
        self, tmp_path: Path, forest: RandomForestClassifier, digits: pd.DataFrame
    ) -> None:
        path = tmp_path / "forest.joblib"
        joblib.dump(forest, path)
        assert try_model(path, digits["x"][0]).output == str(forest.predict([digits["x"][0]])[0])

    def test_a_beam_handler_with_its_own_batches(self) -> None:
        assert try_model(toys.OwnHandler(), [1.0, 2.0]) == Trial(
            "9.0",
            loaded_in=pytest.approx(0, abs=60),
            ran_in=pytest.approx(0, abs=60),
            parameter_bytes=None,
            batch=5,
        )

    def test_what_goes_before_and_after_the_model(self) -> None:
        trial = try_model(
            toys.Scale(2.0), 3.0, preprocess=lambda x: [x], output=lambda y: f"{float(y[0])} kg"
        )
        assert trial.output == "'6.0 kg'"


class TestNothingStays:
    def test_of_a_trial(self, models: Registry, mlp: torch.nn.Module, cache_folder: Path) -> None:
        before, last, loaded = private_files(), mm.last, len(loaded_models.table)
        try_model(mlp, np.zeros(64, dtype=np.float32))
        assert not models
        assert (mm.last, len(loaded_models.table)) == (last, loaded)
        assert private_files() <= before  # files of other tests may be removed at any time
        assert not list(cache_folder.iterdir())

    def test_of_one_that_fails(self, models: Registry) -> None:
        folders = set(storage.session_folder().iterdir())
        module = toys.Scale()
        module.lock = threading.Lock()  # type: ignore[assignment]
        assert "cannot be pickled" in refused(module, [1.0])
        refused(toys.Scale(most=1.0), [5.0])
        assert not models
        assert set(storage.session_folder().iterdir()) == folders

    def test_a_registered_model_of_the_name_stays(self, models: Registry) -> None:
        before = mm.register("m", toys.Scale())
        try_model(toys.Scale(5.0), [1.0], name="m")
        assert models["m"] is before
        assert Path(str(before.path)).exists()


class TestRefused:
    def test_a_model_that_raises(self) -> None:
        text = refused(toys.Scale(most=1.0), [5.0], name="scale")
        assert "'scale' fails on the example: ValueError: above 1.0" in text
        assert "input= chooses the field" in text

    def test_a_wrong_field(self) -> None:
        text = refused(toys.Scale(), {"size": 1.0}, input="sise")
        assert "did you mean 'size'" in text and "→ input=" in text

    def test_a_record_for_a_module_of_arrays(self, digits: pd.DataFrame) -> None:
        text = refused(toys.Scale(), {"pixels": digits["x"][0]})
        assert 'input="x"' in text and "no field 'x'" in text and "has pixels" in text

    def test_a_wrong_class(self, tmp_path: Path) -> None:
        path = tmp_path / "weights.pt"
        torch.save(toys.Scale().state_dict(), path)
        options = {"model_params": {"in_features": 1, "out_features": 1}}
        assert "does not fit Linear" in refused(path, [1.0], model_class=torch.nn.Linear, **options)

    def test_a_missing_file_and_an_estimator_that_is_not_fitted(self) -> None:
        assert "there is no such file" in refused("no.pt", [1.0])
        assert "it is not fitted" in refused(LinearRegression(), [1.0])

    def test_a_model_that_does_not_load(self) -> None:
        class Broken(toys.OwnHandler):
            def load_model(self) -> Any:
                raise OSError("no\nroom")

        assert "'tried' cannot be loaded: OSError: no room" in refused(Broken(), [1.0])


class TestFirstElement:
    def test_of_each_kind_of_data(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
        assert first_element("frame", frame) == {"a": 1, "b": "x"}
        assert first_element("texts", ["one", "two"]) == "one"
        assert first_element("rows", np.eye(3)).tolist() == [1.0, 0.0, 0.0]
        assert first_element("tensor", torch.eye(2)).tolist() == [1.0, 0.0]
        frame.to_csv(tmp_path / "rows.csv", index=False)
        assert first_element("path", tmp_path / "*.csv") == {"a": 1, "b": "x"}

    def test_of_none(self) -> None:
        for value in ([], 3, beam.Create([1]), "no/such/*.csv"):
            with pytest.raises(RunError):
                first_element("it", value)


def test_outputs_are_shown_on_one_short_line() -> None:
    assert short(np.arange(3)) == "int64 (3,): [0, 1, 2]"
    assert short({"label": "cat\ndog", "score": 0.5}) == "label: 'cat\\ndog', score: 0.5"
    assert len(short("x" * 1000)) <= 160
    assert short(torch.zeros(0)) == "float32 (0,): []"
