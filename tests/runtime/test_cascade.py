"""Cascades: a small model, and a large model for elements with low confidence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import mmnotebook as mm
from mmnotebook.beam.lowering import confidence
from mmnotebook.elements.columns import Arrays, Tensors
from mmnotebook.elements.packing import pack
from mmnotebook.errors import RunError
from tests.runtime import toys

# Confidence


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ([0.2, 0.7, 0.1], 0.7),
        ([0.2, 0.7995], 0.7995),  # the sum is 1 within a thousandth
        ([0.5, 0.6], 1 / (1 + math.exp(-0.1))),
        ([-1.0, 2.0], 1 / (1 + math.exp(-3))),
        ([1000.0, 0.0], 1.0),
        ([-math.inf, 3.0], 1.0),
        (0.3, 0.7),
        ([0.9], 0.9),
        (np.float32(0.5), 0.5),
        (np.float64(0.25), 0.75),
    ],
)
def test_confidence(output: Any, expected: float) -> None:
    for one in (output, np.asarray(output), torch.from_numpy(np.asarray(output))):
        assert confidence.of_column(pack([one, one])) == pytest.approx([expected] * 2, abs=1e-6)


@pytest.mark.parametrize(
    "output",
    [
        *(3, "cat", True, None, {"a": 0.5}, 1.5, -0.1, 1j),
        *([1, 2], [math.nan, 0.5], [math.inf, 0.0], [], [0.5, "a"], [[0.5], [0.5, 0.5]]),
        np.zeros((2, 2)),
    ],
)
def test_an_output_without_a_confidence_is_refused(output: Any) -> None:
    assert np.isnan(confidence.of_column(pack([output]))).all()
    assert np.isnan(confidence.of_column(pack([output, 0.5]))).tolist() == [True, False]
    assert "predict_proba" in str(confidence.missing("m", output))


@given(st.lists(st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3), min_size=1))
def test_confidence_by_column_is_that_of_each(rows: list[list[float]]) -> None:
    array = np.array(rows, dtype=np.float32)
    alone = [confidence.of_column(pack([row.tolist()]))[0] for row in array]
    assert confidence.of_column(Arrays(array)).tolist() == alone
    assert confidence.of_column(Tensors(torch.from_numpy(array))).tolist() == alone
    assert all(0 <= one <= 1 for one in alone)


@pytest.mark.parametrize("found", [1.5, -1, "high", None, True, math.nan])
def test_a_score_is_a_number_from_0_to_1(found: Any) -> None:
    with pytest.raises(ValueError, match="allowed: a number from 0 to 1"):
        confidence.scored(lambda _: found, 0.5)


# Runs


class Unsure(torch.nn.Module):
    """A model whose score for class 1 is its input; it raises for negative inputs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool((x < 0).any()):
            raise ValueError("negative")
        return torch.stack([1 - x, x], dim=-1)


class Sure(torch.nn.Module):
    """A model that returns ten times its input; it raises for inputs above one half."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool((x > 0.5).any()):
            raise ValueError("above")
        return x * 10


X = [i / 100 for i in range(100)]


@pytest.fixture(scope="module")
def models() -> None:
    mm.register("small", Unsure(), batch_size=8)
    mm.register("label", Unsure(), output="argmax", input="x")
    mm.register("broken", Unsure(), output=fails)
    mm.register("big", Sure(), batch_size=4)
    mm.register("double", toys.Scale(2.0), input="y")
    mm.register("plain", toys.Scale(2.0))


def fails(output: Any) -> Any:
    if float(output[1]) > 0.95:
        raise ValueError("no output")
    return float(output[1])


def second(output: Any) -> Any:
    return output[1]


def far(output: Any) -> Any:
    if float(output[0]) == 1.0:
        raise KeyError("far")
    return 2.0


@pytest.mark.usefixtures("models")
class TestRuns:
    def test_each_element_is_answered_once(self) -> None:
        graph = mm.pipeline("data | cascade(small, big, below=0.8)", data=X)
        run = mm.run(graph, max_failed=1.0)
        frame = run["cascade"]
        sure = [max(x, 1 - x) >= np.float32(0.8) for x in X]
        failed = [x > 0.5 and not yes for x, yes in zip(X, sure, strict=True)]
        assert frame["id"].tolist() == [str(i) for i in range(100) if not failed[i]]
        kept = [yes for yes, bad in zip(sure, failed, strict=True) if not bad]
        assert frame["model"].tolist() == ["small" if yes else "big" for yes in kept]
        assert frame["key"].tolist() == frame["model"].tolist()

    def test_counts(self) -> None:
        run = mm.run(mm.pipeline("data | cascade(small, big, below=0.8)", data=X[:50]))
        assert run.nodes.loc["cascade", ["elements_in", "elements_out", "failed"]].tolist() == [
            50,
            50,
            0,
        ]
        big = int((run["cascade"]["model"] == "big").sum())
        assert run.models["predictions"].to_dict() == {"small": 50, "big": big}
        assert run.arms.loc["cascade", "elements"].to_dict() == {"small": 50 - big, "big": big}
        assert run.models.loc["big", "mean_batch"] >= 3.5

    def test_values_of_both(self) -> None:
        run = mm.run(mm.pipeline("data | cascade(small, big, below=0.8)", data=X[:50]))
        for _, row in run["cascade"].iterrows():
            x = X[int(row["id"])]
            if row["model"] == "big":
                assert row["prediction"] == pytest.approx(10 * x)
            else:
                assert row["prediction"].tolist() == pytest.approx([1 - x, x])

    def test_the_big_one_has_the_value_that_flowed(self) -> None:
        rows = pd.DataFrame({"x": [0.9, 0.5, 0.1], "y": [1.0, 2.0, 3.0]})
        run = mm.run(mm.pipeline("rows | cascade(label, double, below=0.8)", rows=rows))
        assert run["cascade"]["prediction"].tolist() == [1, 4.0, 0]
        assert run["cascade"]["model"].tolist() == ["label", "double", "label"]

    @pytest.mark.parametrize(("below", "model"), [(0.0, "small"), (1.0, "big")])
    def test_the_limits_of_below(self, below: float, model: str) -> None:
        text = f"data | cascade(small, big, below={below})"
        run = mm.run(mm.pipeline(text, data=X[1:50]))
        assert set(run["cascade"]["model"]) == {model}

    def test_a_custom_score_function(self) -> None:
        graph = mm.pipeline(
            "data | cascade(small, big, below=0.3, score=second)", data=X[:50], second=second
        )
        frame = mm.run(graph)["cascade"]
        assert frame["model"].tolist() == ["big"] * 30 + ["small"] * 20

    def test_failures_of_either_are_the_nodes(self) -> None:
        data = [-1.0, *X[60:70], 0.1, 0.2]
        graph = mm.pipeline("data | cascade(small, big, below=0.9)", data=data)
        run = mm.run(graph, max_failed=1.0)
        failed = run.failed
        assert set(failed["node"]) == {"cascade"}
        assert failed["message"].tolist() == ["negative"] + ["above"] * 10
        assert failed["id"].tolist() == [str(i) for i in range(11)]
        counts = run.nodes.loc["cascade", ["elements_in", "elements_out", "failed"]]
        assert counts.tolist() == [13, 2, 11]
        assert run.models["failed"].to_dict() == {"small": 1, "big": 10}

    def test_an_error_in_the_output_function_or_the_score_fails_only_its_element(self) -> None:
        text = "one = data | cascade(broken, big, below=0.9)\n"
        text += "two = data | cascade(small, big, below=0.9, score=far)"
        run = mm.run(mm.pipeline(text, data=[0.97, 0.92, 0.0], far=far), max_failed=1.0)
        assert run["one"]["prediction"].tolist() == pytest.approx([0.92, 0.0])
        messages = run.failed.set_index("node")["message"]
        assert messages["one"] == "no output"
        assert messages["two"].str.contains("score returned 2.0 (float)", regex=False).tolist() == [
            True,
            True,
            False,
        ]

    def test_labels_are_refused_with_a_remedy(self) -> None:
        graph = mm.pipeline("data | cascade(plain, big, below=0.9)", data=[3, 4])
        with pytest.raises(RunError, match=r"model 'plain' returned .*method=\"predict_proba\""):
            mm.run(graph)

    def test_a_cached_cascade_has_its_arms(self) -> None:
        graph = mm.pipeline("data | cascade(small, big, below=0.7)", data=X[:50])
        first, again = mm.run(graph), mm.run(graph)
        assert again.nodes.loc["cascade", "cached"]
        assert first.arms.equals(again.arms)

    def test_after_a_split(self) -> None:
        text = 'arms = data | split({"a": 0.5, "b": 0.5})\narms.a | cascade(small, big, below=0.8)'
        frame = mm.run(mm.pipeline(text, data=X[:50]))["cascade"]
        assert frame["key"].tolist() == frame["model"].tolist()


def test_a_forest_and_a_network(digits: pd.DataFrame, forest: Any, mlp: Any) -> None:
    mm.register("trees", forest, method="predict_proba", output="argmax", input="x")
    mm.register("net", mlp, output="argmax", input="x")
    run = mm.run(mm.pipeline("digits | cascade(trees, net, below=0.8)", digits=digits))
    pixels = np.stack(list(digits["x"]))
    scores = forest.predict_proba(pixels)
    with torch.no_grad():
        other = mlp(torch.from_numpy(pixels)).argmax(dim=1).numpy()
    sure = scores.max(axis=1) >= 0.8
    assert 0 < sure.sum() < len(digits)
    assert (
        run["cascade"]["prediction"].tolist()
        == np.where(sure, scores.argmax(axis=1), other).tolist()
    )
    assert run["cascade"]["model"].tolist() == np.where(sure, "trees", "net").tolist()
    share = run.arms.loc[("cascade", "trees"), "share"]
    assert share == pytest.approx(sure.mean())
