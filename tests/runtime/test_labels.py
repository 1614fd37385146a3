"""Outputs {"label", "score"}, as Hugging Face classifiers return them, in votes and cascades."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import mmnotebook as mm
from mmnotebook.beam.lowering import combine, confidence
from mmnotebook.elements.packing import pack
from mmnotebook.results.labels import labeled


def one(label: Any, score: Any) -> dict[str, Any]:
    return {"label": label, "score": score}


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (one("GOOD", 0.7), ("GOOD", 0.7)),
        (one(3, np.float32(0.5)), (3, 0.5)),
        ({"score": torch.tensor(0.25), "label": "a"}, ("a", 0.25)),
        ([one("a", 0.2), one("b", 0.5), one("c", 0.3)], ("b", 0.5)),
        ([one("a", 0.5), one("b", 0.5)], ("a", 0.5)),
        ([one("a", 0.9)], ("a", 0.9)),
    ],
)
def test_a_label_and_its_score(output: Any, expected: tuple[Any, float]) -> None:
    assert labeled(output) == expected
    assert confidence.of_column(pack([output, output])) == pytest.approx([expected[1]] * 2)
    assert combine.vote({"a": output, "b": "other", "c": expected[0]}) == expected[0]


@pytest.mark.parametrize(
    "output",
    [
        *("GOOD", [], {}, {"label": "a"}, one("a", None), one("a", "0.5"), one("a", True)),
        {"label": "a", "score": 0.5, "box": {"xmin": 0}},  # one of several detections
        [one("a", 0.5), "b"],
        [0.5, 0.5],
    ],
)
def test_outputs_without_a_label_and_score(output: Any) -> None:
    assert labeled(output) is None


@pytest.mark.parametrize("score", [1.5, -0.2, float("nan")])
def test_a_score_outside_of_0_to_1(score: float) -> None:
    assert np.isnan(confidence.of_column(pack([one("a", score)]))).all()
    assert '{"label": ..., "score": ...}' in str(confidence.missing("m", one("a", score)))


def test_several_detections_are_refused_in_a_vote() -> None:
    found = [{"label": "cat", "score": 0.9, "box": {}}]
    with pytest.raises(TypeError, match="one label per model; a returned"):
        combine.vote({"a": found, "b": "cat"})


class Classifier:
    def __init__(self, sure: float, several: bool = False) -> None:
        self.sure, self.several = sure, several

    def predict(self, batch: Any) -> list[Any]:
        return [self._of(str(text)) for text in batch]

    def _of(self, text: str) -> Any:
        best = one("LONG" if len(text) > 2 else "SHORT", self.sure if "?" not in text else 0.4)
        return [one("OTHER", 0.0), best] if self.several else best


@pytest.mark.parametrize("several", [False, True])
def test_vote_and_cascade_of_classifiers(several: bool) -> None:
    mm.register("a", Classifier(0.9, several))
    mm.register("b", Classifier(0.8))
    mm.register("c", Classifier(0.7))
    texts = ["ab", "abcd", "a?", "abc?"]
    result = mm.run(mm.pipeline("xs | [a, b, c] | vote()", xs=texts), progress=False)
    assert list(result["vote"]["value"]) == ["SHORT", "LONG", "SHORT", "LONG"]
    text = "xs | cascade(a, b, below=0.6)"
    result = mm.run(mm.pipeline(text, xs=texts), progress=False, max_failed=0.0)
    assert list(result["cascade"]["model"]) == ["a", "a", "b", "b"]
