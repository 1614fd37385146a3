"""Further methods of a torch module: texts and objects unchanged, numbers as tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import mmnotebook as mm

TEXTS = ["a", "banana", "of them", "bad"]


class Encoder(torch.nn.Sequential):
    """A module that encodes texts, with other methods that a module may have."""

    def encode(self, texts: list[str], scale: float = 1.0) -> Any:
        assert isinstance(texts, list)
        numbers = [[len(text), text.count("a"), scale] for text in texts]
        return self(torch.tensor(numbers)).detach().numpy()

    def kinds(self, given: Any) -> list[str]:
        return [type(given).__name__] * len(given)

    def fields(self, text: Any, weight: Any) -> list[str]:
        return [f"{type(text).__name__} {type(weight).__name__}"] * len(text)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder(torch.nn.Linear(3, 4)).eval()


def run(elements: list[Any], **options: Any) -> Any:
    return mm.run(mm.pipeline("elements | m", elements=elements), **options)


def test_a_method_is_given_texts_as_they_are(encoder: Encoder, tmp_path: Path) -> None:
    torch.save(encoder.state_dict(), tmp_path / "encoder.pt")
    made = {"model_class": lambda: Encoder(torch.nn.Linear(3, 4))}
    arguments = {"method": "encode", "inference_args": {"scale": 2.0}, "batch_size": 3}
    mm.register("live", encoder, **arguments)
    mm.register("file", tmp_path / "encoder.pt", **made, **arguments)
    r = mm.run(mm.pipeline("texts | [live, file]", texts=TEXTS))
    for name in ("live", "file"):
        vectors = np.stack(list(r[name]["prediction"]))
        np.testing.assert_allclose(vectors, encoder.encode(TEXTS, 2.0), rtol=1e-5)


@pytest.mark.parametrize(
    ("elements", "kind"),
    [
        (["a", "b"], "list"),
        ([["a", "b"], ["c", "d"]], "list"),
        ([["a"], ["b", "c"]], "list"),
        ([b"a", b"b"], "list"),
        ([None, None], "list"),
        ([object, dict], "list"),
        ([1, 2], "Tensor"),
        ([[1.0, 2.0], [3.0, 4.0]], "Tensor"),
        ([np.ones(2), np.ones(2)], "Tensor"),
        ([torch.ones(2), torch.ones(2)], "Tensor"),
    ],
)
def test_what_a_method_is_given(encoder: Encoder, elements: list[Any], kind: str) -> None:
    mm.register("m", encoder, method="kinds")
    assert run(elements)["m"]["prediction"].tolist() == [kind] * 2


def test_each_field_of_a_record_is_converted_separately(encoder: Encoder) -> None:
    mm.register("m", encoder, method="fields")
    records = [{"text": text, "weight": 1.5} for text in TEXTS]
    assert set(run(records)["m"]["prediction"]) == {"list Tensor"}


def test_without_method_the_error_names_the_methods(encoder: Encoder) -> None:
    mm.register("m", encoder)
    expected = 'takes numbers.*method="encode" or method="kinds" or method="fields" calls'
    with pytest.raises(mm.RunError, match=expected):
        run(TEXTS)
    mm.register("m", torch.nn.Linear(3, 4))
    with pytest.raises(mm.RunError, match="preprocess= can convert it to numbers, or set method="):
        run(TEXTS)


def test_a_hugging_face_model_with_a_method_for_texts() -> None:
    class Encoding(transformers.BertModel):
        def encode(self, texts: list[str]) -> Any:
            return [len(text) for text in texts]

    config = transformers.BertConfig(
        vocab_size=9, hidden_size=8, intermediate_size=8, num_attention_heads=2, num_hidden_layers=1
    )
    mm.register("m", Encoding(config), method="encode")
    assert run(TEXTS)["m"]["prediction"].tolist() == [len(text) for text in TEXTS]
    mm.register("m", Encoding(config))
    with pytest.raises(mm.RunError, match="takes tensors.*set method= to a method"):
        run(TEXTS)
