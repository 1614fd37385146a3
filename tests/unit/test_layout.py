"""The position of each element in a model's outputs, and when it is certain."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmnotebook.model import layouts, outputs
from mmnotebook.model.knowledge import Knowledge
from mmnotebook.model.outputs import WrongOutputsError

Heads = namedtuple("Heads", "first second")


@dataclass
class Found:
    boxes: Any
    loss: Any = None


def truth(model: Any, count: int) -> list[Any]:
    return [model(np.arange(place, place + 1.0)) for place in range(count)]


def layout_after(make: Any, *sizes: int, axes: Any = None) -> Knowledge:
    """Return what is known after batches of these sizes."""
    known = Knowledge()
    for size in sizes:
        known.learn(make(size), size, axes)
    return known


def rows(make: Any, *sizes: int, count: int = 5, axes: Any = None) -> list[Any]:
    known = layout_after(make, *sizes, axes=axes)
    assert known.layout is not None
    return outputs.rows(make(count), count, known.layout).rows()


def grid(n: int) -> np.ndarray:
    return np.arange(n * 4.0).reshape(n, 4)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda n: grid(n), grid(5)[2]),
        (lambda n: torch.from_numpy(grid(n)), grid(5)[2]),
        (lambda n: [float(i) for i in range(n)], 2.0),
        (lambda n: pd.Series(range(n)), 2),
        (lambda n: [grid(n)[i] for i in range(n)], grid(5)[2]),
        (lambda n: grid(n).tolist(), grid(5)[2].tolist()),
    ],
    ids=["array", "tensor", "numbers", "series", "list of arrays", "list of lists"],
)
def test_one_output_per_element(make: Any, expected: Any) -> None:
    assert np.array_equal(np.asarray(rows(make, 1, 4)[2]), np.asarray(expected))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda n: [grid(n), -grid(n)], (grid(5)[2], -grid(5)[2])),
        (lambda n: (grid(n), -grid(n)), (grid(5)[2], -grid(5)[2])),
        (lambda n: Heads(grid(n), -grid(n)), Heads(grid(5)[2], -grid(5)[2])),
        (lambda n: {"a": grid(n), "b": list(range(n))}, {"a": grid(5)[2], "b": 2}),
        (lambda n: {"a": grid(n), "loss": 0.5, "no": None}, {"a": grid(5)[2]}),
        (lambda n: (torch.tensor(0.5), grid(n)), grid(5)[2]),
        (lambda n: Found(grid(n)), {"boxes": grid(5)[2]}),
        (lambda n: (grid(n), (grid(n), grid(n))), (grid(5)[2], (grid(5)[2], grid(5)[2]))),
        (lambda n: pd.DataFrame({"a": range(n)}), {"a": np.int64(2)}),
    ],
    ids=[
        "list",
        "tuple",
        "namedtuple",
        "dict",
        "beside-a-loss",
        "loss-first",
        "dataclass",
        "nested",
        "frame",
    ],
)
def test_several_outputs_are_a_field_each(make: Any, expected: Any) -> None:
    for sizes in ((1, 4), (2, 3), (1, 2), (3, 4)):
        (row,) = rows(make, *sizes)[2:3]
        assert type(row) is type(expected)
        assert str(row) == str(expected)


def test_two_heads_for_two_elements_are_not_one_output_each() -> None:
    """Check that a second batch of another size resolves the ambiguity of a batch of two."""
    make = lambda n: [grid(n), -grid(n)]  # noqa: E731
    assert layout_after(make, 2).layout is None
    heads = rows(make, 2, 3, count=2)
    assert [np.array_equal(a, grid(2)[i]) for i, (a, _) in enumerate(heads)] == [True, True]


@pytest.mark.parametrize("other", [2, 3, 7])
def test_a_square_array_is_decided_by_another_size(other: int) -> None:
    first, last = (lambda n: np.ones((n, 4))), (lambda n: np.ones((4, n)))
    assert layout_after(first, 4).layout is None
    assert layout_after(first, 4, other).layout == layouts.OutputRows(frozenset({0}))
    with pytest.raises(WrongOutputsError) as caught:
        layout_after(last, 4, other)
    assert "output_batch_axis=1" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (lambda n: np.ones((8, n, 3)), "output_batch_axis=1"),
        (lambda n: (np.ones((n, 8, 3)), np.ones((1, n, 3))), r"output_batch_axis=(0, 1)"),
        (lambda n: {"a": np.ones(n), "h": np.ones((2, n))}, "output_batch_axis={'a': 0, 'h': 1}"),
    ],
)
def test_another_axis_is_named_and_works_when_set(make: Any, remedy: str) -> None:
    with pytest.raises(WrongOutputsError) as caught:
        layout_after(make, 1, 5)
    assert remedy in str(caught.value.remedy)
    axes = eval(remedy.partition("=")[2])
    assert len(rows(make, 1, 5, axes=axes)) == 5


@pytest.mark.parametrize(
    "make",
    [
        lambda n: np.ones((6, 4)),
        lambda n: np.ones(n + 1),
        lambda n: np.ones((n // 2, 2)),
        lambda n: np.ones((2 * n, 2)),
        lambda n: [1.0] * 6,
        lambda n: 3.0,
        lambda n: None,
        lambda n: "text",
        lambda n: {},
        lambda n: {"loss": 1.0},
        lambda n: {1, 2, 3},
        lambda n: {"a": np.ones(n), "b": np.ones(7)},
        lambda n: np.ones((n, n)),  # a row depends on the number of rows
        lambda n: [np.ones(n) for _ in range(n)],
    ],
)
def test_outputs_that_are_not_one_per_element_are_refused_despite_matching_sizes(make: Any) -> None:
    with pytest.raises(WrongOutputsError, match="for a batch of"):
        known = layout_after(make, 1, 6, 2, 3)
        known.settle(make(6), 6, None)


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.integers(0, 3),
    st.lists(st.integers(1, 6), min_size=2, max_size=4, unique=True),
)
def test_a_certain_layout_is_right(shape: list[int], axis: int, sizes: list[int]) -> None:
    """Check arrays with the batch on any axis, also with equal sizes."""
    axis = min(axis, len(shape))

    def make(n: int) -> Any:
        whole = np.random.default_rng(0).random((6, *shape))[:n]
        return np.moveaxis(whole, 0, axis)

    try:
        known = layout_after(make, *sizes)
    except WrongOutputsError as error:
        assert axis > 0 and f"output_batch_axis={axis}" in str(error.remedy)
        known = layout_after(make, *sizes, axes=axis)
    if known.layout is not None:
        got = outputs.rows(make(4), 4, known.layout).rows()
        assert all(np.array_equal(a, np.moveaxis(make(4), axis, 0)[i]) for i, a in enumerate(got))


@pytest.mark.parametrize(
    ("values", "bad"),
    [
        (np.array([[1.0, np.nan], [1, 2], [np.inf, 0]]), 2),
        (torch.tensor([1.0, float("nan")]), 1),
        (np.array([1, 2]), 0),
        ([{"a": float("nan")}, {"a": 1.0}], 1),
        ([[1.0, float("inf")], [1.0]], 1),
        (["a", None, float("nan")], 1),
        ({"a": np.array([1.0, np.nan]), "b": np.array([np.nan, np.nan])}, 2),
    ],
)
def test_outputs_that_hold_nan_or_infinity_are_counted(values: Any, bad: int) -> None:
    count = len(values["a"]) if isinstance(values, dict) else len(values)
    assert outputs.not_finite(outputs.rows(values, count)) == bad
