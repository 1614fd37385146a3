"""Routing: the same element always goes to the same branch, in every process."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmnotebook.elements import routing

SCRIPT = """
from mmnotebook.elements.routing import branch, fraction
branches = (("a", 0.9), ("b", 0.1))
print("".join(branch(fraction(str(i), "mmnotebook"), branches) for i in range(20_000)))
"""


def ways() -> str:
    arms = (("a", 0.9), ("b", 0.1))
    parts = (routing.fraction(str(i), "mmnotebook") for i in range(20_000))
    return "".join(routing.branch(part, arms) for part in parts)


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


def test_another_salt_changes_the_assignment() -> None:
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
    chosen = int(routing.branch(part, arms).removeprefix("arm"))
    assert part < ends[chosen] or chosen == len(arms) - 1
    assert chosen == 0 or part >= ends[chosen - 1]


def test_equal_times_go_the_same_way() -> None:
    time = datetime.datetime(2020, 1, 2, 3, 4, 5)
    kinds = [time, pd.Timestamp(time), np.datetime64(time), np.datetime64(time, "ns")]
    assert {routing.token(kind) for kind in kinds} == {"2020-01-02 03:04:05"}
    assert routing.token(time.date()) == "2020-01-02"
    assert routing.token(np.datetime64("NaT")) == "None"


@given(st.integers(-(2**53), 2**53))
def test_equal_numbers_go_the_same_way(number: int) -> None:
    kinds: list[Any] = [number, float(number), np.float64(number), np.int64(number)]
    kinds += [np.asarray(number), torch.tensor(number), torch.tensor(number, dtype=torch.float64)]
    assert len({routing.token(kind) for kind in kinds}) == 1


@pytest.mark.parametrize("value", [True, np.True_, np.asarray(True), torch.tensor(True)])
def test_equal_booleans_have_one_token(value: Any) -> None:
    assert routing.token(value) == routing.token(True)


@pytest.mark.parametrize(
    "value", [float("inf"), float("nan"), None, (1, 2), np.str_("a"), "a", b"a"]
)
def test_any_value_has_a_token(value: Any) -> None:
    assert isinstance(routing.token(value), str)


def test_a_switch_goes_by_the_name_of_an_arm() -> None:
    assert routing.named("cheap", ("cheap", "costly")) == "cheap"
    assert type(routing.named(np.str_("cheap"), ("cheap", "costly"))) is str


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("cheep", r"returned 'cheep' \(str\).*allowed: 'cheap', 'costly'; did you mean 'cheap'\?"),
        (
            True,
            r"returned True \(bool\), which is not a branch of this step; "
            r"allowed: 'cheap', 'costly'$",
        ),
        (None, r"returned None"),
        (np.zeros(3), r"returned array"),
    ],
)
def test_a_switch_refuses_unknown_branches(value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        routing.named(value, ("cheap", "costly"))
