"""Sources: every kind of data, its ids, and unreadable data."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import apache_beam as beam
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, UnidentifiedImageError

import mmnotebook as mm
from mmnotebook.elements.columns import Arrays, Column, Numbers, Records, size_of
from mmnotebook.elements.elements import Key
from mmnotebook.errors import RunError
from mmnotebook.sources import block_size, objects, readers, sources
from mmnotebook.sources.partial import Partial


def read(value: Any, limit: int | None = None, id_column: str | None = None) -> dict[str, Any]:
    """Return the elements of a source by id, or the error for unreadable ones."""
    if objects.is_path(value):
        plan = sources.plan_path(str(value), id_column)
        return files(plan if limit is None else plan.first(limit))
    found: dict[str, Any] = {}
    for block in objects.blocks("data", value, id_column, limit):
        assert len(block) <= 4096
        for key, item in block.elements():
            assert key == Key(key.id, key.id)
            found[key.id] = item
    return found


def files(plan: sources.SourcePlan) -> dict[str, Any]:
    found: dict[str, Any] = {}
    count = 0
    for part in plan.parts():
        for where, (rows, values) in readers.read_part(part):
            assert 0 < len(rows) == len(values) <= 4096
            assert isinstance(values, Column) == (not any(map(is_error, values)))
            assert isinstance(values, (Column, Partial))
            found.update(zip(readers.ids_of(where, rows), values, strict=True))
            count += len(rows)
    assert plan.count is None or plan.count == count
    assert len(found) == count
    return found


def is_error(value: Any) -> bool:
    return isinstance(value, Exception)


def file(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


class TestFrames:
    def test_the_index_gives_the_ids(self) -> None:
        frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=["one", "two"])
        assert read(frame) == {"one": {"a": 1, "b": "x"}, "two": {"a": 2, "b": None}}

    def test_a_column_gives_the_ids(self) -> None:
        frame = pd.DataFrame({"a": [1, 2], "key": [10, 20]}, index=[5, 5])
        assert list(read(frame, id_column="key")) == ["10", "20"]

    def test_an_index_of_several_levels(self) -> None:
        index = pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])
        assert list(read(pd.DataFrame({"v": [1, 2]}, index=index))) == ["a/1", "a/2"]

    def test_an_index_of_days(self) -> None:
        frame = pd.DataFrame({"v": [1, 2]}, index=pd.date_range("2024-01-01", periods=2))
        assert list(read(frame)) == ["2024-01-01 00:00:00", "2024-01-02 00:00:00"]

    def test_whole_numbers_as_floats_have_the_ids_of_whole_numbers(self) -> None:
        assert list(read(pd.DataFrame({"id": [1.0, 2.0]}), id_column="id")) == ["1", "2"]
        assert list(read(pd.DataFrame({"v": [1, 2]}, index=[1.0, 2.5]))) == ["1", "2.5"]

    def test_duplicates_are_refused(self) -> None:
        with pytest.raises(RunError, match=r"index has 1 duplicate, first '7'") as caught:
            read(pd.DataFrame({"v": [1, 2]}, index=[7, 7]))
        assert "reset_index" in str(caught.value)
        with pytest.raises(RunError, match="column 'v' has 1 duplicate"):
            read(pd.DataFrame({"v": [1, 1]}), id_column="v")

    def test_an_unknown_id_column_names_the_nearest(self) -> None:
        with pytest.raises(
            RunError, match=r"no column 'usr'.*it has: user, v; did you mean 'user'"
        ):
            read(pd.DataFrame({"user": [1], "v": [1]}), id_column="usr")

    def test_cells_may_be_arrays(self, digits: pd.DataFrame) -> None:
        elements = read(digits)
        assert np.array_equal(elements["7"]["x"], digits["x"][7])

    def test_columns_become_texts_that_must_differ(self) -> None:
        assert read(pd.DataFrame([[1, 2]])) == {"0": {"0": 1, "1": 2}}
        with pytest.raises(RunError, match="two columns have the same name"):
            read(pd.DataFrame([[1, 2]], columns=["a", "a"]))
        with pytest.raises(RunError, match="two columns have the same name"):
            read(pd.DataFrame([[1, 2]], columns=["1", 1]))

    def test_the_frame_is_left_as_it_was(self) -> None:
        frame = pd.DataFrame({0: [1]})
        read(frame)
        assert list(frame.columns) == [0]

    def test_many_rows_in_order(self) -> None:
        elements = read(pd.DataFrame({"v": range(10_000)}))
        assert [element["v"] for element in elements.values()] == list(range(10_000))
        assert len(read(pd.DataFrame({"v": range(10_000)}), limit=5000)) == 5000


class TestArrays:
    def test_a_row_per_element(self) -> None:
        array = np.arange(24.0).reshape(4, 3, 2)
        elements = read(array)
        assert list(elements) == ["0", "1", "2", "3"]
        assert all(np.array_equal(elements[str(row)], array[row]) for row in range(4))
        assert type(elements["0"]) is np.ndarray

    def test_one_dimension_gives_numbers(self) -> None:
        assert read(np.array([1.5, 2.5])) == {"0": 1.5, "1": 2.5}
        assert np.ndim(read(np.array([1.5]))["0"]) == 0

    def test_one_dimension_of_texts_gives_texts(self) -> None:
        assert read(np.array(["a", "b"]))["1"].upper() == "B"

    def test_objects(self) -> None:
        array = np.array([{"a": 1}, None, "text"], dtype=object)
        assert read(array) == {"0": {"a": 1}, "1": None, "2": "text"}

    def test_an_array_without_dimensions_is_refused(self) -> None:
        with pytest.raises(RunError, match=r"without rows\n  → array.reshape\(1, -1\)"):
            read(np.array(3.0))
        with pytest.raises(RunError, match=r"without rows\n  → tensor.reshape\(1, -1\)"):
            read(torch.tensor(3.0))

    def test_an_array_has_no_columns(self) -> None:
        message = "id='x' names a column, but data of type ndarray has no columns"
        with pytest.raises(RunError, match=message):
            read(np.zeros(3), id_column="x")

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64], ids=str)
    def test_tensors(self, dtype: torch.dtype) -> None:
        tensor = torch.arange(6).reshape(3, 2).to(dtype)
        elements = read(tensor)
        assert elements["2"].dtype == dtype and torch.equal(elements["2"], tensor[2])

    def test_a_view_of_a_big_tensor_is_held_alone(self) -> None:
        big = torch.zeros(10_000, 1000)
        (block,) = objects.blocks("data", big[5:7])
        assert block.values[0].untyped_storage().nbytes() == 8000

    def test_a_tensor_that_needs_a_gradient(self) -> None:
        elements = read(torch.ones(2, 2, requires_grad=True))
        assert not elements["0"].requires_grad


class TestLists:
    def test_an_item_per_element(self) -> None:
        assert read([1, "two", {"three": 3}, None]) == {
            "0": 1, "1": "two", "2": {"three": 3}, "3": None,
        }  # fmt: skip
        assert read(range(3)) == {"0": 0, "1": 1, "2": 2}
        assert len(read(list(range(9000)), limit=4097)) == 4097

    def test_what_cannot_be_stored(self) -> None:
        (block,) = objects.blocks("data", [1, (x for x in "ab")], None, None)
        assert block.ids == ["0"]
        assert [(one.node, one.id, one.error) for one in block.failed] == [
            ("data", "1", "NotStorableError")
        ]

    @pytest.mark.parametrize("value", [7, {1, 2}, b"bytes"], ids=repr)
    def test_objects_that_are_not_data(self, value: Any) -> None:
        with pytest.raises(
            RunError, match="allowed: a DataFrame, Series, list, tuple, range, numpy array"
        ):
            read(value)


class TestFiles:
    def test_parquet(self, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        frame = pd.DataFrame({"id": range(5000), "x": [[i, i + 1] for i in range(5000)]})
        frame.to_parquet(path)
        elements = read(path)
        assert len(elements) == 5000
        assert list(elements[f"{path.name}#4999"]["x"]) == [4999, 5000]
        assert list(read(str(path), limit=4500))[-1] == f"{path.name}#4499"

    def test_csv_rows_of_the_wrong_length_fail_alone(self, tmp_path: Path) -> None:
        path = file(tmp_path / "a.csv", "a,b\n1,2\n1,2,3\n4\n5,6\n")
        elements = read(path)
        assert elements[f"{path.name}#0"] == {"a": 1, "b": 2}
        assert str(elements[f"{path.name}#1"]) == "3 cells where the header has 2"
        assert isinstance(elements[f"{path.name}#2"], ValueError)
        assert elements[f"{path.name}#3"] == {"a": 5, "b": 6}

    def test_csv_with_blank_lines_quoted_newlines_and_a_bom(self, tmp_path: Path) -> None:
        text = '\ufeffa,b\r\n\r\n"x\r\ny",1\r\n\r\nbad\r\n"p\n\n\nq",2\r\nz,3\r\n\r\n'
        path = file(tmp_path / "a.csv", text)
        elements = read(path)
        assert [e["a"] if isinstance(e, dict) else type(e) for e in elements.values()] == [
            "x\r\ny", ValueError, "p\n\n\nq", "z",
        ]  # fmt: skip
        assert [e["b"] for e in elements.values() if isinstance(e, dict)] == [1, 2, 3]

    def test_csv_with_long_texts(self, tmp_path: Path) -> None:
        path = file(tmp_path / "a.csv", "a,b\n1," + "word " * 50_000 + "\n")
        assert len(read(path)[f"{path.name}#0"]["b"]) == 250_000

    def test_csv_with_a_header_alone(self, tmp_path: Path) -> None:
        assert read(file(tmp_path / "a.csv", "a,b\n")) == {}

    def test_csv_has_a_limit_too(self, tmp_path: Path) -> None:
        path = file(tmp_path / "a.csv", "a\n" + "".join(f"{i}\n" for i in range(50)))
        assert [element["a"] for element in read(path, limit=3).values()] == [0, 1, 2]

    def test_jsonl_lines_that_are_no_json_fail_alone(self, tmp_path: Path) -> None:
        lines = [b'\xef\xbb\xbf{"a": 1}', b"", b"{oops", b'{"a": "\xff"}', b"[1, 2]", b'"\xc3\xa9"']
        path = file(tmp_path / "a.jsonl", b"\r\n".join(lines) + b"\n")
        elements = read(path)
        found = [type(e) if is_error(e) else e for e in elements.values()]
        assert found == [{"a": 1}, json.JSONDecodeError, UnicodeDecodeError, [1, 2], "é"]

    def test_ids_from_a_column_of_a_file(self, tmp_path: Path) -> None:
        path = file(tmp_path / "a.jsonl", '{"k": "p"}\n{"other": 1}\n{"k": 2.0}\n')
        result = mm.run(mm.pipeline(f"read({str(path)!r}, id='k')"), max_failed=1)
        assert result["read"]["id"].tolist() == ["p", "2"]
        assert result.failed["id"].tolist() == [f"{path.name}#1"]
        assert "no field 'k'" in result.failed["message"][0]

    def test_npy(self, tmp_path: Path) -> None:
        path = tmp_path / "a.npy"
        np.save(path, np.arange(6).reshape(3, 2))
        assert read(path)[f"{path.name}#2"].tolist() == [4, 5]

    def test_a_file_that_was_written_anew_is_read_anew(self, tmp_path: Path) -> None:
        path = tmp_path / "a.npy"
        for rows in (1000, 10):
            np.save(path, np.full((rows, 2), rows))
            elements = read(path)
            assert len(elements) == rows and int(elements[f"{path.name}#9"][0]) == rows

    def test_a_folder_and_a_glob_of_images(self, tmp_path: Path) -> None:
        for label, mode in (("cat", "RGB"), ("dog", "L")):
            folder = tmp_path / label
            folder.mkdir()
            Image.new(mode, (4, 3)).save(folder / "one.png")
        file(tmp_path / "dog" / "bad.png", b"no picture")
        file(tmp_path / "dog" / "notes.txt", b"no picture")
        elements = read(tmp_path)
        cat, bad, dog = elements.values()
        assert cat["image"].shape == (3, 4, 3) and cat["image"].dtype == np.uint8
        assert dog["image"].shape == (3, 4)
        assert (cat["label"], dog["label"]) == ("cat", "dog")
        assert dog["path"] == str(tmp_path / "dog" / "one.png")
        assert list(elements) == ["cat/one.png", "dog/bad.png", "dog/one.png"]
        assert isinstance(bad, UnidentifiedImageError)
        assert list(read(str(tmp_path / "*" / "one.png"))) == ["cat/one.png", "dog/one.png"]

    def test_a_limit_over_several_files(self, tmp_path: Path) -> None:
        for name, rows in (("a", 3), ("b", 0), ("c", 4)):
            file(tmp_path / f"{name}.jsonl", "".join(f"{i}\n" for i in range(rows)))
        glob = str(tmp_path / "*.jsonl")
        assert list(read(glob).values()) == [0, 1, 2, 0, 1, 2, 3]
        assert list(read(glob, limit=5).values()) == [0, 1, 2, 0, 1]
        assert list(read(glob, limit=2).values()) == [0, 1]
        assert len(read(glob, limit=100)) == 7

    def test_files_that_are_not_there(self, tmp_path: Path) -> None:
        for missing in (tmp_path / "no.csv", tmp_path / "*.parquet", tmp_path):
            with pytest.raises(RunError, match="no file matches"):
                read(missing)

    def test_an_unknown_file_extension(self, tmp_path: Path) -> None:
        with pytest.raises(RunError, match=r"allowed endings: .*did you mean .jsonl"):
            read(file(tmp_path / "a.json", "[]"))

    @pytest.mark.parametrize("ending", ["parquet", "npy", "csv"])
    def test_a_file_that_is_broken(self, tmp_path: Path, ending: str) -> None:
        path = file(tmp_path / f"a.{ending}", b"\x00\xff" if ending != "csv" else b"")
        graph = mm.pipeline(f"data = read({str(path)!r}) | repr")
        with pytest.raises(RunError, match=rf"a\.{ending}"):
            mm.run(graph)

    def test_an_array_of_objects_in_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a.npy"
        np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
        with pytest.raises(RunError, match=r"a\.npy"):
            read(path)

    def test_an_array_has_no_ids(self, tmp_path: Path) -> None:
        path = tmp_path / "a.npy"
        np.save(path, np.zeros(3))
        with pytest.raises(RunError, match="has no columns"):
            read(path, id_column="x")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> mm.Result:
    """Run a source of every kind, also empty ones."""
    folder = tmp_path_factory.mktemp("many")
    file(folder / "a.csv", "a,b\n1,x\n2\n3,z\n" + "4,w\n" * 30)
    (folder / "b.jsonl").write_text("".join(json.dumps({"a": i}) + "\n" for i in range(3)))
    names: dict[str, Any] = {
        "frame": pd.DataFrame({"a": [1, 2]}, index=["p", "q"]),
        "items": ["u", "v"],
        "array": np.ones((5000, 2)),
        "tensor": torch.ones(3, 2),
        "table": folder / "a.csv",
        "lines": str(folder / "*.jsonl"),
        "no_rows": pd.DataFrame({"a": []}),
        "no_items": [],
        "no_array": np.zeros((0, 3)),
        "no_tensor": torch.zeros(0, 3),
    }
    return mm.run(mm.pipeline("\n".join(f"{name} | repr" for name in names), **names))


def test_every_kind_of_source_runs(many: mm.Result) -> None:
    counts = many.nodes["elements_out"]
    assert {n: counts[n] for n in ("frame", "items", "array", "tensor", "table", "lines")} == {
        "frame": 2, "items": 2, "array": 5000, "tensor": 3, "table": 32, "lines": 3,
    }  # fmt: skip
    assert many["frame"]["id"].tolist() == ["p", "q"]
    assert many["array"]["id"].tolist() == [str(row) for row in range(5000)]


def test_a_bad_row_of_a_file_costs_itself_alone(many: mm.Result) -> None:
    assert len(many.failed) == 1
    failure = many.failed.iloc[0]
    assert failure["node"] == "table" and failure["id"].endswith("a.csv#1")
    assert failure["message"] == "1 cells where the header has 2"


@pytest.mark.parametrize("name", ["no_rows", "no_items", "no_array", "no_tensor"])
def test_a_source_without_elements_gives_an_empty_table(many: mm.Result, name: str) -> None:
    assert many.nodes.loc[name, "elements_out"] == 0
    assert len(many[name]) == 0
    assert "id" in many[name].columns


def test_the_pipeline_does_not_hold_the_data() -> None:
    array = np.random.default_rng(0).random((6_250, 1000))
    pipeline = beam.Pipeline()
    mm.compile_graph(mm.pipeline("array | repr", array=array), pipeline)
    assert array.nbytes == 50_000_000
    assert len(pipeline.to_runner_api().SerializeToString()) < 100_000


def test_an_id_of_a_file_that_came_before_fails(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"k": min(row, 18)}) for row in range(20)))
    result = mm.run(mm.pipeline(f"read({str(path)!r}, id='k')"))
    assert result["read"]["id"].tolist() == [str(row) for row in range(19)]
    assert result.failed["id"].tolist() == [f"{path.name}#19"]
    assert "duplicate k '18'; ids must be unique" in result.failed["message"][0]


class TestCopies:
    """Changes of the data in the notebook after the start of a run do not affect the run."""

    def test_of_arrays_and_tensors(self) -> None:
        array, tensor = np.zeros((3, 2)), torch.zeros(3, 2)
        made = objects.blocks("data", array) + objects.blocks("data", tensor)
        array[:] = 1
        tensor[:] = 1
        assert all(not item.any() for block in made for item in block.values)

    def test_of_what_a_list_holds(self) -> None:
        items: list[Any] = [[0], {"a": [0]}, np.zeros(2), torch.zeros(3), {0}, ([0],), np.zeros(5)]
        (block,) = objects.blocks("data", items)
        items[0].append(1)
        items[1]["a"].append(1)
        items[2][:] = items[3][:] = 1
        items[4].add(1)
        items[5][0].append(1)
        kept = block.values.rows()
        assert kept[:2] == [[0], {"a": [0]}] and kept[4:6] == [{0}, ([0],)]
        assert not kept[2].any() and not kept[3].any()

    def test_of_what_the_cells_of_a_frame_hold(self) -> None:
        frame = pd.DataFrame({"n": [0, 0], "x": [np.zeros(2), np.zeros(2)], "list": [[0], []]})
        (block,) = objects.blocks("data", frame)
        frame.loc[0, "n"] = 1
        frame["x"][0][:] = 1
        frame["list"][0].append(1)
        first = block.values[0]
        assert first["n"] == 0 and not first["x"].any() and first["list"] == [0]

    def test_a_masked_array_is_refused(self) -> None:
        with pytest.raises(RunError, match=r"masked array[\s\S]*filled"):
            read(np.ma.masked_array([1, 2], [True, False]))

    def test_a_sparse_tensor_gives_sparse_rows(self) -> None:
        elements = read(torch.eye(3).to_sparse())
        assert elements["1"].to_dense().tolist() == [0, 1, 0]

    def test_an_array_in_the_order_of_fortran(self) -> None:
        array = np.asfortranarray(np.arange(6.0).reshape(3, 2))
        assert read(array)["2"].tolist() == [4, 5]
        assert read(array)["2"].flags.c_contiguous


class TestBlocks:
    """The sizes of blocks."""

    def test_numbers_stay_columns(self) -> None:
        frame = pd.DataFrame({"n": range(5000), "x": [np.ones(3)] * 5000, "s": ["a"] * 5000})
        first, second = objects.blocks("data", frame)
        assert (len(first), len(second)) == (4096, 904)
        assert isinstance(first.values, Records)
        assert isinstance(first.values.columns["n"], Numbers)
        assert isinstance(first.values.columns["x"], Arrays)

    @pytest.mark.parametrize(
        "value",
        [
            [np.zeros(1 << 20, np.uint8)] * 70,
            [{"image": np.zeros(1 << 20, np.uint8)}] * 70,
            np.zeros((70, 1 << 20), np.uint8),
            torch.zeros(70, 1 << 20, dtype=torch.uint8),
            pd.DataFrame({"image": [b"x" * (1 << 20)] * 70}),
        ],
        ids=["list", "records", "array", "tensor", "frame"],
    )
    def test_big_elements_come_a_few_at_a_time(self, value: Any) -> None:
        made = objects.blocks("data", value)
        assert sum(map(len, made)) == 70
        assert max(map(len, made)) <= 32
        assert len(made) <= 4

    def test_big_elements_among_small_ones(self) -> None:
        items = [np.zeros(1 << 23 if row % 1000 == 0 else 1, np.uint8) for row in range(9000)]
        made = objects.blocks("data", items)
        assert sum(map(len, made)) == 9000
        assert max(sum(map(size_of, block.values)) for block in made) <= 1 << 26

    def test_a_limit_is_taken_first(self) -> None:
        for value in (np.ones((9, 2)), torch.ones(9, 2), [1.0] * 9, range(9), ("a",) * 9):
            (block,) = objects.blocks("data", value, None, 2)
            assert block.ids == ["0", "1"]
        frame = pd.DataFrame({"v": [1, 2, 3]}, index=[2.5, 1.0, 0.5])
        assert list(read(frame, limit=2)) == ["2.5", "1"]

    def test_a_thousand_images_are_few_parts_and_few_blocks(self, tmp_path: Path) -> None:
        for number in range(200):
            Image.new("L", (4, 3)).save(tmp_path / f"{number:03}.png")
        parts = sources.plan_path(str(tmp_path), None).parts()
        assert [len(part) for part in parts] == [64, 32, 64, 40]
        chunks = [chunk for part in parts for _, chunk in readers.read_part(part)]
        assert len(chunks) == 4
        names = sorted(path.name for path in tmp_path.iterdir())
        assert [row for rows, _ in chunks for row in rows] == names
        assert all(isinstance(values, Records) for _, values in chunks)
        assert isinstance(chunks[0][1].columns["image"], Arrays)  # type: ignore[attr-defined]

    def test_small_files_of_any_kind_go_together(self, tmp_path: Path) -> None:
        for number in range(10):
            file(tmp_path / f"{number}.jsonl", '{"a": 1}\n{"a": 2}\n')
        plan = sources.plan_path(str(tmp_path / "*.jsonl"), None)
        (part,) = plan.parts()
        ((_, (rows, values)),) = readers.read_part(part)
        assert rows == [f"{number}.jsonl#{row}" for number in range(10) for row in (0, 1)]
        assert isinstance(values, Records)

    def test_a_big_array_is_shared(self, tmp_path: Path) -> None:
        path = tmp_path / "a.npy"
        np.save(path, np.arange(40_000))
        plan = sources.plan_path(str(path), None)
        assert [len(part) for part in plan.parts()] == [1, 1, 1]
        assert list(files(plan).values()) == list(range(40_000))
        few = plan.first(20_000)
        assert len(few.parts()) == 2
        assert list(files(few).values()) == list(range(20_000))

    def test_a_big_parquet_is_shared_between_row_groups(self, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        frame = pd.DataFrame({"n": range(60_000)})
        frame.to_parquet(path, row_group_size=7000)
        plan = sources.plan_path(str(path), None)
        starts = [part[0].start for part in plan.parts()]
        assert starts == [0, 21_000, 42_000]
        assert [item["n"] for item in files(plan).values()] == list(range(60_000))
        few = plan.first(43_210)
        assert [item["n"] for item in files(few).values()] == list(range(43_210))
        frame.to_parquet(path)
        assert len(sources.plan_path(str(path), None).parts()) == 1

    def test_whole_numbers_of_a_parquet_stay_whole_numbers(self, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        pd.DataFrame({"n": pd.array([1, None, 3], "Int64")}).to_parquet(path)
        table = pd.DataFrame({"n": [1, None, 3]}, dtype=object)
        table.to_parquet(tmp_path / "b.parquet")
        values = [item["n"] for item in read(tmp_path / "b.parquet").values()]
        assert values == [1, None, 3] and type(values[0]) is int
        values = [item["n"] for item in read(path).values()]
        assert values[::2] == [1, 3] and type(values[0]) is int

    def test_an_array_that_became_shorter_is_not_read(self, tmp_path: Path) -> None:
        path = tmp_path / "a.npy"
        np.save(path, np.arange(10))
        plan = sources.plan_path(str(path), None).first(8)
        np.save(path, np.arange(5))
        with pytest.raises(RunError, match=r"a\.npy.*5 rows; when it was first read, it had 8"):
            files(plan)

    def test_a_missing_file_is_an_error(self, tmp_path: Path) -> None:
        path = file(tmp_path / "a.jsonl", "1\n")
        plan = sources.plan_path(str(path), None)
        (part,) = plan.parts()
        path.unlink()
        with pytest.raises(RunError, match=r"cannot read .*a\.jsonl"):
            list(readers.read_part(part))
        with pytest.raises(RunError, match=r"cannot read .*a\.jsonl"):
            plan.parts()


@given(
    lines=st.lists(st.sampled_from(["1,x", "2,", "3", "4,y,z", "", '"5","a\nb"']), max_size=12),
    limit=st.none() | st.integers(0, 12),
    most=st.sampled_from([1, 2, 5, 4096]),
)
def test_a_csv_in_chunks_of_any_size(lines: list[str], limit: int | None, most: int) -> None:
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(block_size, "ROWS", most)
        path = file(Path(folder, "a.csv"), "\n".join(["a,b", *lines, ""]))
        found = list(read(path, limit=limit).values())
    rows = [row for row in csv.reader(io.StringIO("\n".join(lines))) if row]
    assert len(found) == min(len(rows), len(rows) if limit is None else limit)
    for item, row in zip(found, rows, strict=False):
        assert is_error(item) == (len(row) != 2)
        assert is_error(item) or str(item["a"]) == row[0]
