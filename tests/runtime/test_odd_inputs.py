"""Unusual inputs: they work as the user expects, or are refused with a remedy."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch

import mmnotebook as mm
from mmnotebook.beam.lowering.combine import stack
from mmnotebook.beam.lowering.functions import children
from mmnotebook.elements import frames
from mmnotebook.elements.elements import pick
from mmnotebook.errors import RunError
from mmnotebook.model import inputs
from mmnotebook.sources import iterators, objects


class Box(NamedTuple):
    left: int
    top: int


def same(value: Any) -> Any:
    return value


def values(text: str, node: str = "same", **names: Any) -> list[Any]:
    return list(mm.run(mm.pipeline(text, **names), progress=False)[node]["value"])


class TestChildren:
    @pytest.mark.parametrize(
        ("made", "remedy"),
        [
            ("abc", r"returned one str: return a list, \[text\]"),
            (b"abc", "returned one bytes"),
            ({"a": 1}, r"returned one dict: return a list, \[record\]"),
            (Box(1, 2), "returned one Box"),
            (pd.DataFrame({"a": [1]}), r"returned one DataFrame: .*to_dict\(\"records\"\)"),
            (pd.Series([1]), r"returned one Series: .*tolist\(\)"),
            ({"b", "a"}, r"returned one set: .*sorted\(items\)"),
            (None, r"returned None: .*\[\] for no elements"),
            (3, "returned one int"),
        ],
    )
    def test_return_values_that_are_not_lists_of_elements(self, made: Any, remedy: str) -> None:
        with pytest.raises(TypeError, match=remedy):
            children(made)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: [1, 2],
            lambda: (1, 2),
            lambda: (n for n in (1, 2)),
            lambda: np.array([1, 2]),
            lambda: torch.tensor([1, 2]),
            lambda: {1: "a", 2: "b"}.keys(),
            lambda: range(1, 3),
        ],
    )
    def test_return_values_that_are_lists_of_elements(self, make: Callable[[], Any]) -> None:
        assert [int(child) for child in children(make())] == [1, 2]

    def test_a_text_fails_alone(self) -> None:
        def letters(value: int) -> Any:
            return "abc" if value == 1 else [value]

        graph = mm.pipeline("xs | flat_map(letters)", xs=[0, 1, 2], letters=letters)
        result = mm.run(graph, progress=False, max_failed=0.5)
        assert list(result["letters"]["value"]) == [0, 2]
        (message,) = result.failed["message"]
        assert "returned one str" in message


def read(value: Any, limit: int | None = None, id_column: str | None = None) -> dict[str, Any]:
    """Return the elements of data in the notebook, by id."""
    made = objects.blocks("data", value, id_column, limit)
    return {key.id: item for block in made for key, item in block.elements()}


class TestKindsOfData:
    def test_a_series_is_its_values_by_its_index(self) -> None:
        series = pd.Series(["a", "b"], index=["one", "two"])
        assert read(series) == {"one": "a", "two": "b"}
        assert read(series, 1) == {"one": "a"}
        assert read(series[:0]) == {}
        assert values("xs | same", xs=series, same=same) == ["a", "b"]
        assert type(read(pd.Series([1], dtype="int8"))["0"]) is int
        with pytest.raises(RunError, match="2 duplicates|1 duplicates"):
            read(pd.concat([series, series]))

    def test_ranges_and_tuples(self) -> None:
        assert values("xs | same", xs=range(2), same=same) == [0, 1]
        assert values("xs | same", xs=(1.5, "a"), same=same) == [1.5, "a"]

    def test_a_dict_of_columns(self) -> None:
        columns = {
            "n": [1, None],
            "t": ("a", "b"),
            "x": np.array([1.5, 2.5], "float32"),
            "image": np.zeros((2, 3, 3), np.uint8),
            "v": torch.eye(2),
            "r": range(2),
        }
        first, second = read(columns).values()
        assert (first["n"], first["t"], first["x"], first["r"]) == (1, "a", 1.5, 0)
        assert second["n"] is None and type(first["x"]) is float
        assert first["image"].shape == (3, 3) and second["v"].tolist() == [0, 1]
        assert list(read(columns, 1)) == ["0"] and list(read(columns, None, "t")) == ["a", "b"]
        columns["image"][0] = 1
        assert not first["image"].any()
        assert values("xs | same", xs={"a": [1, 2]}, same=same) == [{"a": 1}, {"a": 2}]

    def test_series_in_a_dict_are_aligned_as_pandas_does_it(self) -> None:
        one, other = pd.Series([1, 2], index=["p", "q"]), pd.Series([3, 4], index=["q", "p"])
        assert read({"a": one, "b": other}) == {"p": {"a": 1, "b": 4}, "q": {"a": 2, "b": 3}}

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ({}, "without columns"),
            ({"a": [1], "b": [1, 2]}, "unequal lengths: a 1, b 2"),
            ({"a": 1}, r"'a' is a int; allowed in a dict of columns"),
            ({"train": {"a": [1]}}, r"'train' is a dict; .*"),
            ({1: [1], "1": [2]}, "two columns have the same name"),
            ({"b", "a"}, "is a set; allowed: a DataFrame, Series"),
            (iter([1]), "is an iterator of type list_iterator, which can be read only once"),
            (np.ma.array([1]), "masked"),
        ],
    )
    def test_an_object_that_is_not_data_has_a_remedy(self, value: Any, said: str) -> None:
        with pytest.raises(RunError, match=said) as caught:
            read(value)
        assert caught.value.remedy or said == "without columns"

    def test_a_set_is_refused_before_the_run(self) -> None:
        with pytest.raises(mm.MMError, match=r"xs = list\(xs\)"):
            mm.pipeline("xs | same", xs={1, 2}, same=same)

    def test_a_structured_array_has_fields(self) -> None:
        kinds = [("i", "i4"), ("f", ">f8"), ("t", "U3"), ("v", "f4", (2,)), ("in", [("a", "i1")])]
        array = np.zeros(2, dtype=kinds)
        array["f"], array["t"] = [2.0, 3.0], ["a", "b"]
        first = read(array)["0"]
        assert (first["i"], first["f"], first["t"], first["in"]) == (0, 2.0, "a", {"a": 0})
        assert type(first["f"]) is float and first["v"].tolist() == [0, 0]
        assert values('xs["f"] | same', xs=array, same=same) == [2.0, 3.0]
        assert values('xs["f"] | same', xs=array.view(np.recarray), same=same) == [2.0, 3.0]
        (block,) = objects.blocks("data", array)
        assert frames.frame_of(block.values)["i"].dtype == np.int32

    def test_a_list_of_records_has_one_dtype_in_every_batch(self) -> None:
        rows = [{"n": 1, "m": None}, {"n": None, "m": None}]
        (block,) = objects.blocks("data", rows)
        for place in (0, 1):
            made = frames.frame_of(block.values.take([place]))
            assert made["n"].dtype == np.float64 and made["m"].dtype == object
        assert block.values.rows() == rows


class TestGenerators:
    def test_are_read_once_for_all_runs(self) -> None:
        made = []

        def numbers() -> Iterator[int]:
            for number in range(5):
                made.append(number)
                yield number

        xs = numbers()
        graph = mm.pipeline("xs | same", xs=xs, same=same)
        assert list(mm.run(graph, limit=2, progress=False)["same"]["value"]) == [0, 1]
        assert made == [0, 1]
        for _ in range(2):
            assert list(mm.run(graph, progress=False)["same"]["value"]) == [0, 1, 2, 3, 4]
        assert made == [0, 1, 2, 3, 4]

    def test_that_are_used_up_are_refused(self) -> None:
        xs = (n for n in range(3))
        list(xs)
        with pytest.raises(RunError, match="read before") as caught:
            read(xs)
        assert "create it again" in str(caught.value.remedy)

    def test_consumed_elsewhere_after_a_part_was_read(self) -> None:
        xs = (n for n in range(3))
        assert list(read(xs, 1).values()) == [0]
        list(xs)
        with pytest.raises(RunError, match="read before"):
            read(xs)

    def test_empty_ones_have_no_elements(self) -> None:
        empty = (n for n in ())
        assert read(empty) == read(empty) == {}

    def test_that_raise_say_so_each_time(self) -> None:
        def numbers() -> Iterator[int]:
            yield 1
            raise KeyError("no more")

        xs = numbers()
        for _ in range(2):
            with pytest.raises(RunError, match=r"raised an error after 1 elements: KeyError"):
                read(xs)

    def test_the_read_elements_are_deleted_with_them(self) -> None:
        xs = (n for n in range(3))
        read(xs)
        known = len(iterators._known)
        del xs
        gc.collect()
        assert len(iterators._known) < known

    def test_other_iterators(self, tmp_path: Path) -> None:
        path = tmp_path / "a.txt"
        path.write_text("a\nb\n")
        with path.open() as lines:
            assert list(read(lines).values()) == list(read(lines).values()) == ["a\n", "b\n"]
        with path.open() as lines:
            lines.read()
            with pytest.raises(RunError, match="read before"):
                read(lines)


class Dataset:
    """A double of `datasets.Dataset`: its slices are dicts of lists."""

    def __init__(self, columns: dict[str, list[Any]], form: Any = dict) -> None:
        self.columns, self.form = columns, form

    @property
    def column_names(self) -> list[str]:
        return list(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, rows: slice) -> Any:
        return self.form({name: cells[rows] for name, cells in self.columns.items()})

    def with_format(self, form: None) -> Dataset:
        return Dataset(self.columns)


class IterableDataset:
    def __iter__(self) -> Iterator[dict[str, int]]:
        return iter([{"a": 1}, {"a": 2}])


Dataset.__module__ = "datasets.arrow_dataset"
IterableDataset.__module__ = "datasets.iterable_dataset"


class TestDataSets:
    @pytest.mark.parametrize("form", [dict, pd.DataFrame])
    def test_rows_are_records(self, form: Any) -> None:
        data = Dataset({"text": ["a", "b"], "ids": [[1], [2, 3]], "label": [0, 1]}, form)
        rows = [{"text": "a", "ids": [1], "label": 0}, {"text": "b", "ids": [2, 3], "label": 1}]
        assert list(read(data).values()) == rows
        assert read(data, None, "text") == {"a": rows[0], "b": rows[1]}
        assert values('xs["ids"] | same', xs=data, same=same) == [[1], [2, 3]]

    def test_an_iterable_one_is_read_again(self) -> None:
        data = IterableDataset()
        assert read(data, 1) == {"0": {"a": 1}}
        assert len(read(data)) == len(read(data)) == 2

    def test_the_real_ones(self) -> None:
        datasets = pytest.importorskip("datasets")
        columns = {"text": ["a", "b"], "label": [0, 1], "v": [[1.0, 2.0], [3.0, 4.0]]}
        data = datasets.Dataset.from_dict(columns)
        expected = [{"text": "a", "label": 0, "v": [1, 2]}, {"text": "b", "label": 1, "v": [3, 4]}]
        assert values("xs | same", xs=data, same=same) == expected
        assert values("xs | same", xs=data.to_iterable_dataset(), same=same) == expected
        assert list(read(data.with_format("pandas")).values()) == expected
        assert list(read(data.with_format("arrow")).values()) == expected
        assert read(data.with_format("torch"))["0"]["v"].tolist() == [1, 2]
        assert read(data.filter(lambda row: row["label"] == 1)) == {"0": expected[1]}
        with pytest.raises(RunError, match="'train' is a Dataset") as caught:
            read(datasets.DatasetDict({"train": data}))
        assert "data['train']" in str(caught.value.remedy)


class TestNumbersBesideTexts:
    def test_are_one_row_of_objects(self) -> None:
        row = pick({"x": 1.5, "t": "a"}, ("x", "t"))
        assert row.dtype == object and row.tolist() == [1.5, "a"]

    def test_of_one_kind_are_as_they_were(self) -> None:
        assert pick({"x": 1, "y": 2.5}, ("x", "y")).dtype == np.float64
        assert pick({"x": "a", "y": "b"}, ("x", "y")).dtype.kind == "U"
        assert pick({"x": b"a", "y": "b"}, ("x", "y")).tolist() == [b"a", "b"]

    def test_in_a_run(self) -> None:
        frame = pd.DataFrame({"x": [1.5, 2.5], "t": ["a", "b"], "n": [1, 2]})
        ((first, *_), _) = (list(row) for row in values('d[["x", "t"]] | same', d=frame, same=same))
        assert first == 1.5

    def test_in_lists_for_an_estimator(self) -> None:
        rows = inputs.sklearn_batch(object(), [[1.5, "a"], [2.5, "b"]])
        assert rows.dtype == object and rows[:, 0].tolist() == [1.5, 2.5]

    def test_stacked(self) -> None:
        assert stack({"a": [1.5, "a"], "b": [2, "b"]}).tolist() == [[1.5, "a"], [2, "b"]]
