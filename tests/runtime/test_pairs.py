"""(key, value) pairs, as in Beam's keyed data, as the input of a model per key without `by`."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import numpy as np
import pandas as pd
import pytest
import torch

import mmnotebook as mm
from mmnotebook.errors import GraphError

KEYED = 'keyed({"KEY_1": a, ("KEY_2", "KEY_3"): b}%s)'
torch.manual_seed(0)
A = torch.nn.Linear(3, 2).requires_grad_(False)
B = torch.nn.Linear(3, 2).requires_grad_(False)
PAIRS = [(f"KEY_{n % 3 + 1}", torch.tensor([1.0, 2.0, 3.0]) * n) for n in range(7)]


@pytest.fixture(autouse=True)
def registered() -> None:
    mm.register("a", A, batch_size=4)
    mm.register("b", B, batch_size=4)


def check(result: mm.Result, pairs: Any = PAIRS) -> None:
    table = result["keyed"]
    assert list(table["key"]) == [key for key, _ in pairs]
    for found, (key, value) in zip(table["prediction"], pairs, strict=True):
        given = torch.as_tensor(value, dtype=torch.float32)
        assert np.allclose(found, (A if key == "KEY_1" else B)(given).numpy(), atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        *("", ", max_models=1", ", max_models=1, group=False", ", group=True"),
        *(', lowering="beam"', ', lowering="beam", group=True, max_models=1'),
    ],
)
def test_the_key_is_that_of_the_pair_and_the_model_gets_the_value(options: str) -> None:
    graph = mm.pipeline(f"d | {KEYED % options}", d=PAIRS)
    result = mm.run(graph, progress=False, max_failed=0.0)
    check(result)
    assert result.arms["elements"].tolist() == [3, 4]
    assert mm.forecast(result).table["loads_grouped"].tolist() == [2, 2]
    assert not any(isinstance(made.example, tuple) for made in result.elements("keyed").given())


def test_elements_known_before_the_run_decide() -> None:
    said = repr(mm.explain(mm.pipeline(f"d | {KEYED % ', max_models=1'}", d=PAIRS)))
    assert "7 elements take 2 loads in arrival order, 2 if grouped" in said


def test_text_round_trip_and_words() -> None:
    text = 'd | keyed({"KEY_1": a}, default=b)'
    graph = mm.parse(text)
    assert graph.to_text() == text and mm.parse(graph.to_text()) == graph
    assert mm.Graph.from_json(graph.to_json()) == graph


def ident(value: Any) -> Any:
    return value


def test_pairs_of_values_that_differ_and_pairs_made_on_the_way() -> None:
    pairs = [("KEY_1", [1, 2, 3]), ("KEY_3", np.ones(3)), (("KEY_2"), torch.zeros(3))]
    for text in (f"d | {KEYED % ''}", f"d | filter(ident) | ident | {KEYED % ''}"):
        names = {"ident": ident} if "ident" in text else {}
        check(mm.run(mm.pipeline(text, d=pairs, **names), progress=False, max_failed=0.0), pairs)


def test_pairs_of_a_beam_transform() -> None:
    result = mm.run(mm.pipeline(f"d | {KEYED % ''}", d=beam.Create(PAIRS)), progress=False)
    assert sorted(result["keyed"]["key"]) == sorted(key for key, _ in PAIRS)
    with beam.Pipeline() as pipeline:
        graph = mm.pipeline(f"d | {KEYED % ''}", d=beam.Create(PAIRS))
        made = mm.compile_graph(graph, pipeline)["keyed"]
        keys = (
            made | beam.Map(lambda pair: (pair[0].key, pair[1].model_id)) | beam.combiners.ToList()
        )
        keys | beam.Map(lambda found: _counted(found))


def _counted(found: list[Any]) -> None:
    assert sorted(set(found)) == [("KEY_1", "a"), ("KEY_2", "b"), ("KEY_3", "b")]


def seen(batch: Any) -> list[str]:
    return [repr(value) for value in batch]


def test_with_a_function_as_by_the_model_is_given_the_whole_value() -> None:
    mm.register("a", seen, framework="python")
    text = 'd | keyed({"KEY_1": a}, by=key_of)'
    result = mm.run(mm.pipeline(text, d=[("KEY_1", "x")], key_of=key_of), progress=False)
    assert list(result["keyed"]["prediction"]) == ["('KEY_1', 'x')"]


def key_of(pair: Any) -> Any:
    return pair[0]


FRAME = pd.DataFrame({"x": [1.0], "lang": ["KEY_1"]})


@pytest.mark.parametrize(
    ("text", "data", "said"),
    [
        (
            "d | %s",
            FRAME.rename(columns={"x": "input"}),
            "found {'input': 1.0, 'lang': 'KEY_1'} (dict); allowed: by=\"field\", one of ",
        ),
        ('d["x"] | %s', FRAME, "one of 'x', 'lang', or by=function"),
        ("d | filter(bool) | %s", [1, 2], "found 1 (int)"),
        ("d | %s", [("KEY_1", 1), ["KEY_1", 2]], "found ['KEY_1', 2] (list)"),
        ("d | %s", [("KEY_1", 1, 2)], "found ('KEY_1', 1, 2) (tuple)"),
        ("d | %s", np.zeros((2, 2)), "found array([0., 0.]) (ndarray)"),
        ("d | a | %s", PAIRS, "'a' does not return pairs"),
        ("d | a | filter(bool) | %s", PAIRS, "'a' does not return pairs"),
        ("both = d | [a, b]\nboth | vote() | %s", PAIRS, "'vote' does not return pairs"),
    ],
)
def test_elements_without_a_key_are_refused_before_the_run(text: str, data: Any, said: str) -> None:
    with pytest.raises(GraphError) as error:
        mm.run(mm.pipeline(text % (KEYED % ""), d=data), progress=False)
    assert "the elements must be (key, value) pairs" in str(error.value)
    assert said in str(error.value)


def test_elements_unknown_before_the_run_fail_alone() -> None:
    pairs = [*PAIRS[:2], ("KEY_9", torch.ones(3))]
    result = mm.run(mm.pipeline(f"d | {KEYED % ''}", d=pairs), progress=False, max_failed=1.0)
    assert (
        len(result["keyed"]) == 2 and "no model for the key 'KEY_9'" in result.failed["message"][0]
    )
    text = f"d | flat_map(mixed) | {KEYED % ''}"
    result = mm.run(mm.pipeline(text, d=[1], mixed=mixed), progress=False, max_failed=1.0)
    assert list(result["keyed"]["key"]) == ["KEY_1"]
    assert "is not a (key, value) pair" in result.failed["message"][0]


def mixed(value: Any) -> list[Any]:
    return [("KEY_1", torch.ones(3)), {"KEY_1": 1}]
