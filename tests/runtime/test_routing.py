"""Who goes where: the same element always the same way, whatever the process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from apache_beam.ml.inference.base import PredictionResult
from hypothesis import given
from hypothesis import strategies as st

from mmnotebook.runtime import routing

SCRIPT = """
from mmnotebook.runtime.routing import arm, fraction
arms = (("a", 0.9), ("b", 0.1))
print("".join(arm(fraction(str(i), "mmnotebook"), arms) for i in range(20_000)))
"""


def ways() -> str:
    arms = (("a", 0.9), ("b", 0.1))
    parts = (routing.fraction(str(i), "mmnotebook") for i in range(20_000))
    return "".join(routing.arm(part, arms) for part in parts)


def test_a_split_gives_each_arm_its_share() -> None:
    assert Counter(ways())["a"] / 20_000 == pytest.approx(0.9, abs=0.01)


def test_other_processes_send_the_same_ids_the_same_way() -> None:
    for seed in ("1", "77"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == ways()


def test_another_salt_shuffles_anew() -> None:
    ids = [str(i) for i in range(4000)]
    one = [routing.fraction(i, "one") < 0.5 for i in ids]
    two = [routing.fraction(i, "two") < 0.5 for i in ids]
    same = sum(a == b for a, b in zip(one, two, strict=True)) / len(ids)
    assert same == pytest.approx(0.5, abs=0.05)


@given(st.text(), st.text())
def test_a_fraction_is_from_0_to_below_1_and_lasts(token: str, salt: str) -> None:
    part = routing.fraction(token, salt)
    assert 0 <= part < 1
    assert part == routing.fraction(token, salt)


@given(
    st.lists(st.integers(1, 1000), min_size=2, max_size=6),
    st.floats(0, 1, exclude_max=True),
)
def test_every_fraction_has_an_arm(weights: list[int], part: float) -> None:
    total = sum(weights)
    arms = [(f"arm{i}", weight / total) for i, weight in enumerate(weights)]
    ends = np.cumsum([share for _, share in arms])
    chosen = int(routing.arm(part, arms).removeprefix("arm"))
    assert part < ends[chosen] or chosen == len(arms) - 1
    assert chosen == 0 or part >= ends[chosen - 1]


@given(st.integers(-(2**53), 2**53))
def test_equal_numbers_go_the_same_way(number: int) -> None:
    kinds: list[Any] = [number, float(number), np.float64(number), np.int64(number)]
    kinds += [np.asarray(number), torch.tensor(number), torch.tensor(number, dtype=torch.float64)]
    assert len({routing.token(kind) for kind in kinds}) == 1


@pytest.mark.parametrize("value", [True, np.True_, np.asarray(True), torch.tensor(True)])
def test_truth_has_one_token(value: Any) -> None:
    assert routing.token(value) == routing.token(True)


@pytest.mark.parametrize(
    "value", [float("inf"), float("nan"), None, (1, 2), np.str_("a"), "a", b"a"]
)
def test_any_value_has_a_token(value: Any) -> None:
    assert isinstance(routing.token(value), str)


def prediction(value: Any) -> PredictionResult:
    return PredictionResult(None, value, model_id="m")


def test_vote_counts_labels_of_every_kind() -> None:
    outputs = {"a": prediction(np.int64(3)), "b": prediction(torch.tensor(3)), "c": prediction(4)}
    assert routing.vote(outputs) == 3


def test_a_tied_vote_goes_to_the_first() -> None:
    assert routing.vote({"a": "cat", "b": "dog"}) == "cat"
    assert routing.vote({"a": "dog", "b": "cat"}) == "dog"


def test_vote_refuses_scores() -> None:
    with pytest.raises(TypeError, match=r"b gave 10 numbers.*argmax"):
        routing.vote({"a": 1, "b": prediction(torch.zeros(10))})


def test_mean_and_stack_take_arrays_tensors_and_numbers() -> None:
    outputs = {"a": prediction(torch.tensor([1.0, 3.0])), "b": prediction(np.array([3.0, 5.0]))}
    assert routing.mean(outputs).tolist() == [2.0, 4.0]
    assert routing.stack(outputs, ["b", "a"]).tolist() == [[3.0, 5.0], [1.0, 3.0]]
    assert routing.mean({"a": 1, "b": prediction(np.float32(2))}) == 1.5


def test_mean_of_a_network_that_needs_more_than_floats() -> None:
    outputs = {"a": torch.tensor([1.0], dtype=torch.bfloat16), "b": torch.tensor([2.0])}
    assert routing.mean(outputs).tolist() == [1.5]


def test_stack_says_who_is_missing() -> None:
    with pytest.raises(ValueError, match="no output of b"):
        routing.stack({"a": 1}, ["a", "b"])
