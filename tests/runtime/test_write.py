"""Files of `write` steps: every value is exact, or an error names it."""

from __future__ import annotations

import datetime
import errno
import itertools
import json
import os
import stat
import threading
import weakref
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import scipy.sparse
import torch
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

import mmnotebook as mm
from mmnotebook import storage
from mmnotebook.elements.block import Block
from mmnotebook.elements.packing import pack
from mmnotebook.errors import RunError
from mmnotebook.sources import writers, written

ENDINGS = ("csv", "jsonl", "parquet")
BIG = 2**53 + 1


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read_back(values: Any, ending: str) -> pd.DataFrame:
    """Return the values that are read from a file with these values, without ids."""
    path = f"out.{ending}"
    ids = list(map(str, range(len(values))))
    writers.write(path, [Block(ids, pack(values))])
    if ending == "parquet":
        return pd.read_parquet(path).drop(columns="id")
    if ending == "csv":
        return pd.read_csv(path, dtype=object, keep_default_na=False).drop(columns="id")
    rows = [
        json.loads(line, parse_constant=no_json) for line in Path(path).read_bytes().splitlines()
    ]
    return pd.DataFrame(
        {name: pd.Series([row.get(name) for row in rows], dtype=object) for name in rows[0]}
    ).drop(columns="id")


def no_json(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")


def run(text: str, **names: Any) -> Any:
    return mm.run(mm.pipeline(text, **names), progress=False)


def same(value: Any) -> Any:
    return value


class TestNumbers:
    @pytest.mark.parametrize("last", [1234567890123456789, 2**64 - 1])
    @pytest.mark.parametrize("ending", ENDINGS)
    def test_whole_numbers_stay_whole_where_one_is_missing(self, ending: str, last: int) -> None:
        cells = read_back([BIG, None, last], ending)["value"].tolist()
        assert [str(cells[0]), str(cells[2])] == [str(BIG), str(last)]
        assert pd.isna(cells[1]) or cells[1] == ""

    @pytest.mark.parametrize("ending", ENDINGS)
    def test_records_of_which_one_lacks_the_field(self, ending: str) -> None:
        cells = read_back([{"a": BIG}, {}], ending)["a"].tolist()
        assert str(cells[0]) == str(BIG)

    @pytest.mark.parametrize("ending", ENDINGS)
    def test_of_a_frame_through_a_run(self, ending: str) -> None:
        orders = pd.DataFrame({"order": pd.array([BIG, None, 10**18 + 1], dtype="Int64")})
        orders.to_parquet("in.parquet")
        run(f'read("in.parquet") | same | write("out.{ending}")', same=same)
        if ending == "parquet":
            found = pd.read_parquet("out.parquet")["order"].tolist()
            assert found == [BIG, pd.NA, 10**18 + 1]
        else:
            text = Path(f"out.{ending}").read_text()
            assert str(BIG) in text and str(10**18 + 1) in text and ".0" not in text

    def test_predictions(self) -> None:
        class Account:
            def predict(self, xs: list[int]) -> list[int | None]:
                return [None if x == 2 else 10**18 + x for x in xs]

        mm.register("account", Account())
        run('rows | account | write("out.parquet")', rows=[1, 2, 3])
        assert pd.read_parquet("out.parquet")["prediction"].tolist()[::2] == [
            10**18 + 1,
            10**18 + 3,
        ]

    def test_dtypes_of_a_frame_are_kept(self) -> None:
        frame = pd.DataFrame(
            {
                "n": pd.array([1, None], dtype="Int8"),
                "b": pd.array([True, None], dtype="boolean"),
                "c": pd.Categorical(["x", "y"]),
                "f": np.array([0.1, 0.2], dtype="float32"),
                "d": pd.to_datetime(["2020-01-01", None]),
            }
        )
        run('rows | write("out.parquet")', rows=frame)
        found = pd.read_parquet("out.parquet").drop(columns="id")
        pd.testing.assert_frame_equal(found, frame)

    @pytest.mark.parametrize("ending", ["csv", "parquet"])
    def test_integers_that_no_float_represents_are_refused(self, ending: str) -> None:
        with pytest.raises(
            RunError, match=rf"field 'value'.*float64 cannot represent {BIG}\n.*jsonl"
        ):
            read_back([BIG, 0.5], ending)
        assert read_back([BIG, 0.5], "jsonl")["value"].tolist() == [BIG, 0.5]
        assert list(map(float, read_back([2, 0.5], ending)["value"])) == [2.0, 0.5]


class TestNames:
    def test_a_file_that_mmnotebook_wrote_is_read_and_written_twice(self) -> None:
        run('rows | same | write("a.csv")', rows=[{"v": 1}], same=same)
        run('read("a.csv") | same | write("b.csv")', same=same)
        r = run('read("b.csv") | same | write("c.csv")', same=same)
        assert list(pd.read_csv("c.csv")) == ["id", "id_field_field", "id_field", "v"]
        assert {"id_field_field", "id_field"} <= set(r["same"].columns)

    def test_fields_and_values_together(self) -> None:
        found = read_back([{"value": 1, "value_field": 2}, 3], "jsonl")
        assert found.iloc[0].tolist() == [1, 2] and list(found) == [
            "value_field_field",
            "value_field",
        ]
        assert json.loads(Path("out.jsonl").read_text().splitlines()[1]) == {"id": "1", "value": 3}

    @pytest.mark.parametrize("ending", ENDINGS)
    @pytest.mark.parametrize("nested", [False, True])
    def test_names_with_the_same_text_are_refused(self, ending: str, nested: bool) -> None:
        record = {1: "int", "1": "text"}
        with pytest.raises(RunError, match=r"1 \(int\) and '1' \(str\)\n.*rename one"):
            read_back([{"a": record} if nested else record], ending)


class Foo:
    pass


TABLES: list[tuple[Any, Any]] = [
    (pd.Series(range(100)), list(range(100))),
    (pd.Index(["a", "b"]), ["a", "b"]),
    (pd.DataFrame({"a": range(100)}), [{"a": i} for i in range(100)]),
    (np.arange(3000).reshape(30, 100), np.arange(3000).reshape(30, 100).tolist()),
    (np.ma.array([1, 2], mask=[0, 1]), [1, None]),
    (np.zeros(1, dtype=[("a", int), ("b", float)]), [{"a": 0, "b": 0.0}]),
    (np.array(["2020-01-01T00:00:00.000000001"], "M8[ns]"), ["2020-01-01 00:00:00.000000001"]),
    (np.array(["a", None, 1.5], dtype=object), ["a", None, 1.5]),
    (torch.arange(3000), list(range(3000))),
    (torch.ones(2, dtype=torch.bfloat16), [1.0, 1.0]),
    ({"x": torch.arange(2), "y": pd.NA}, {"x": [0, 1], "y": None}),
    ([np.float32(0.5), np.nan, (1, 2)], [0.5, None, [1, 2]]),
]


class TestKinds:
    @pytest.mark.parametrize(("value", "wanted"), TABLES)
    def test_nested_values_are_written_completely(self, value: Any, wanted: Any) -> None:
        assert read_back([{"a": value}], "jsonl")["a"].tolist() == [wanted]
        assert json.loads(read_back([{"a": value}], "csv")["a"][0]) == wanted

    @pytest.mark.parametrize("ending", ENDINGS)
    @pytest.mark.parametrize(
        ("value", "remedy"),
        [
            (scipy.sparse.eye(3).tocsr(), "matrix.toarray()"),
            (Foo(), "a string, a number"),
            ({1, 2}, "sorted(items)"),
            (1 + 2j, "number.real"),
            (np.complex64(1), "number.real"),
            (np.array([1j]), "number.real"),
        ],
    )
    def test_objects_without_a_file_representation_are_refused(
        self, ending: str, value: Any, remedy: str
    ) -> None:
        for wrapped in (value, [value], {"in": value}):
            with pytest.raises(RunError, match="field 'f' of element '1' is of type") as caught:
                read_back([{"f": 1}, {"f": wrapped}], ending)
            assert remedy in str(caught.value)

    def test_bytes_are_for_parquet(self) -> None:
        assert read_back([b"\xff"], "parquet")["value"].tolist() == [b"\xff"]
        for ending in ("csv", "jsonl"):
            with pytest.raises(RunError, match=r"'value' of element '0' is bytes.*\n.*\.parquet"):
                read_back([b"\xff"], ending)

    def test_the_run_names_the_field_and_leaves_the_file(self) -> None:
        Path("old.csv").write_text("old")
        with pytest.raises(RunError, match="'write' cannot write 'old.csv': field 'f'") as caught:
            run('rows | same | write("old.csv")', rows=[{"f": {1, 2}}], same=same)
        assert caught.value.node == "write" and "sorted(items)" in str(caught.value)
        assert Path("old.csv").read_text() == "old" and [*Path().iterdir()] == [Path("old.csv")]

    def test_texts_with_returns_are_one_cell(self) -> None:
        text = 'a\rb\nc\r\nd,"e'
        read_back([text, "x"], "csv")
        assert pd.read_csv("out.csv", lineterminator=None)["value"].tolist() == [text, "x"]

    @pytest.mark.parametrize(
        "values",
        [
            [[pd.Timestamp(1)]],
            [datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, 5)],
            [{"a": [datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, 5)]}],
        ],
    )
    def test_parquet_cuts_no_date(self, values: list[Any]) -> None:
        with pytest.raises(RunError, match="parquet would store"):
            read_back(values, "parquet")


class TestMissing:
    def test_json_has_null_for_what_is_missing_and_for_nan(self) -> None:
        values = [pd.NaT, pd.NA, None, float("nan"), np.datetime64("NaT"), Decimal("NaN")]
        assert read_back(values, "jsonl")["value"].tolist() == [None] * 6
        assert read_back([values], "jsonl")["value"].tolist() == [[None] * 6]

    @pytest.mark.parametrize("value", [float("inf"), float("-inf"), Decimal("inf"), [np.inf]])
    def test_json_has_no_infinity(self, value: Any) -> None:
        with pytest.raises(RunError, match=r"'value' of element '1' is infinite.*\n.*\.parquet"):
            read_back([1.0, value], "jsonl")

    def test_the_others_have_infinity(self) -> None:
        assert read_back([float("inf"), 1.0], "csv")["value"].tolist() == ["inf", "1.0"]
        assert read_back([float("inf"), 1.0], "parquet")["value"].tolist() == [float("inf"), 1.0]


PRINTED = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1)
FLAT = st.one_of(
    *(
        st.lists(st.none() | cell, min_size=1, max_size=5)
        for cell in (
            st.integers(-(2**63), 2**63 - 1),
            st.floats(allow_infinity=False),
            st.booleans(),
            PRINTED,
            st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
        )
    )
)


class TestRoundTrip:
    @pytest.mark.parametrize("ending", ENDINGS)
    @given(values=FLAT)
    def test_values_read_back_are_equal(self, ending: str, values: list[Any]) -> None:
        found = read_back([{"a": value} for value in values], ending)["a"].tolist()
        for one, other in zip(values, found, strict=True):
            if one is None or one != one:
                assert pd.isna(other) or other == ""
            elif ending == "csv" and isinstance(one, list):
                assert json.loads(other) == one
            elif ending == "csv":
                assert str(one) == other
            else:
                assert list(other) == one if isinstance(one, list) else other == one

    @given(values=FLAT)
    def test_lines_hold_any_json(self, values: list[Any]) -> None:
        values = [{"deep": [value, {"x": value}]} for value in values]
        found = read_back(values, "jsonl")["deep"].tolist()
        wanted = [None if one != one else one for one in (v["deep"][0] for v in values)]
        assert found == [[one, {"x": one}] for one in wanted]


# In blocks: the file is that of one block with all elements.

MOMENTS = st.sampled_from(
    [
        pd.Timestamp("2020-01-01"),
        pd.Timestamp("2020-01-01 05:00"),
        pd.Timestamp("2020-01-01 05:00:00.25"),
        pd.Timestamp("2020-01-01 05:00:00.000001"),
        pd.Timestamp("2020-01-01 05:00:00.000000001"),
    ]
)
CELLS = (
    st.integers(-3, 3),
    st.sampled_from([BIG, 2**63, 2**64 - 1, -(2**63)]),
    st.floats(allow_infinity=False),
    st.booleans(),
    st.sampled_from(["a", "b\rc", "d,e", 'f"g', "h\ni", ""]),
    MOMENTS,
    MOMENTS.map(lambda one: one.tz_localize("Europe/Berlin")),
    st.sampled_from([pd.Timedelta("1 day"), pd.Timedelta("5 min"), pd.Timedelta(1)]),
    st.sampled_from([datetime.date(2020, 1, 1), Decimal("1.5"), Decimal("2.25"), b"x"]),
    st.lists(st.integers(-2, 2) | st.floats(allow_infinity=False), max_size=2),
    st.dictionaries(st.sampled_from("pq"), st.integers(-2, 2), max_size=2),
    st.none(),
)


@st.composite
def elements(draw: st.DrawFn) -> list[Any]:
    """Draw records or values; the fields of a name mostly have few types."""
    of_name = {
        name: draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=2)) for name in "ab"
    }

    def value(name: str) -> Any:
        return draw(draw(st.sampled_from(of_name[name])))

    found: list[Any] = []
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["record", "record", "record", "part", "value"]))
        record = {name: value(name) for name in ("ab" if kind == "record" else "b")}
        found.append(record["b"] if kind == "value" else record)
    return found


def content(path: str) -> Any:
    if path.endswith("parquet"):
        table = pq.read_table(path)
        return table.schema.to_string(), repr(table.to_pylist())
    return Path(path).read_bytes()


def outcome(path: str, blocks: list[Block]) -> Any:
    """Return the content of a file with these blocks, or the error."""
    try:
        writers.write(path, blocks)
    except Exception as error:  # noqa: BLE001 - the error is compared
        return type(error), str(error)
    return content(path)


def test_large_integers_are_written_in_every_split(tmp_path: Path) -> None:
    values = [2**53 + 1, {"b": 2**53 + 1}, {"b": 2**63}]
    for ending in ("parquet", "csv"):
        blocks = [Block([str(at)], pack([value])) for at, value in enumerate(values)]
        writers.write(str(tmp_path / f"a.{ending}"), blocks)
    assert pq.read_table(tmp_path / "a.parquet")["b"].to_pylist() == [None, 2**53 + 1, 2**63]
    assert (tmp_path / "a.csv").read_text().splitlines()[2:] == [f"1,,{2**53 + 1}", f"2,,{2**63}"]


class TestBlocks:
    @pytest.mark.parametrize("ending", ENDINGS)
    @settings(max_examples=300, deadline=None)
    @given(values=elements(), cuts=st.lists(st.integers(0, 8), max_size=4))
    @example(values=[{"a": 2**53 + 1}, {"a": 0.0}, {"a": 2**64 - 1}], cuts=[1])
    def test_the_blocks_do_not_matter(
        self, ending: str, values: list[Any], cuts: list[int]
    ) -> None:
        ids = list(map(str, range(len(values))))
        bounds = [0, *sorted(cuts), len(values)]
        pairs = itertools.pairwise(bounds)
        blocks = [Block(ids[start:stop], pack(values[start:stop])) for start, stop in pairs]
        whole = outcome(f"whole.{ending}", [Block(ids, pack(values))])
        assert outcome(f"parts.{ending}", blocks) == whole

    @pytest.mark.parametrize("ending", ENDINGS)
    def test_blocks_are_read_one_at_a_time(self, ending: str) -> None:
        class Blocks:
            most = 0

            def __iter__(self) -> Any:
                alive = weakref.WeakSet[Block]()
                for start in range(0, 5000, 1000):
                    ids = list(map(str, range(start, start + 1000)))
                    block = Block(ids, pack([{"x": [float(one)]} for one in ids]))
                    alive.add(block)
                    self.most = max(self.most, len(alive))
                    yield block

        blocks: Any = Blocks()
        writers.write(f"out.{ending}", blocks)
        assert blocks.most == 2

    @pytest.mark.parametrize("ending", ENDINGS)
    def test_a_run_here_and_one_with_a_runner_write_the_same(self, ending: str) -> None:
        rows = [{"n": n, "t": "x" * (n % 3), "m": None if n % 7 else n} for n in range(10_000)]
        graph = mm.pipeline(f'rows | same | write("out.{ending}")', rows=rows, same=same)
        found = []
        for runner in (None, FnApiRunner()):
            result = mm.run(graph, progress=False, fresh=True, runner=runner)
            assert len(result["write"]) == len(rows)
            found.append(content(f"out.{ending}"))
        assert found[0] == found[1]
        assert not list(storage.session_folder().glob("write-*"))

    def test_a_cancelled_run_leaves_no_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started, go_on = threading.Event(), threading.Event()
        frame_of = written.frame_of

        def slow(*given: Any) -> Any:
            started.set()
            assert go_on.wait(60)
            return frame_of(*given)

        monkeypatch.setattr(writers, "frame_of", slow)
        graph = mm.pipeline('rows | same | write("out.csv")', rows=[*range(10_000)], same=same)
        running = mm.run(graph, progress=False, wait=False)
        assert started.wait(60)
        running.cancel()
        go_on.set()
        with pytest.raises(mm.InterruptedRunError):
            running.result(60)
        assert list(Path().iterdir()) == []
        assert not list(storage.session_folder().glob("write-*"))

    def test_small_blocks_make_one_row_group(self) -> None:
        writers.write("out.parquet", [Block([str(n)], pack([n])) for n in range(50)])
        assert pq.ParquetFile("out.parquet").num_row_groups == 1


class TestFolders:
    @pytest.fixture(autouse=True)
    def small_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writers, "PART_ROWS", 4096)

    @pytest.mark.parametrize("runner", [None, FnApiRunner()])
    @pytest.mark.parametrize(
        ("path", "ending"), [("out/", "parquet"), ("out.csv/", "csv"), ("out.jsonl/", "jsonl")]
    )
    def test_the_parts_are_the_file(self, path: str, ending: str, runner: Any) -> None:
        rows = [{"n": n, "m": None if n < 9000 else n} for n in range(10_000)]
        text = f'out = rows | same\nx = out | write("{path}")\ny = out | write("one.{ending}")'
        graph = mm.pipeline(text, rows=rows, same=same)
        mm.run(graph, progress=False, runner=runner)
        parts = sorted(Path(path).iterdir())
        assert [one.name for one in parts] == [
            f"part-{place:05d}-of-00003.{ending}" for place in range(3)
        ]
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o700
        if ending == "parquet":
            whole = pd.read_parquet("one.parquet")
            pd.testing.assert_frame_equal(pd.read_parquet(path).reset_index(drop=True), whole)
            assert {str(pq.read_schema(one)) for one in parts} == {
                str(pq.read_schema("one.parquet"))
            }
        else:
            lines = [one.read_text().splitlines() for one in parts]
            head = 1 if ending == "csv" else 0
            joined = lines[0] + [line for some in lines[1:] for line in some[head:]]
            assert joined == Path(f"one.{ending}").read_text().splitlines()

    def test_an_earlier_result_is_replaced_whole(self) -> None:
        for count in (10_000, 5):
            run('rows | same | write("out/")', rows=list(range(count)), same=same)
            Path("out").chmod(0o750)
        assert [one.name for one in Path("out").iterdir()] == ["part-00000-of-00001.parquet"]
        run('rows | same | write("out")', rows=[1, 2], same=same)  # the folder exists
        assert pd.read_parquet("out")["value"].tolist() == [1, 2]
        assert [*Path().iterdir()] == [Path("out")]
        assert stat.S_IMODE(Path("out").stat().st_mode) == 0o750

    def test_no_elements_are_one_part(self) -> None:
        run('rows | filter(bool) | write("out.csv/")', rows=[0, 0], bool=bool)
        assert Path("out.csv/part-00000-of-00001.csv").read_text() == "id\n"

    def test_a_link_to_a_folder_stays_a_link(self) -> None:
        Path("real").mkdir()
        Path("out").symlink_to("real")
        run('rows | same | write("out/")', rows=[1], same=same)
        assert Path("out").is_symlink() and len(list(Path("real").iterdir())) == 1

    def test_other_files_are_not_removed(self) -> None:
        Path("out").mkdir()
        Path("out/notes.txt").write_text("mine")
        with pytest.raises(RunError, match="other files, such as 'notes.txt'.*\n.*empty folder"):
            run('rows | same | write("out/")', rows=[1], same=same)

        def adds(value: Any) -> Any:
            Path("late").mkdir()
            Path("late/notes.txt").write_text("mine")
            return value

        with pytest.raises(RunError, match="other files, such as 'notes.txt'"):
            run('rows | adds | write("late/")', rows=[1], adds=adds)
        found = sorted(str(one) for one in Path().rglob("*"))
        assert found == ["late", "late/notes.txt", "out", "out/notes.txt"]

    def test_a_failed_run_leaves_the_earlier_result(self, monkeypatch: pytest.MonkeyPatch) -> None:
        run('rows | same | write("out/")', rows=[1], same=same)
        with pytest.raises(RunError, match="'write' cannot write 'out/': field 'f'"):
            run('rows | same | write("out/")', rows=[{"f": {1, 2}}], same=same)
        rename = Path.rename

        def fails(own: Path, to: Path) -> Any:
            if to.name == "out" and len(list(own.iterdir())) == 3:
                raise OSError(errno.EIO, "broken disk")
            return rename(own, to)

        monkeypatch.setattr(Path, "rename", fails)
        with pytest.raises(RunError, match="broken disk"):
            run('rows | same | write("out/")', rows=list(range(10_000)), same=same)
        assert pd.read_parquet("out")["value"].tolist() == [1]
        assert [*Path().iterdir()] == [Path("out")]

    def test_what_cannot_be_a_folder_is_refused(self) -> None:
        Path("file.csv").write_text("mine")
        Path("o").mkdir()
        for text, says in {
            'rows | same | write("file.csv/")': "it is not a folder",
            'rows | same | write("none/out/")': "no writable folder",
            'rows | same | write("out")': "allowed endings.*\n.*'out/'.*folder",
            'a = rows | write("o/")\nb = rows | write("./o/")': "both write",
            'a = rows | write("o/")\nb = rows | write("o/b.csv")': "into the folder that 'a' repl",
        }.items():
            with pytest.raises(RunError, match=says):
                run(text, rows=[1], **({"same": same} if "same" in text else {}))
        assert sorted(Path().rglob("*")) == [Path("file.csv"), Path("o")]

    def test_a_folder_that_the_graph_reads_is_refused(self) -> None:
        run('rows | same | write("out.csv/")', rows=[1], same=same)
        for read in ("out.csv/*.csv", "out.csv/part-00000-of-00001.csv", "out.csv/part-*"):
            with pytest.raises(RunError, match="source 'r' reads it"):
                run(f'r = read("{read}")\nr | same | write("out.csv/")', same=same)


def parse(text: str) -> int:
    return int(text)


class TestFailing:
    def test_failures_of_the_cache_are_judged_before_anything_is_written(self) -> None:
        rows = ["1", "2", "x", "y"]
        mm.run(mm.pipeline("rows | parse", rows=rows, parse=parse), max_failed=1.0)
        Path("good.csv").write_text("good")
        with pytest.raises(RunError, match="'parse': 2 of 4 elements failed.*int") as caught:
            run('rows | parse | write("good.csv")', rows=rows, parse=parse)
        assert Path("good.csv").read_text() == "good"
        assert caught.value.failed["id"].tolist() == ["2", "3"]

    def test_so_are_those_of_nodes_with_an_unknown_count(self) -> None:
        Path("good.csv").write_text("good")
        text = 'rows | flat_map(list) | same | parse | write("good.csv")'
        with pytest.raises(RunError, match="'parse'.*2 of 4 elements failed"):
            run(text, rows=["12xy"], list=list, same=same, parse=parse)
        assert Path("good.csv").read_text() == "good"


class TestFiles:
    def test_a_link_stays_a_link(self, folder: Path) -> None:
        (folder / "shared").mkdir()
        (folder / "shared/r.csv").write_text("old")
        (folder / "r.csv").symlink_to("shared/r.csv")
        (folder / "none.csv").symlink_to("shared/new.csv")
        for name in ("r.csv", "none.csv"):
            run(f'rows | same | write("{name}")', rows=[1], same=same)
            assert Path(name).is_symlink() and Path(name).read_text() == "id,value\n0,1\n"
        assert {path.name for path in (folder / "shared").iterdir()} == {"r.csv", "new.csv"}

    def test_permissions(self, folder: Path) -> None:
        Path("old.csv").touch()
        Path("old.csv").chmod(0o664)
        for name, wanted in (("old.csv", 0o664), ("new.csv", 0o600)):
            writers.write(name, [Block(["0"], pack([1]))])
            assert stat.S_IMODE(Path(name).stat().st_mode) == wanted

    def test_a_path_that_is_not_a_file_is_refused(self, folder: Path) -> None:
        os.mkfifo("pipe.csv")
        Path("a.csv").symlink_to("b.csv")
        Path("b.csv").symlink_to("a.csv")
        Path("link.csv").symlink_to("pipe.csv")
        for name in ("pipe.csv", "link.csv", "a.csv"):
            with pytest.raises(RunError, match=f"cannot write '{name}'"):
                run(f'rows | same | write("{name}")', rows=[1], same=same)
        assert stat.S_ISFIFO(Path("pipe.csv").stat().st_mode) and Path("a.csv").is_symlink()

    def test_a_name_as_long_as_names_may_be(self) -> None:
        name = "n" * 251 + ".csv"
        writers.write(name, [Block(["0"], pack([1]))])
        assert Path(name).exists()

    @pytest.mark.parametrize(
        ("error", "says"),
        [
            (OSError(errno.ENOSPC, "No space left on device"), "free some space"),
            (PermissionError(errno.EACCES, "Permission denied"), "folder in which you can"),
            (OSError(errno.ESTALE, "Stale file handle"), "still exists"),
        ],
    )
    def test_the_remedy_is_one_for_the_cause(
        self, monkeypatch: pytest.MonkeyPatch, error: OSError, says: str
    ) -> None:
        create = storage.create_private

        def fails(path: Path) -> Any:
            if path.parent == Path.cwd():
                raise error
            return create(path)

        monkeypatch.setattr(storage, "create_private", fails)
        with pytest.raises(RunError, match=f"cannot write 'a.csv'.*\n.*{says}"):
            run('rows | same | write("a.csv")', rows=[1], same=same)

    @pytest.mark.parametrize("ending", ENDINGS)
    def test_an_unpaired_surrogate(self, ending: str) -> None:
        with pytest.raises(RunError, match="UnicodeEncodeError.*\n.*surrogate.*encode"):
            run(f'rows | same | write("a.{ending}")', rows=["\ud800"], same=same)


def test_a_pipe_in_the_place_of_a_stored_file_is_damage(tmp_path: Path) -> None:
    from mmnotebook.store import entries, shards

    os.mkfifo(tmp_path / entries.MANIFEST)
    os.mkfifo(tmp_path / "a.shard")
    found: list[Exception] = []

    def look() -> None:
        for read in (entries.read_manifest, lambda path: shards.info(path / "a.shard")):
            try:
                read(tmp_path)
            except mm.StorageError as error:
                found.append(error)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(10)
    assert len(found) == 2 and all("not a regular file" in str(one) for one in found)


class Raising(list):  # type: ignore[type-arg]
    def __iter__(self) -> Any:
        raise ValueError("no items today")


def test_a_list_that_raises_is_named() -> None:
    with pytest.raises(RunError, match="source 'rows': the Raising raised.*no items today"):
        run("rows | same", rows=Raising([1, 2]), same=same)


class Stuck:
    def predict(self, xs: list[Any]) -> list[Any]:
        return xs

    def reset(self) -> None:
        raise ValueError("stuck")


def test_the_error_of_reset_has_no_step_label() -> None:
    mm.register("stuck", Stuck(), reset="reset")
    with pytest.raises(mm.ModelError, match="'stuck' cannot be reset.*stuck") as caught:
        run("rows | stuck", rows=[1, 2])
    assert "while running" not in str(caught.value) and "→ set reset= to the name" in str(
        caught.value
    )


def test_whole_numbers_come_back_from_csv() -> None:
    cells = [BIG, None, 10**18 + 1]
    run('rows | same | write("a.csv")', rows=[{"n": cell} for cell in cells], same=same)
    Path("b.csv").write_text("f\n1e300\n\n0.5\n")
    r = run('a = read("a.csv") | same\nb = read("b.csv") | same', same=same)
    assert [None if pd.isna(n) else n for n in r["a"]["n"]] == cells
    assert r["b"]["f"].dropna().tolist() == [1e300, 0.5]
