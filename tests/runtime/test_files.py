"""Files: compressed files, unreadable files in a glob, and the dtypes of columns."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mmnotebook as mm
from mmnotebook.elements import frames
from mmnotebook.errors import RunError
from mmnotebook.sources import block_size, identity, readers, sources


def zst(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zst,
}


def same(value: Any) -> Any:
    return value


def run(path: Path, **options: Any) -> mm.Result:
    graph = mm.pipeline(f'rows = read("{path}")\nrows | same', same=same)
    return mm.run(graph, progress=False, max_failed=0.6, **options)


def values(path: Path, **options: Any) -> list[Any]:
    return list(run(path, **options)["same"]["value"])


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("upper", [False, True])
def test_compressed(tmp_path: Path, ending: str, upper: bool) -> None:
    table = tmp_path / f"a.csv{ending.upper() if upper else ending}"
    table.write_bytes(PACK[ending]("\ufeffa,b\n1,ü\n2,y,z\n3,\n".encode()))
    result = run(table)
    assert list(result["same"]["id"]) == [f"{table.name}#0", f"{table.name}#2"]
    assert result["same"]["value"].iloc[0] == {"a": 1, "b": "ü"}
    assert list(result.failed["id"]) == [f"{table.name}#1"]
    lines = tmp_path / f"a.jsonl{ending}"
    lines.write_bytes(PACK[ending](b'{"a": 1}\n\n{"a": 2}\n'))
    assert values(lines) == [{"a": 1}, {"a": 2}]
    assert values(lines, limit=1) == [{"a": 1}]


def test_other_compressed_files_are_refused(tmp_path: Path) -> None:
    for name in ("a.npy.gz", "a.parquet.gz", "a.gz", "a.png.xz"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(RunError, match=r"\.csv and \.jsonl also with one of \.gz, \.bz2"):
            sources.plan_path(str(tmp_path / name), None)


@pytest.mark.parametrize(
    "name", ["a.csv", "a.jsonl.gz", "a.parquet", "a.npy", "a.csv.zst", "a.csv.xz", "a.png"]
)
def test_an_unreadable_file_of_a_glob_fails_alone(tmp_path: Path, name: str) -> None:
    bad = tmp_path / name
    bad.write_bytes(b"no" if name == "a.jsonl.gz" else b"")  # an empty file, gzipped
    (tmp_path / "b.jsonl").write_text("1\n2\n3\n")
    result = run(tmp_path / "*.*")
    assert list(result["same"]["value"]) == [1, 2, 3]
    (failed,) = result.failed.to_dict("records")
    assert (failed["node"], failed["id"]) == ("rows", bad.name) and failed["message"]
    assert result.nodes.loc["rows", "failed"] == 1
    for limit, expected in ((1, []), (2, [1]), (4, [1, 2, 3])):
        graph = mm.pipeline(f'rows = read("{tmp_path}/*.*")\nrows | same', same=same)
        some = mm.run(graph, limit=limit, progress=False, max_failed=1.0)
        assert list(some["same"]["value"]) == expected and len(some.failed) == 1


def test_rows_read_before_the_error_stay(tmp_path: Path) -> None:
    data = b"".join(b"%d\n" % number for number in range(9000))
    packed = gzip.compress(data)
    (tmp_path / "a.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "b.jsonl").write_text("-1\n")
    result = run(tmp_path / "*")
    assert list(result.failed["id"]) == ["a.jsonl.gz"]
    found = list(result["same"]["value"])
    assert found[-1] == -1 and found[:-1] == list(range(len(found) - 1)) and len(found) > 1000
    assert len(run(tmp_path / "*", limit=10)["same"]) == 10


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl.gz", "a.parquet", "a.npy"])
def test_a_file_that_is_named_stops_the_run(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"not this")
    if name == "a.csv":
        path.write_bytes(b"")
    with pytest.raises(RunError, match=rf"cannot read .*{name}"):
        values(path)


def test_a_file_of_a_glob_that_is_gone(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text("1\n")
    plan = sources.plan_path(str(tmp_path / "*.jsonl"), None)
    before = identity.of_files(plan)
    (tmp_path / "a.jsonl").unlink()
    assert identity.of_files(plan) != before
    ((_, (rows, found)),) = (chunk for part in plan.parts() for chunk in readers.read_part(part))
    assert rows == ["a.jsonl", "b.jsonl#0"]
    error, value = found
    assert isinstance(error, FileNotFoundError) and value == 1


def dtypes_of(path: Path) -> list[dict[str, Any]]:
    """Return the dtypes of each block's frame."""
    parts = sources.plan_path(str(path), None).parts()
    chunks = [chunk for part in parts for _, chunk in readers.read_part(part)]
    return [dict(frames.frame_of(getattr(v, "good", v)).dtypes) for _, v in chunks]


def test_columns_of_a_parquet_have_the_dtypes_of_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    frame = pd.DataFrame(
        {
            "c": pd.Categorical(list("aaaaabbbbb"), categories=["z", "b", "a"], ordered=True),
            "I": pd.array([1, None, *range(8)], dtype="Int64"),
            "s": pd.array(list("abcdefghij"), dtype="string"),
            "B": pd.array([True, None] * 5, dtype="boolean"),
            "b": [*[True] * 9, None],
            "t": pd.date_range("2020", periods=10, tz="Europe/Berlin"),
            "f": np.arange(10, dtype="float32"),
            "u": np.arange(10, dtype="uint64"),
            "d": pd.to_timedelta(np.arange(10), unit="s"),
        }
    )
    table = pa.Table.from_pandas(frame)
    table = table.append_column("n", pa.array([1, 2, 3, 4, 5, 6, None, 8, 9, 10], pa.int32()))
    other = pa.array(list("aaaaabbbbb")).dictionary_encode()
    table = table.append_column("o", other)
    pq.write_table(table, path, row_group_size=5)
    monkeypatch.setattr(block_size, "ROWS", 3)
    monkeypatch.setattr(readers, "ROWS", 3)
    expected = dict(pd.read_parquet(path).dtypes)
    found = dtypes_of(path)
    assert len(found) == 4
    for dtypes in found:
        assert dtypes == expected
    assert expected["n"] == np.float64 and list(expected["o"].categories) == ["a", "b"]
    pq.write_table(table, path, row_group_size=5, write_statistics=False)
    assert all(dtypes == expected for dtypes in dtypes_of(path))


def test_a_function_is_given_whole_numbers_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": pa.array([1, None], pa.int32())}), path)
    assert [row["n"] for row in values(path)] == [1, None]


def test_rows_of_a_csv_beside_a_wrong_one_keep_their_dtypes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b,c\n1,,x\n2,3\n3,2.5,y\n")
    assert dtypes_of(path) == [{"a": np.int64, "b": np.float64, "c": np.dtype(object)}]


def test_categories_of_several_parquet_files_are_united(tmp_path: Path) -> None:
    for name in "ab":
        frame = pd.DataFrame({"c": pd.Categorical([name])})
        frame.to_parquet(tmp_path / f"{name}.parquet")
    (found,) = dtypes_of(tmp_path / "*.parquet")
    assert list(found["c"].categories) == ["a", "b"]
