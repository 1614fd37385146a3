"""Columns and blocks return the values that were put in, with the same types and dtypes."""

from __future__ import annotations

import datetime
import pickle
from collections import namedtuple
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from apache_beam.ml.inference.base import PredictionResult
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmnotebook.elements import block as blocks
from mmnotebook.elements.block import Block, in_parts
from mmnotebook.elements.columns import (
    Arrays,
    Column,
    Numbers,
    Objects,
    Records,
    Same,
    Tensors,
    Tuples,
    size_of,
)
from mmnotebook.elements.elements import Key, own, own_rows
from mmnotebook.elements.packing import concat, pack
from mmnotebook.results.records import Failure
from tests.runtime.alike import same


class Point(NamedTuple):
    x: Any
    y: Any = 0


Pair = namedtuple("Pair", "x y")


TORCH = [
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
]
shapes = st.sampled_from([(), (0,), (1,), (3,), (2, 2), (2, 0), (1, 1, 2)])
dtypes = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes(endianness="?")
    | hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64))
    | hnp.complex_number_dtypes(endianness="?", sizes=(64, 128))
    | hnp.datetime64_dtypes(endianness="?")
    | hnp.timedelta64_dtypes(endianness="?")
    | hnp.byte_string_dtypes(max_len=4)
    | hnp.unicode_string_dtypes(endianness="?", max_len=4)
)
structured = hnp.array_dtypes(dtypes, max_size=3)


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    dtype, shape = draw(dtypes | structured), draw(shapes)
    count = int(np.prod(shape))
    raw = draw(st.binary(min_size=count * dtype.itemsize, max_size=count * dtype.itemsize))
    if dtype.kind in "SV" or count == 0 or dtype.kind in "biufcmM":
        if dtype.kind == "b":
            raw = bytes(byte & 1 for byte in raw)
        array = np.frombuffer(raw, dtype=dtype).copy() if raw else np.zeros(count, dtype)
        if dtype.kind != "V":
            return array.reshape(shape)
    return np.zeros(shape, dtype)


@st.composite
def scalars(draw: st.DrawFn) -> Any:
    dtype = draw(dtypes)
    return (
        np.zeros(2, dtype.newbyteorder("="))[0]
        if dtype.kind in "SU"
        else draw(hnp.from_dtype(dtype.newbyteorder("=")))
    )


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    dtype, shape = draw(st.sampled_from(TORCH)), draw(shapes)
    values = draw(st.lists(st.integers(0, 100), min_size=int(np.prod(shape)), max_size=8))
    return torch.tensor(values[: int(np.prod(shape))]).reshape(shape).to(dtype)


numbers = st.booleans() | st.integers() | st.integers(-5, 5) | st.floats()
plain = (
    st.none() | numbers | st.complex_numbers() | st.text(max_size=4) | st.binary(max_size=4)
    | st.datetimes() | st.sampled_from([torch.Size([2]), 2**63, -(2**63), -0.0])
)  # fmt: skip
leaves = plain | arrays() | scalars() | tensors()
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b", "ü"]) | st.integers(0, 1), inner, max_size=2)
        | st.tuples(inner, inner)
        | st.builds(Point, inner, inner)
        | st.builds(Pair, inner, inner)
        | st.builds(PredictionResult, inner, inner, st.sampled_from(["m", None]))
    ),
    max_leaves=4,
)


@st.composite
def alike(draw: st.DrawFn) -> list[Any]:
    """Draw values that mostly share one form, as the elements of a node do, or none."""
    count = draw(st.integers(0, 6))
    kind = draw(st.sampled_from(["mixed", "repeated", "array", "tensor", "record", "tuple"]))
    few = draw(st.lists(values, min_size=1, max_size=2))
    if kind == "mixed":
        return draw(st.lists(values, max_size=6))
    if kind == "repeated":
        return [few[0]] * count
    if kind == "array":
        model = draw(arrays())
        return [model.copy() for _ in range(count)]
    if kind == "tensor":
        model = draw(tensors())
        return [model + row if model.dtype != torch.bool else model for row in range(count)]
    one = draw(st.sampled_from([numbers, st.floats(), st.integers(-9, 9), plain, tensors()]))
    rows = draw(st.lists(st.tuples(one, values), min_size=count, max_size=count))
    if kind == "record":
        return [{"a": a, "b": {"c": b, "d": None}} for a, b in rows]
    return [draw(st.sampled_from([Point, PredictionResult]))(*row) for row in rows]


@given(alike())
def test_rows_come_back_as_they_were(items: list[Any]) -> None:
    column = pack(items)
    assert len(column) == len(items)
    assert same(column.rows(), items)
    assert same(list(column), items)
    assert same([column[place] for place in range(-len(items), len(items))], items + items)
    assert pack(column) is column
    assert isinstance(column.nbytes, int) and column.nbytes >= 0


def memory(value: Any) -> set[tuple[int, int]]:
    """Return the address and the length of every memory that a function could change."""
    if isinstance(value, torch.Tensor):
        storage = value.untyped_storage()
        return {(storage.data_ptr(), len(storage))} if len(storage) else set()
    if isinstance(value, np.ndarray):
        whole = value if value.base is None else value.base
        return {(whole.__array_interface__["data"][0], whole.nbytes)} if whole.nbytes else set()
    if isinstance(value, dict):
        return {(id(value), 0)}.union(*map(memory, value.values()))
    if isinstance(value, (list, tuple)):
        return set[tuple[int, int]]().union(*map(memory, value))
    return set()


@given(alike())
def test_own_rows_are_what_own_returns_for_each_value(items: list[Any]) -> None:
    column = pack(items)
    rows = own_rows(column)
    if rows is None:
        return
    held, copies = memory(column.rows()), list(rows)
    by_hand = [own(value) for value in column]
    assert same(copies, by_hand)
    for copy, other in zip(copies, by_hand, strict=True):
        found = memory(copy)
        assert not found & held
        assert {size for _, size in found} == {size for _, size in memory(other)}
        held |= found


@pytest.mark.parametrize(
    "items",
    [
        [PredictionResult(torch.ones(2), torch.zeros(1), "m") for _ in range(2)],
        [{"a": np.ones(2), "b": 1.5, "c": "x"} for _ in range(2)],
        [1, 2],
        ["a", "b"],
    ],
)
def test_common_values_have_own_rows(items: list[Any]) -> None:
    assert own_rows(pack(items)) is not None


@given(alike(), st.data())
def test_rows_can_be_taken_in_any_order(items: list[Any], data: st.DataObject) -> None:
    column = pack(items)
    if items:
        places = data.draw(st.lists(st.integers(0, len(items) - 1), max_size=8))
        taken = column.take(places)
        assert len(taken) == len(places)
        assert same(taken.rows(), [items[place] for place in places])
    ends = st.integers(0, len(items))
    start, stop = sorted((data.draw(ends), data.draw(ends)))
    assert same(column.part(start, stop).rows(), items[start:stop])
    assert same(column[start:stop].rows(), items[start:stop])


@given(st.lists(alike(), max_size=3))
def test_columns_one_after_the_other(lists: list[list[Any]]) -> None:
    joined = concat([pack(items) for items in lists])
    assert same(joined.rows(), [item for items in lists for item in items])


@given(alike(), st.integers(0, 6))
def test_slices_can_be_concatenated(items: list[Any], cut: int) -> None:
    column = pack(items)
    cut = min(cut, len(items))
    joined = concat([column.part(0, cut), column.part(cut, len(items))])
    assert same(joined.rows(), items)
    assert type(joined) is type(column)


@given(alike())
def test_a_field_of_records(items: list[Any]) -> None:
    column = pack(items)
    for name in ("a", "b", "none"):
        field = column.field(name)
        if field is not None:
            assert same(field.rows(), [item[name] for item in items])
    if items and all(type(item) is dict and list(item) == ["a", "b"] for item in items):
        assert column.field("a") is not None


@pytest.mark.parametrize(
    ("items", "kind"),
    [
        ([1.5, 2.5], Numbers),
        ([1, 2], Numbers),
        ([True, False], Numbers),
        ([1, True], Objects),
        ([1, 2.0], Objects),
        ([1, 2**63], Objects),
        ([None, None], Same),
        (["a", "b"], Objects),
        ([np.float32(1), np.float32(2)], Arrays),
        ([np.float32(1), np.float64(2)], Objects),
        ([np.zeros(2), np.ones(2)], Arrays),
        ([np.zeros(2), np.ones(3)], Objects),
        ([np.zeros(2, "f4"), np.zeros(2, "f8")], Objects),
        ([np.zeros(2, ">f4")] * 2, Objects),
        ([np.zeros(2, "i4,f8")] * 2, Objects),
        ([np.array(["a"])] * 2, Objects),
        ([np.array(1.0)] * 2, Objects),
        ([np.datetime64(1, "s"), np.datetime64(1, "D")], Objects),
        ([np.datetime64(1, "s"), np.datetime64("NaT", "s")], Arrays),
        ([torch.zeros(2), torch.ones(2)], Tensors),
        ([torch.tensor(1), torch.tensor(2)], Tensors),
        ([torch.zeros(2), torch.zeros(3)], Objects),
        ([torch.zeros(2), torch.zeros(2, dtype=torch.float64)], Objects),
        ([torch.zeros(2, requires_grad=True)], Objects),
        ([torch.eye(2).to_sparse()] * 2, Objects),
        ([torch.nn.Parameter(torch.zeros(2))], Objects),
        ([{"a": 1}, {"a": 2}], Records),
        ([{"a": 1, "b": 2}, {"b": 1, "a": 2}], Objects),
        ([{}, {}], Objects),
        ([{1: 1}, {1: 2}], Objects),
        ([(1, "a"), (2, "b")], Tuples),
        ([(1,), (1, 2)], Objects),
        ([(), ()], Objects),
        ([Point(1), Point(2)], Tuples),
        ([Point(1), (2, 0)], Objects),
        ([PredictionResult(np.zeros(2), 1, "m")] * 2, Tuples),
        ([torch.Size([1])] * 2, Objects),
    ],
    ids=repr,
)
def test_the_column_type_of_each_kind_of_value(items: list[Any], kind: type[Column]) -> None:
    column = pack(items)
    assert type(column) is kind
    if not any(isinstance(item, torch.Tensor) and item.is_sparse for item in items):
        assert same(column.rows(), items)
    assert column.nbytes > 0


def test_records_hold_their_fields_as_columns() -> None:
    rows = [{"x": np.full(3, row), "n": row, "deep": {"t": torch.tensor(row)}} for row in range(3)]
    column = pack(rows)
    assert isinstance(column, Records) and isinstance(column.columns["x"], Arrays)
    deep = column.field("deep")
    assert isinstance(deep, Records) and isinstance(deep.columns["t"], Tensors)
    assert column.field("n").rows() == [0, 1, 2]  # type: ignore[union-attr]


def test_a_conjugate_keeps_its_values() -> None:
    tensor = torch.tensor([1 + 2j, 3j]).conj()
    (row,) = pack([tensor]).rows()
    assert torch.equal(row, tensor)


def test_only_columns_of_one_type_are_concatenated() -> None:
    assert isinstance(concat([pack([1, 2]), pack([3])]), Numbers)
    assert isinstance(concat([pack([{"a": 1}]), pack([{"a": 2.5}])]), Records)
    assert isinstance(concat([pack([1]), pack(["a"])]), Objects)
    assert isinstance(concat([pack([]), pack([1])]), Numbers)
    assert concat([]).rows() == []
    longlong = np.array([1], dtype=np.longlong)
    joined = concat([Arrays(np.array([1])), Arrays(longlong)]).rows()
    assert list(map(type, joined)) == [np.int64, np.longlong]


def test_sizes_are_known_roughly_for_everything() -> None:
    assert 8000 <= size_of(np.zeros(1000)) < 9000
    assert 4000 <= size_of({"a": torch.zeros(1000), "b": "x" * 10}) < 5000
    assert 9 * 4 <= size_of(torch.eye(3).to_sparse()) < 200
    assert size_of("x" * 1000) == size_of(b"x" * 1000) > 1000
    assert size_of([[0.5] * 1000]) > 8000
    assert all(size_of(value) >= 64 for value in (None, 1, object(), datetime.date.min, ()))


# Blocks


fields = st.none() | st.integers(0, 3)
keys = st.builds(
    Key,
    st.text("abc", max_size=3),
    st.text("abc", max_size=3),
    st.sampled_from([None, "", "a", "b"]),
    st.sampled_from([(), (("u", 1),), (("u", "x"), ("v", None))]),
    st.sampled_from([None, "", "a", "b"]),
    st.sampled_from([None, "small", "big"]),
)


@st.composite
def elements(draw: st.DrawFn) -> list[tuple[Key, Any]]:
    items = draw(alike())
    kind = draw(st.sampled_from([keys, keys.map(lambda key: Key(key.id, key.id))]))
    return [(draw(kind), item) for item in items]


FAILED = [Failure("n", "1", "ValueError", "bad", "")]


@given(elements())
def test_a_block_gives_its_elements_back(pairs: list[tuple[Key, Any]]) -> None:
    block = Block.of(pairs, FAILED)
    assert len(block) == len(pairs)
    assert same(list(block.elements()), pairs)
    assert list(block.keys()) == [key for key, _ in pairs]
    assert block.failed == FAILED
    again, alone = pickle.loads(pickle.dumps((block, pairs), protocol=5))
    assert same(list(again.elements()), alone) and again.failed == FAILED


def test_a_block_stores_only_the_columns_that_it_needs() -> None:
    simple = Block.of([(Key("1", "1"), 5), (Key("2", "2"), 6)])
    assert (simple.origins, simple.choices, simple.fields) == (None, None, None)
    assert (simple.branches, simple.model_keys, simple.models, simple.rows) == (None,) * 4
    full = Block.of([(Key("1/0", "1", "a", (("u", 1),)), 5)])
    assert (full.origins, full.model_keys, full.fields) == (["1"], ["a"], [(("u", 1),)])
    assert (full.branches, full.models) == (None, None)


@pytest.mark.parametrize("field", ["branches", "model_keys", "models"])
def test_a_choice_replaces_what_was_chosen_before(field: str) -> None:
    block = Block(["1", "2"], pack([5, 6]))
    for other in ("branches", "model_keys", "models"):
        before = block.with_choices(**{other: ["x", "y"]})
        after = before.with_choices(**{field: ["a", None]})
        known = {n: getattr(after, n) for n in ("branches", "model_keys", "models")}
        assert known == {**dict.fromkeys(known), field: ["a", None]}
        assert after.choices == ["a", None] and after.take([1]).choices == [None]
        assert before.with_choices().choices is None
        own, _ = after.keys()
        chosen = {"branches": own.branch, "model_keys": own.key, "models": own.model}
        assert chosen == {**dict.fromkeys(known), field: "a"}


@given(elements(), st.data())
def test_elements_can_be_taken_in_any_order_and_again(
    pairs: list[tuple[Key, Any]], data: st.DataObject
) -> None:
    block = Block.of(pairs, FAILED)
    places: list[int] = []
    if pairs:
        places = data.draw(
            st.lists(st.integers(0, len(pairs) - 1), max_size=8)
            | st.permutations(range(len(pairs)))
            | st.just([0] * len(pairs))
        )
    taken = block.take(places)
    assert same(list(taken.elements()), [pairs[place] for place in places])
    assert taken.failed == []
    assert block.failed == FAILED


def test_a_selection_of_the_same_length_need_not_be_all_elements() -> None:
    block = Block.of([(Key("a", "a"), 1), (Key("b", "b"), 2)])
    assert [key.id for key, _ in block.take([0, 0]).elements()] == ["a", "a"]
    assert block.take([1, 0]).values.rows() == [2, 1]
    assert block.take(range(2)).ids == ["a", "b"]


def test_the_same_elements_with_other_values() -> None:
    block = Block.of([(Key("1/0", "1", "a"), 5), (Key("1/1", "1", "a"), 6)])
    given = block.with_values([0.5, 1.5], FAILED)
    assert isinstance(given.values, Numbers)
    assert list(given.elements()) == [
        (Key("1/0", "1", "a"), 0.5), (Key("1/1", "1", "a"), 1.5),
    ]  # fmt: skip
    assert given.failed == FAILED and block.failed == []


@given(elements(), st.integers(1, 4), st.integers(1, 400))
def test_a_block_is_cut_to_size(pairs: list[tuple[Key, Any]], rows: int, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "ROWS", rows)
        patch.setattr(blocks, "BYTES", size)
        parts = list(in_parts(Block.of(pairs, FAILED)))
    assert same([pair for part in parts for pair in part.elements()], pairs)
    assert [failure for part in parts for failure in part.failed] == FAILED
    assert all(len(part) <= rows for part in parts)


def test_big_elements_make_small_blocks() -> None:
    def count(items: Sequence[Any]) -> list[int]:
        whole = Block.of([(Key("1", "1"), item) for item in items])
        return [len(part) for part in in_parts(whole)]

    assert count(range(10_000)) == [4096, 4096, 1808]
    assert max(count([np.zeros(1 << 20, np.uint8)] * 100)) <= 33
    assert max(count([{"image": np.zeros(1 << 20, np.uint8)}] * 100)) <= 33
