"""Content keys of elements: equal elements have equal keys, others have different keys."""

from __future__ import annotations

import copy
import math
import threading
from collections import namedtuple
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmnotebook.beam.answers import contents
from mmnotebook.elements.columns import Column, Objects
from mmnotebook.elements.packing import pack
from mmnotebook.sources import objects

Point = namedtuple("Point", "x y")

PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=80),
    st.binary(max_size=80),
    st.builds(np.float32, st.integers(-9, 9)),
    st.builds(lambda n: np.arange(n, dtype=np.int16), st.integers(0, 40)),
    st.builds(lambda n: torch.arange(n, dtype=torch.bfloat16), st.integers(0, 40)),
    st.builds(Point, st.integers(0, 3), st.text(max_size=3)),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
    max_leaves=6,
)
ALIKE = st.one_of(
    *(st.lists(kind, min_size=1, max_size=5) for kind in (st.integers(-9, 9), st.booleans())),
    st.lists(st.floats(), min_size=1, max_size=5),
    st.lists(st.fixed_dictionaries({"a": st.integers(0, 3), "b": st.text(max_size=4)}), min_size=1),
    st.lists(st.builds(Point, st.floats(), st.booleans()), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(), st.text()), min_size=1, max_size=5),
    st.lists(st.builds(lambda n: np.full((2, 3), n, np.float32), st.integers(0, 4)), min_size=1),
    st.lists(st.builds(lambda n: torch.full((2, 3), n), st.floats(0, 4)), min_size=1),
    st.lists(st.builds(np.datetime64, st.integers(0, 9), st.just("s")), min_size=1),
    st.lists(st.none(), min_size=1, max_size=4),
)


def keys(column: Column) -> list[bytes]:
    return contents.of_each(column, b"salt")


@given(st.one_of(ALIKE, st.lists(VALUES, max_size=6)))
def test_the_column_that_holds_a_value_does_not_count(values: list[Any]) -> None:
    assert keys(pack(values)) == [keys(Objects([value]))[0] for value in values]
    assert keys(pack(values)) == keys(pack([*values, object()]))[: len(values)]


def with_types(value: Any) -> str:
    """Return a value with the types of all its parts."""
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({', '.join(map(with_types, value))})"
    if isinstance(value, dict):
        return f"dict({', '.join(f'{with_types(k)}: {with_types(v)}' for k, v in value.items())})"
    if isinstance(value, np.ndarray | torch.Tensor):
        return f"{type(value).__name__} {value.dtype} {value.shape} {value.tolist()}"
    return f"{type(value).__name__} {value!r}"


@given(st.lists(VALUES, min_size=2, max_size=8))
def test_values_have_one_key_exactly_if_they_are_equal(values: list[Any]) -> None:
    found = keys(pack(values))
    for one, key in zip(values, found, strict=True):
        for other, other_key in zip(values, found, strict=True):
            assert (key == other_key) == (with_types(one) == with_types(other))


def test_values_with_different_keys() -> None:
    different = [
        *(0, 0.0, -0.0, False, "", b"", None, math.nan, "0", b"0"),
        *(1, 1.0, True, np.int64(1), np.float32(1), np.float64(1), np.array(1), torch.tensor(1)),
        *([1, 2], (1, 2), [[1], 2], [1, [2]], Point(1, 2), {"x": 1, "y": 2}, {"y": 2, "x": 1}),
        *(["a", "b"], ["ab", ""], ["a" * 70], ["a" * 71], {"a": 1}, {"a": 1.0}, {1: "a"}),
        *(np.zeros(4), np.zeros((2, 2)), np.zeros(4, "f4"), np.zeros(4, "i8"), np.zeros(0)),
        *(torch.zeros(4), torch.zeros(2, 2), torch.zeros(4, dtype=torch.int32), 1 << 70),
    ]
    assert len(set(keys(Objects(different)))) == len(different)


def test_a_frames_types_count() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    other = frame.assign(b=pd.Categorical(["x", "y"], categories=["x", "y", "z"]))
    third = frame.assign(b=pd.Categorical(["x", "y"]))
    found = {tuple(keys(objects.blocks("f", one)[0].values)) for one in (frame, other, third)}
    assert len(found) == 3


def test_another_salt_has_other_keys() -> None:
    column = pack([1, 2, 3])
    assert not set(contents.of_each(column, b"a")) & set(contents.of_each(column, b"b"))


def test_values_that_cannot_be_fingerprinted_have_no_key() -> None:
    lock = threading.Lock()
    found = keys(Objects([1, lock, "a"]))
    assert found[1] == contents.NONE and contents.NONE not in (found[0], found[2])
    assert contents.of_block(Objects([1, lock])) is None


@pytest.mark.parametrize(
    ("values", "plain"),
    [([1, 2], True), (["a", None], True), ([{"a": "x"}], True), ([[1]], False), ([{}], False)],
)
def test_plain_values_are_cheap(values: list[Any], plain: bool) -> None:
    assert contents.is_plain(pack(values)) is plain


@given(ALIKE, ALIKE)
def test_blocks_are_equal_exactly_if_their_elements_are(one: list[Any], other: list[Any]) -> None:
    same = copy.deepcopy(one)
    first, second = (contents.of_block(pack(values)) for values in (one, other))
    assert first == contents.of_block(pack(same))
    if "nan" not in with_types(one):  # there are several of these
        assert (first == second) == (with_types(one) == with_types(other))


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_tensors_without_numbers_have_a_key(shape: tuple[int, ...]) -> None:
    empty = [torch.zeros(shape, dtype=torch.float64) for _ in range(3)]
    alike, alone = keys(pack(empty)), keys(Objects(empty))
    assert alike == alone and len(set(alike)) == 1
    assert len(set(keys(pack([[one] for one in empty])))) == 1
    assert keys(pack([torch.zeros((*shape, 0))])) != keys(pack(empty[:1]))
