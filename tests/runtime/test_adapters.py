"""Conversion of users' data into a framework's inputs, and of its outputs into one per element."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmnotebook.graph.inputs import InputNames
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import input_names, inputs
from mmnotebook.model import outputs as results
from mmnotebook.model.frameworks.sklearn_handler import sklearn_inference
from mmnotebook.model.frameworks.torch_handler import TorchCall
from mmnotebook.model.frameworks.torch_types import Casts

CPU = torch.device("cpu")
SPEC = ModelSpec("model", "any", "module", "Model", None, "")


def torch_rows(batch: Any, model: Any, names: InputNames | None = None) -> Any:
    spec = replace(SPEC, input_names=names)
    return results.rows(TorchCall(spec, Casts(), model, CPU)(batch), len(batch))


def sklearn_rows(model: Any, batch: Any) -> Any:
    return results.rows(sklearn_inference(model, batch, None, SPEC), len(batch))


ROWS = [[1, 2, 3], [4, 5, 6]]
FORMS: dict[str, list[Any]] = {
    "lists": ROWS,
    "tuples": [tuple(row) for row in ROWS],
    "arrays": [np.array(row) for row in ROWS],
    "floats": [np.array(row, dtype=np.float64) for row in ROWS],
    "bytes": [np.array(row, dtype=np.uint8) for row in ROWS],
    "big-endian": [np.array(row, dtype=">f8") for row in ROWS],
    "tensors": [torch.tensor(row) for row in ROWS],
    "halves": [torch.tensor(row, dtype=torch.bfloat16) for row in ROWS],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_all_forms_feed_a_network_in_its_own_type(form: str, dtype: torch.dtype) -> None:
    model = torch.nn.Linear(3, 2).to(dtype)
    outputs = torch_rows(FORMS[form], model)
    expected = model(torch.tensor(ROWS).to(dtype)).detach()
    assert torch.equal(torch.stack(list(outputs)), expected)
    assert not any(output.requires_grad for output in outputs)


def test_whole_numbers_stay_whole_for_an_embedding() -> None:
    model = torch.nn.Sequential(
        torch.nn.Embedding(10, 4), torch.nn.Flatten(), torch.nn.Linear(12, 1)
    )
    assert torch.stack(list(torch_rows(ROWS, model))).shape == (2, 1)
    scripted = torch.jit.script(model)
    assert torch.stack(list(torch_rows(ROWS, scripted))).shape == (2, 1)


def test_complex_numbers_stay_complex() -> None:
    batch = [torch.tensor([1 + 2j, 3 - 1j, 0j])]
    assert inputs.torch_batch(batch, torch.nn.Linear(3, 1), CPU).is_complex()


class TwoInputs(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.size = torch.nn.Embedding(10, 1), torch.nn.Linear(2, 1)

    def forward(self, words: torch.Tensor, sizes: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"score": self.words(words)[:, 0] + self.size(sizes), "words": words}


def test_records_become_named_arguments_and_dicts_one_per_example() -> None:
    batch = [{"words": i, "sizes": [i, 2.0 * i]} for i in range(3)]
    outputs = torch_rows(batch, TwoInputs())
    assert [set(output) for output in outputs] == [{"score", "words"}] * 3
    assert [int(output["words"]) for output in outputs] == [0, 1, 2]


def test_text_is_refused_for_a_network() -> None:
    with pytest.raises(TypeError, match=r"takes numbers; the example is 'a text' \(str\)"):
        inputs.torch_batch(["a text"], torch.nn.Linear(1, 1), CPU)


@pytest.mark.parametrize("factor", [0, 2, 3])
def test_a_network_that_gives_another_number_of_outputs(factor: int) -> None:
    class Repeats(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.repeat(factor, 1)

    shape = rf"returned an array of shape \({2 * factor}, 3\) for a batch of 2"
    with pytest.raises(ValueError, match=shape):
        torch_rows(FORMS["tensors"], Repeats())


def test_an_estimator_that_gives_another_number_of_outputs() -> None:
    class Odd:
        def predict(self, rows: Any) -> list[int]:
            return [0] * (len(rows) + 1)

    with pytest.raises(ValueError, match="returned a list of 3 .* for a batch of 2"):
        sklearn_rows(Odd(), ROWS)


def test_one_number_for_a_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="a single number"):
        results.rows(torch.tensor(1.0), 2)


def test_tuples_dicts_and_lists_of_outputs() -> None:
    pairs = results.rows((torch.arange(2), torch.ones(2, 3)), 2)
    assert [int(pair[0]) for pair in pairs] == [0, 1] and pairs[1][1].shape == (3,)
    assert results.rows(["a", "b"], 2).rows() == ["a", "b"]
    heads = results.rows([torch.ones(3, 1), torch.zeros(3)], 3)
    assert [len(head) for head in heads] == [2, 2, 2]
    boxes = [{"boxes": torch.ones(3, 4)}, {"boxes": torch.ones(0, 4)}]
    assert [len(one["boxes"]) for one in results.rows(boxes, 2)] == [3, 0]


def test_an_estimator_takes_arrays_lists_tensors_and_single_numbers() -> None:
    model = LinearRegression().fit(np.eye(3), [1.0, 2.0, 3.0])
    expected = model.predict(np.array(ROWS, dtype=float))
    for form in ("lists", "tuples", "arrays", "floats", "tensors", "big-endian"):
        assert np.allclose(sklearn_rows(model, FORMS[form]), expected)
    line = LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
    assert np.allclose(sklearn_rows(line, [2.0, 3]), [4, 6])


def test_an_estimator_with_columns_is_given_its_columns_without_a_warning() -> None:
    frame = pd.DataFrame({"size": [1.0, 2.0, 3.0], "kind": [0.0, 1.0, 0.0]})
    columns = make_column_transformer((StandardScaler(), ["size"]), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(frame, [0, 1, 0])
    plain = LinearRegression().fit(frame, [0, 1, 0])
    records = [{"other": "?", "kind": 1.0, "size": 2.0}]
    expected = model.predict(frame[1:2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sklearn_rows(model, records) == expected
        assert sklearn_rows(model, [np.array([2.0, 1.0])]) == expected
        assert len(sklearn_rows(plain, [np.array([2.0, 1.0])])) == 1


def test_an_estimator_of_texts() -> None:
    texts = ["good good", "bad bad", "good", "bad"]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, ["+", "-", "+", "-"])
    assert list(sklearn_rows(model, ["good", "bad bad"])) == ["+", "-"]


def test_argmax_takes_one_row_of_scores() -> None:
    assert results.argmax(torch.tensor([0.1, 0.7, 0.2])) == 1
    assert results.argmax(torch.tensor([0.1, 0.7], dtype=torch.bfloat16)) == 1
    assert results.argmax([3, 2]) == 0
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        results.argmax(np.eye(2))


def test_a_module_is_given_the_fields_that_are_its_arguments() -> None:
    module, names = torch.nn.Linear(2, 1), input_names.of_call(torch.nn.Linear(2, 1))
    batch = [{"input": np.ones(2), "label": 1.0}]
    alone = torch_rows([np.ones(2)], module)
    assert torch_rows(batch, module, names)[0] == alone[0]
    with pytest.raises(ValueError, match="no field 'input'.*has inputs.*'inputs'.*a single field"):
        torch_rows([{"inputs": np.ones(2)}], module, names)


def test_a_field_that_an_estimator_was_fitted_on_is_named() -> None:
    model = LinearRegression().fit(pd.DataFrame({"a": [0.0, 1.0], "b": [0.0, 2.0]}), [0.0, 1.0])
    with pytest.raises(ValueError, match="no field 'b' for the model's input; the record has a"):
        sklearn_rows(model, [{"a": 1.0}])
