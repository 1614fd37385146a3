"""Records of a DataFrame: the same values as pandas' own rows."""

from __future__ import annotations

import datetime
import decimal
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmnotebook.elements import frames
from mmnotebook.elements.columns import Numbers, Records
from mmnotebook.elements.packing import concat
from tests.runtime.alike import same

whole = st.integers(-100, 100)
days = st.datetimes(datetime.datetime(1990, 1, 1), datetime.datetime(2030, 1, 1))
spans = st.timedeltas(datetime.timedelta(-9), datetime.timedelta(9))
texts = st.text("abü", max_size=3)
objects = (
    st.none() | st.booleans() | whole | st.integers(2**63, 2**65) | st.floats() | texts
    | st.binary(max_size=2) | days | days.map(pd.Timestamp)
    | st.sampled_from([pd.NA, pd.NaT, np.nan, ()])
    | st.sampled_from([np.float32(0.1), np.int8(3), np.bool_(True), np.str_("s"), 1 + 2j])
    | st.sampled_from([np.datetime64(1, "s"), np.timedelta64(1, "D"), np.datetime64("NaT")])
    | st.lists(whole, max_size=2) | st.lists(whole, max_size=2).map(np.array)
    | st.dictionaries(texts, whole, max_size=1) | st.lists(whole, max_size=2).map(torch.tensor)
)  # fmt: skip

Make = Callable[[list[Any]], pd.Series]


def of(dtype: Any) -> Make:
    return lambda cells: pd.Series(cells, dtype=dtype)


def may_lack(cells: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | cells


COLUMNS: dict[str, tuple[st.SearchStrategy[Any], Make]] = {
    **{name: (whole, of(name)) for name in ("int8", "int16", "int32", "int64")},
    **{name: (st.integers(0, 200), of(name)) for name in ("uint8", "uint16", "uint32")},
    "uint64": (st.integers(0, 2**64 - 1), of("uint64")),
    **{name: (st.floats(width=16), of(name)) for name in ("float16", "float32", "float64")},
    "longdouble": (st.floats(), of(np.longdouble)),
    "complex64": (whole, of("complex64")),
    "bool": (st.booleans(), of("bool")),
    "Int8": (may_lack(whole), of("Int8")),
    "Int64": (may_lack(whole), of("Int64")),
    "UInt64": (may_lack(st.integers(0, 2**64 - 1)), of("UInt64")),
    "Float32": (may_lack(st.floats(width=32)), of("Float32")),
    "boolean": (may_lack(st.booleans()), of("boolean")),
    "string": (may_lack(texts), of("string[python]")),
    "arrow string": (may_lack(texts), of("string[pyarrow]")),
    "arrow int": (may_lack(whole), of(pd.ArrowDtype(pa.int32()))),
    "arrow list": (may_lack(st.lists(whole)), of(pd.ArrowDtype(pa.list_(pa.int64())))),
    "category": (may_lack(texts), of("category")),
    "category of numbers": (may_lack(whole), of("category")),
    "ns": (may_lack(days), of("datetime64[ns]")),
    "s": (may_lack(days), of("datetime64[s]")),
    "zone": (may_lack(days), of("datetime64[ns, Europe/Paris]")),
    "timedelta": (may_lack(spans), of("timedelta64[ns]")),
    "period": (may_lack(days), lambda cells: pd.Series(pd.PeriodIndex(cells, freq="D"))),
    "sparse": (whole, of(pd.SparseDtype("int64"))),
    "object": (objects, of(object)),
    "texts": (may_lack(texts), of(object)),
}


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    count = draw(st.integers(0, 4))
    kinds = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=3, unique=True))
    columns = {}
    for kind in kinds:
        cells, make = COLUMNS[kind]
        columns[kind] = make(draw(st.lists(cells, min_size=count, max_size=count)))
    frame = pd.DataFrame(columns, columns=kinds)
    return frame.set_axis(draw(st.permutations(range(count))), axis=0)


@given(tables())
def test_records_are_those_of_pandas(frame: pd.DataFrame) -> None:
    column = frames.records(frame)
    assert len(column) == len(frame)
    assert same(column.rows(), frame.to_dict("records"))


@pytest.mark.parametrize("kind", sorted(COLUMNS))
def test_every_kind_of_column(kind: str) -> None:
    @given(st.lists(COLUMNS[kind][0], max_size=3))
    def check(cells: list[Any]) -> None:
        frame = pd.DataFrame({"c": COLUMNS[kind][1](cells)})
        assert same(frames.records(frame).rows(), frame.to_dict("records"))
        assert len(frames.sizes(frame, range(len(frame)))) == len(frame)

    check()


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint32", "float16", "float64", "bool"])
def test_numbers_are_held_as_numbers_and_copied(dtype: str) -> None:
    frame = pd.DataFrame({"n": np.ones(3, dtype)})
    column = frames.records(frame).field("n")
    assert isinstance(column, Numbers)
    assert not np.shares_memory(column.array, frame["n"].to_numpy())


def test_equal_records_are_held_equally_whatever_the_width() -> None:
    narrow = frames.records(pd.DataFrame({"n": np.ones(2, "int8")})).field("n")
    wide = frames.records(pd.DataFrame({"n": np.ones(2, "int64")})).field("n")
    assert narrow.array.dtype == wide.array.dtype  # type: ignore[union-attr]


def test_of_two_columns_with_one_name_the_last_counts() -> None:
    frame = pd.DataFrame([[1, "x", 2.5]], columns=["a", "b", "a"])
    with pytest.warns(UserWarning, match="columns are not unique"):
        expected = frame.to_dict("records")
    assert frames.records(frame).rows() == expected == [{"a": 2.5, "b": "x"}]


def test_a_frame_without_columns_has_empty_records() -> None:
    assert frames.records(pd.DataFrame(index=[1, 2])).rows() == [{}, {}]


def test_other_names() -> None:
    column = frames.records(pd.DataFrame([[1, 2]]), ["a", "b"])
    assert isinstance(column, Records)
    assert column.rows() == [{"a": 1, "b": 2}]


@pytest.mark.parametrize(
    "cells", [[None, torch.zeros(2)], [torch.tensor([]), torch.zeros(2), None]]
)
def test_tensors_of_several_numbers_stay_tensors(cells: list[Any]) -> None:
    made = frames.frame_of(frames.records(pd.DataFrame({"a": pd.Series(cells, dtype=object)})))
    assert [type(cell) for cell in made["a"]] == [type(cell) for cell in cells]


@given(tables(), st.data())
def test_a_frame_of_records_has_the_dtypes_that_it_had(
    frame: pd.DataFrame, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(frame)))
    stop = data.draw(st.integers(start, len(frame)))
    column = frames.records(frame)
    copy = pickle.loads(pickle.dumps(column.part(start, stop)))
    made = frames.frame_of(copy)
    assert dict(made.dtypes) == dict(frame.dtypes)
    assert same(made.to_dict("records"), frame.iloc[start:stop].to_dict("records"))
    whole = frames.frame_of(concat([column.part(0, start), column.part(start, len(frame))]))
    assert dict(whole.dtypes) == dict(frame.dtypes)


@pytest.mark.parametrize(
    "cells",
    [
        pd.Categorical(["b", "a", None], categories=["z", "b", "a"], ordered=True),
        pd.cut(pd.Series([1, 5, 9]), 3),
        pd.Categorical(pd.to_datetime(["2024-01-01", "2024-01-02", None])),
        pd.Categorical([1, 2, 1]),
        [decimal.Decimal("1.10"), decimal.Decimal("2"), None],
        [1, None, "a"],
        [1, 2, 3],
        pd.array([[1, 2], [3], None], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
        pd.array([decimal.Decimal("1.10")] * 3, dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
        pd.array([datetime.datetime(2024, 1, 1)] * 3, dtype=pd.ArrowDtype(pa.timestamp("us"))),
        pd.interval_range(0, 3),
    ],
    ids=str,
)
def test_a_column_that_is_rebuilt_is_equal(cells: Any) -> None:
    dtype = object if isinstance(cells, list) else None
    frame = pd.DataFrame({"c": pd.Series(cells, dtype=dtype), "n": [1, 2, 3]})
    for places in ([0, 1, 2], [2], [1, 0]):
        made = frames.frame_of(frames.records(frame).take(places))
        pd.testing.assert_frame_equal(made, frame.iloc[places].reset_index(drop=True))


def test_fields_are_taken_in_the_order_of_the_names() -> None:
    column = frames.records(pd.DataFrame({"a": [1], "b": ["x"]}))
    assert list(frames.frame_of(column, ["b", "a"]).columns) == ["b", "a"]


def test_records_of_no_frame_have_what_pandas_makes_of_them() -> None:
    rows = [{"i": 1, "n": None, "m": 1, "t": "x", "l": [1]}, {"i": 2, "n": None, "m": None}]
    rows[1] |= {"t": "y", "l": [1, 2]}
    pd.testing.assert_frame_equal(frames.frame_of(rows), pd.DataFrame(rows))


def test_categories_that_differ_are_united() -> None:
    one, other = (frames.records(pd.DataFrame({"c": pd.Categorical([x])})) for x in "ab")
    assert list(frames.frame_of(concat([one, other]))["c"].cat.categories) == ["a", "b"]
    text = frames.records(pd.DataFrame({"c": ["b"]}))
    assert frames.frame_of(concat([one, text]))["c"].tolist() == ["a", "b"]
