"""Every form of model, from `register` to its predictions."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from apache_beam.ml.inference.base import PredictionResult
from apache_beam.ml.inference.pytorch_inference import PytorchModelHandlerTensor
from apache_beam.ml.inference.sklearn_inference import SklearnModelHandlerNumpy
from sklearn.ensemble import RandomForestClassifier

import mmnotebook as mm
from tests.runtime import toys


def to_tensor(row: np.ndarray[Any, Any]) -> torch.Tensor:
    return torch.from_numpy(row)


def best(result: PredictionResult) -> int:
    return int(result.inference.argmax())


def plus_100(output: Any) -> int:
    return int(output) + 100


@pytest.fixture(scope="module")
def result(
    digits: pd.DataFrame,
    mlp: torch.nn.Module,
    forest: RandomForestClassifier,
    tmp_path_factory: pytest.TempPathFactory,
) -> mm.Result:
    """Run twelve models on the same elements."""
    folder = tmp_path_factory.mktemp("models")
    script = torch.jit.trace(mlp, torch.zeros(1, 64))
    torch.jit.save(script, folder / "script.pt")
    torch.save(mlp.state_dict(), folder / "weights.pt")
    (folder / "forest.pkl").write_bytes(pickle.dumps(forest))
    joblib.dump(forest, folder / "forest.joblib")
    joblib.dump(forest, folder / "joblibs.pkl")

    mm.register("live", torch.nn.Sequential(*mlp), output="argmax", batch_size=50)
    mm.register("script", script, output="argmax")
    mm.register("script_file", folder / "script.pt", output="argmax")
    mm.register(
        "weights", folder / "weights.pt", model_class=make_mlp, model_params={"hidden": 32},
        output="argmax",
    )  # fmt: skip
    mm.register("forest", forest)
    mm.register("forest_pickle", folder / "forest.pkl", output=plus_100)
    mm.register("forest_joblib", folder / "forest.joblib")
    mm.register("forest_joblib_pkl", folder / "joblibs.pkl")
    mm.register("own", toys.OwnHandler())
    mm.register("own_batched", toys.OwnHandler(), batch_size=100)
    torch_handler = PytorchModelHandlerTensor(
        state_dict_path=str(folder / "weights.pt"), model_class=make_mlp,
        model_params={"hidden": 32}, max_batch_size=20, min_batch_size=20,
    )  # fmt: skip
    mm.register("beam_torch", torch_handler.with_preprocess_fn(to_tensor).with_postprocess_fn(best))
    mm.register("beam_sklearn", SklearnModelHandlerNumpy(str(folder / "forest.pkl")))
    names = list(mm.registry)
    mm.unload()
    return mm.run(mm.pipeline(f'digits["x"] | [{", ".join(names)}]', digits=digits))


def make_mlp(hidden: int) -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Linear(64, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 10)
    )


def test_nothing_fails(result: mm.Result) -> None:
    assert result.failed.empty
    assert (result.models["predictions"] == 300).all() and len(result.models) == 12
    # A model with two names is loaded once.
    loads = result.models["loads"]
    twins = [["own", "own_batched"], ["forest_joblib", "forest_joblib_pkl"]]
    assert all(loads[names].sum() == 1 for names in twins)
    assert (loads.drop([*twins[0], *twins[1]]) == 1).all()
    assert (result.models["failed"] == 0).all()


@pytest.mark.parametrize("name", ["live", "script", "script_file", "weights", "beam_torch"])
def test_torch_in_every_form(
    result: mm.Result, digits: pd.DataFrame, mlp: torch.nn.Module, name: str
) -> None:
    with torch.no_grad():
        expected = mlp(torch.from_numpy(np.stack(list(digits["x"])))).argmax(1)
    frame = result[name]
    assert frame["prediction"].tolist() == expected.tolist()
    assert frame["id"].tolist() == [str(row) for row in range(300)]
    assert (frame["model"] == name).all()


@pytest.mark.parametrize("name", ["forest", "forest_joblib", "forest_joblib_pkl", "beam_sklearn"])
def test_scikit_learn_in_every_form(
    result: mm.Result, digits: pd.DataFrame, forest: RandomForestClassifier, name: str
) -> None:
    expected = forest.predict(np.stack(list(digits["x"])))
    assert result[name]["prediction"].tolist() == expected.tolist()


def test_a_function_of_the_output(result: mm.Result) -> None:
    assert (result["forest_pickle"]["prediction"] == result["forest"]["prediction"] + 100).all()


@pytest.mark.parametrize("name", ["own", "own_batched"])
def test_a_handler_of_the_users(result: mm.Result, digits: pd.DataFrame, name: str) -> None:
    expected = [float(x.sum()) * 3 for x in digits["x"]]
    assert result[name]["prediction"].tolist() == pytest.approx(expected)


def test_batches_are_as_registered_or_the_handlers_own(result: mm.Result) -> None:
    batches = result.models["batches"]
    assert batches["live"] == 6 and batches["forest"] == 5
    assert batches["own"] == 60 and batches["own_batched"] == 3 and batches["beam_torch"] == 15


def test_parameters_weigh_the_same_in_every_form(result: mm.Result) -> None:
    weights = result.models["parameter_bytes"]
    expected = (64 * 32 + 32 + 32 * 10 + 10) * 4
    for name in ("live", "script", "script_file", "weights", "beam_torch"):
        assert weights[name] == expected
    assert weights["forest"] == weights["forest_joblib"] == weights["forest_pickle"] > 10_000
    assert weights.isna()["own"]


def test_a_model_that_beam_shares_between_processes(tmp_path: Path) -> None:
    path = tmp_path / "scale.pt"
    torch.save(toys.Scale(3.0).state_dict(), path)
    handler = PytorchModelHandlerTensor(
        state_dict_path=str(path), model_class=toys.Scale, model_params={}, large_model=True
    )
    mm.register("shared", handler.with_preprocess_fn(torch.tensor))
    run = mm.run(mm.pipeline("data | shared", data=[[1.0], [2.0]]))
    assert [float(row[0]) for row in run["shared"]["prediction"]] == [3.0, 6.0]
    assert run.models.loc["shared", "loads"] == 1
    assert run.models.loc["shared", "parameter_bytes"] == 4


SCRIPT = """
import torch
import mmnotebook as mm

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor([2.0]))

    def forward(self, x):
        return helper(x) * self.factor

def helper(x):
    return x + 1

class Twice:
    def __init__(self, value):
        self.value = value

def twice(value):
    return Twice(value * 2)

if __name__ == "__main__":
    mm.register("net", Net())
    r = mm.run(mm.pipeline("data | net\\ndoubled = data2 | twice", data=[[1.0], [2.0]],
                           data2=[1, 2], twice=twice))
    print([float(p[0]) for p in r["net"]["prediction"]], [t.value for t in r["doubled"]["value"]])
"""


def test_a_script_with_a_model_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        env={
            "PYTHONPATH": str(Path(mm.__file__).parents[1]),
            "PATH": "",
            "MMNOTEBOOK_CACHE": str(tmp_path / "cache"),
        },
        check=False,
    )
    assert done.stdout.strip() == "[4.0, 6.0] [2, 4]", done.stderr
    assert done.stderr == ""


def test_records_feed_an_estimator_by_its_columns(recwarn: pytest.WarningsRecorder) -> None:
    frame = pd.DataFrame({"a": range(20), "b": [i % 3 for i in range(20)], "y": [0, 1] * 10})
    model = RandomForestClassifier(5, random_state=0).fit(frame[["b", "a"]], frame["y"])
    mm.register("by_record", model)
    mm.register("by_fields", model, input=["b", "a"])
    mm.register("by_edge", model)
    text = 'rows | [by_record, by_fields]\nrows[["b", "a"]] | by_edge'
    run = mm.run(mm.pipeline(text, rows=frame))
    expected = model.predict(frame[["b", "a"]]).tolist()
    for name in ("by_record", "by_fields", "by_edge"):
        assert run[name]["prediction"].tolist() == expected
    assert not [w for w in recwarn if "feature names" in str(w.message)]


def test_embeddings_get_whole_numbers_and_the_rest_its_own_type() -> None:
    words = torch.nn.EmbeddingBag(10, 3)
    mm.register("words", words)
    mm.register("double", torch.nn.Linear(2, 1).double())
    mm.register("half", torch.nn.Linear(2, 1).to(torch.bfloat16))
    mm.register("top", torch.nn.Linear(2, 3).to(torch.bfloat16), output="argmax")
    tokens = [[1, 2], [3, 4]]
    run = mm.run(mm.pipeline("tokens | [words, double, half, top]", tokens=tokens))
    assert run.failed.empty
    assert run["double"]["prediction"][0].dtype == np.float64
    assert np.allclose(np.stack(run["words"]["prediction"]), words(torch.tensor(tokens)).detach())
    assert set(run["top"]["prediction"]) <= {0, 1, 2}
