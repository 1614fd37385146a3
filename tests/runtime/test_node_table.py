"""The lazy table of a node has the rows, columns and dtypes of the whole node, and reads less."""

from __future__ import annotations

import datetime
import decimal
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

import mmnotebook as mm
from mmnotebook.elements.block import Block
from mmnotebook.elements.packing import pack
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.graph.models import registry
from mmnotebook.results.node_table import NodeTable
from mmnotebook.results.records import Machine
from mmnotebook.results.results import Result
from mmnotebook.running.stored import StoredElements
from mmnotebook.store import outlines, shards
from mmnotebook.store.store import Store
from mmnotebook.ui.inspector.widget import Inspector
from tests.runtime.alike import same
from tests.runtime.test_blocks import alike, values
from tests.unit.analysis_runs import node_measure


def equal(found: pd.DataFrame, expected: pd.DataFrame) -> bool:
    """Return whether two frames are equal in every cell, dtype, name and index."""
    return (
        list(found.columns) == list(expected.columns)
        and list(found.dtypes) == list(expected.dtypes)
        and list(found.index) == list(expected.index)
        and all(
            same(
                list(found.iloc[:, at].to_numpy(object)),
                list(expected.iloc[:, at].to_numpy(object)),
            )
            for at in range(found.shape[1])
        )
    )


def compare(table: NodeTable, whole: pd.DataFrame, seed: int = 0) -> None:
    """Compare everything that a table returns with the whole node."""
    assert len(table) == len(whole)
    assert list(table.dtypes) == list(whole.dtypes)
    for n in (0, 1, 3, len(whole) + 1):
        assert equal(table.head(n), whole.head(n))
        some = table.sample(n, seed=seed)
        assert len(some) == min(n, len(whole)) and some.index.is_monotonic_increasing
        assert some.index.is_unique and equal(some, whole.loc[some.index])
    parts = list(table.parts())
    assert all(map(len, parts))
    if parts:
        assert equal(pd.concat(parts).sort_index(), whole)
    assert equal(table.to_pandas(), whole)


usual = st.one_of(
    st.integers(-9, 9),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.booleans(),
    st.none(),
    st.text(max_size=2),
    st.just(pd.NaT),
    st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)).map(pd.Timestamp),
    st.just(pd.Timestamp("2020", tz="UTC")),
    st.just(pd.Timedelta("1h")),
    st.lists(st.integers(), max_size=2),
)
unusual = values | st.just(datetime.date(2020, 1, 1)) | st.just(decimal.Decimal("1.5"))


@st.composite
def sources(draw: st.DrawFn) -> list[list[Any]]:
    """Draw the values of a source's blocks: mostly records of the same fields."""
    cells = usual | unusual if draw(st.integers(0, 5)) == 5 else usual
    kinds = [cells, st.integers(-9, 9), st.floats(), st.integers(-9, 9) | st.none()]
    columns = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3))
    record = st.fixed_dictionaries(dict(zip("abc", columns, strict=False)))
    rows = alike() if draw(st.integers(0, 5)) == 5 else st.lists(record, min_size=1, max_size=4)
    return draw(st.lists(rows, min_size=1, max_size=4))


def stored(folder: Path, **nodes: list[list[Block]]) -> Result:
    """Return a result of a source and steps; each node has the blocks of several shards."""
    store, entries = Store(folder), {}
    for name, parts in nodes.items():
        draft = store.draft(name)
        for number, blocks in enumerate(parts):
            outlines.write_shard(draft.path, number, blocks, sum(map(len, blocks)))
        entries[name] = draft.commit({})
    first, *others = nodes
    steps = [Node.make(name, "map", [first], function="f") for name in others]
    graph = Graph((Node.make(first, "source", data="data"), *steps))
    measures = {n.name: node_measure(n.kind, None, entries[n.name].rows) for n in graph}
    return Result(graph, StoredElements(entries), measures, {}, 0.0, Machine(None, None))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_it_equals_the_whole_node(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    source = data.draw(sources())
    names = iter(f"row{place}" for place in range(100))
    rows = [Block([next(names) for _ in part], pack(part)) for part in source]
    ids = [id for block in rows for id in block.ids]
    origins = data.draw(st.permutations(ids).map(lambda some: some[: len(some) * 2 // 3]))
    ends = data.draw(st.lists(st.sampled_from(["", "/0", "/3", "/3/1", "/x"]), min_size=100))
    steps, place = [], 0
    while place < len(origins):
        outputs = data.draw(alike().filter(bool))[: len(origins) - place]
        own = origins[place : place + len(outputs)]
        children = [id + end for id, end in zip(own, ends[place:], strict=False)]
        is_child = data.draw(st.booleans())
        steps.append(Block(children if is_child else own, pack(outputs), own if is_child else None))
        place += len(outputs)
    cut = data.draw(st.integers(0, len(steps)))
    folder = tmp_path_factory.mktemp("store")
    result = stored(folder, rows=[[block] for block in rows], step=[steps[:cut], steps[cut:]])
    for name in result:
        compare(result.table(name), result[name], data.draw(st.integers(0, 9)))


def picky(x: Any) -> Any:
    """Fail for some values, and return others of several types."""
    number = int(x["n"])
    if number % 7 == 3:
        raise ValueError(number)
    return [number, None, 0.5, "text", np.arange(2), {"a": number}][
        number % 6 if number > 50 else 0
    ]


def side(x: Any) -> str:
    return "left" if int(x["n"]) % 2 else "right"


def children(x: Any) -> list[Any]:
    return [x["n"]] * (int(x["n"]) % 3)


def is_odd(x: Any) -> bool:
    return bool(int(x["n"]) % 2)


def same_value(x: Any) -> Any:
    return x


TEXTS = [
    "rows | picky",
    "rows | filter(is_odd) | same_value",
    "rows | flat_map(children) | same_value",
    "rows | switch(side, left=same_value, right=picky)",
    "rows['x'] | linear",
    "rows['x'] | [linear, other] | mean()",
    "rows['x'] | keyed({'left': linear, 'right': other}, by='side')",
]


def frame(count: int) -> pd.DataFrame:
    """Return rows with fields of several dtypes."""
    numbers = np.arange(count)
    return pd.DataFrame(
        {
            "n": numbers,
            "x": list(np.ones((count, 2), "float32") * numbers[:, None]),
            "side": ["left" if n % 3 else "right" for n in numbers],
            "when": pd.Timestamp("2020") + pd.to_timedelta(numbers, unit="h"),
            "half": [None if n % 4 == 0 else n / 2 for n in numbers],
        }
    )


def run(text: str, rows: Any, **options: Any) -> Result:
    names = {f.__name__: f for f in (picky, children, is_odd, same_value)}
    names |= {"side": side} if "switch" in text else {}
    for model in ("linear", "other"):
        if model in text and model not in registry:
            torch.manual_seed(len(model))
            mm.register(model, torch.nn.Linear(2, 3))
    used = {name: one for name, one in names.items() if name in text}
    graph = mm.pipeline(text, rows=rows, **used)
    return mm.run(graph, progress=False, max_failed=0.5, **options)


@pytest.mark.parametrize("text", TEXTS)
def test_a_run_s_tables_equal_its_frames(text: str) -> None:
    before = run(text, frame(100))
    again = run(text, frame(100))  # read from the cache
    more = run(text, frame(130))  # partly reused
    for result in (before, again, more):
        for name in (*result, *(group.name for group in result.graph.groups)):
            compare(result.table(name), result[name])


@pytest.mark.parametrize("rows", [[1, 2, 3], ["a"], [], [{"n": 1}, {"m": 2}], np.ones((4, 2))])
def test_sources_of_any_kind_have_tables(rows: Any) -> None:
    graph = mm.pipeline("rows | same_value", rows=rows, same_value=same_value)
    result = mm.run(graph, progress=False)
    for name in result:
        compare(result.table(name), result[name])


def test_several_sources_have_tables() -> None:
    first = pd.DataFrame({"a": [1, 2]}, index=["p", "q"])
    second = pd.DataFrame({"b": [0.5, 1.5]}, index=["r", "s"])
    graph = mm.pipeline(
        "{first, second} | same_value", first=first, second=second, same_value=same_value
    )
    result = mm.run(graph, progress=False)
    for name in result:
        compare(result.table(name), result[name])


def test_without_outlines_the_whole_node_is_read() -> None:
    result = run("rows | picky", frame(100))
    files = [file for entry in entries_of(result) for file in entry.glob("*.outline")]
    assert files
    for file in files:
        file.unlink()
    for name in result:
        compare(result.table(name), result[name])


def test_an_outline_of_another_shard_is_not_used(tmp_path: Path) -> None:
    blocks = [[Block(["a"], pack([1]))], [Block(["b"], pack([2.5]))]]
    result = stored(tmp_path, rows=blocks)
    first, second = sorted(entries_of(result)[0].glob("*.outline"))
    content = first.read_bytes(), second.read_bytes()
    first.write_bytes(content[1])
    second.write_bytes(content[0])
    compare(result.table("rows"), result["rows"])


# What is read: the other shards are deleted, so that reading one of them is an error.

ROWS = 150_000


def entries_of(result: Result) -> list[Path]:
    """Return the folders of the entries of a result's nodes."""
    assert isinstance(result._store, StoredElements)
    return [result._store._entries[name].path for name in result]


def number(x: float) -> float:
    return x / 2


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Result]:
    """Return a run whose node has three shards, and its source many."""
    data = pd.DataFrame({"x": np.arange(ROWS, dtype=float), "label": "text"})
    graph = mm.pipeline("rows['x'] | number", rows=data, number=number)
    yield mm.run(graph, progress=False)


def keep_only(result: Result, keep: dict[str, set[int]]) -> None:
    """Delete all shards of each node, except those with these numbers."""
    for name, folder in zip(result, entries_of(result), strict=True):
        for place, file in enumerate(sorted(folder.glob("*.shard"))):
            if place not in keep.get(name, set()):
                file.rename(file.with_suffix(".gone"))


@pytest.fixture
def restored(big: Result) -> Iterator[Result]:
    """Return `big`; put deleted shards back after the test."""
    yield big
    for folder in entries_of(big):
        for file in folder.glob("*.gone"):
            file.rename(file.with_suffix(".shard"))


def test_the_number_of_rows_is_known_without_reading(restored: Result) -> None:
    keep_only(restored, {})
    assert len(restored.table("number")) == ROWS
    with pytest.raises(shards.Damaged):
        restored.table("number").head(1)


def test_the_first_rows_read_the_first_shards_only(restored: Result) -> None:
    keep_only(restored, {"rows": {0}, "number": {0}})
    table = restored.table("number")
    first = table.head(3)
    assert first["value"].tolist() == [0.0, 0.5, 1.0] and first["label"].tolist() == ["text"] * 3
    assert f"5 of {ROWS:,} rows" in repr(table) and f"5 of {ROWS:,} rows" in table._repr_html_()
    assert list(table.dtypes) == list(first.dtypes)
    for wanted in (table.to_pandas, lambda: table.rows([ROWS - 1]), lambda: list(table.parts())):
        with pytest.raises(shards.Damaged):
            wanted()


def test_what_is_shown_reads_the_first_shards_only(
    restored: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_only(restored, {"rows": {0}, "number": {0}})
    shown = mm.inspect(restored, "number", n=5)
    assert shown["value"].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert f"5 of {ROWS:,} rows" in str(shown._repr_html_())
    inspector = Inspector(restored, "number", n=10)
    assert [row[0]["text"] for row in inspector.elements.table.rows] == list(map(str, range(10)))
    assert inspector.elements.table.pager["text"] == f"1–10 of {ROWS:,}"
    assert f"{ROWS:,} elements" in inspector.static()["text/plain"]
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "mmnotebook")
    shell.user_ns["restored"] = restored
    shell.run_line_magic("mm_inspect", "number -n 5 --result restored")


def test_a_sample_reads_only_the_shards_with_its_rows(restored: Result) -> None:
    table = restored.table("number")
    expected = table.sample(2, seed=3)
    numbers = expected.index.to_numpy()
    ends = np.cumsum(shard_rows(restored, "number")), np.cumsum(shard_rows(restored, "rows"))
    of_node, of_source = (set(np.searchsorted(end, numbers, side="right").tolist()) for end in ends)
    assert len(of_source) < len(ends[1])
    keep_only(restored, {"rows": of_source, "number": of_node})
    assert equal(restored.table("number").sample(2, seed=3), expected)


def shard_rows(result: Result, node: str) -> list[int]:
    folder = entries_of(result)[list(result).index(node)]
    return [shards.info(file).rows for file in sorted(folder.glob("*.shard"))]


def test_a_sample_is_uniform(big: Result) -> None:
    drawn = big.table("number").sample(3000, seed=0).index.to_numpy()
    counts, _ = np.histogram(drawn, bins=10, range=(0, ROWS))
    assert counts.sum() == 3000 and ((counts > 220) & (counts < 380)).all()
    assert not np.array_equal(drawn, big.table("number").sample(3000, seed=1).index)


def test_parts_are_read_one_after_the_other(restored: Result) -> None:
    parts = restored.table("number").parts()
    assert len(next(parts)) == shard_rows(restored, "number")[0]
    keep_only(restored, {})
    with pytest.raises(shards.Damaged):
        next(parts)


def test_nothing_stays_in_memory(big: Result) -> None:
    mm.inspect(big, "number", n=5)  # import what it needs
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        mm.inspect(big, "number", n=5)
        mm.inspect(big, "number", n=5, where="value > 3")
        big.table("number").to_pandas()
        assert sum(map(len, big.table("number").parts())) == ROWS
        kept = tracemalloc.get_traced_memory()[0] - before
        big["number"]
        whole = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000 < 5_000_000 < whole


@pytest.mark.parametrize("n", [-1, 2.0, "5", True, None])
def test_n_is_a_number_of_rows(n: Any) -> None:
    graph = mm.pipeline("numbers | number", numbers=[1, 2], number=number)
    table = mm.run(graph, progress=False).table("number")
    for method in (table.head, table.sample):
        with pytest.raises(mm.ResultError, match="0 or more"):
            method(n)
    with pytest.raises(IndexError, match="rows 0 to 1"):
        table.rows([2])


@pytest.mark.parametrize("seed", [-1, 1.5, "5"])
def test_a_seed_is_a_number(seed: Any) -> None:
    table = mm.run(mm.pipeline("rows | same", rows=[1, 2, 3], same=lambda x: x)).table("same")
    with pytest.raises(mm.ResultError, match="an integer from 0"):
        table.sample(2, seed=seed)


@pytest.mark.parametrize("numbers", [3, [1.5], [True, False], ["1"], [[0]], None])
def test_numbers_are_numbers_of_rows(numbers: Any) -> None:
    table = mm.run(mm.pipeline("rows | same", rows=[1, 2, 3], same=lambda x: x)).table("same")
    with pytest.raises(mm.ResultError, match="expected a list of row numbers, not "):
        table.rows(numbers)
    assert table.rows(np.array([2, 0, 2], np.uint8))["value"].tolist() == [3, 1, 3]


@pytest.mark.parametrize("kind", [np.longdouble, np.float64, np.float16, np.complex64, np.uint8])
def test_numpy_numbers_of_any_size_have_tables(kind: Any) -> None:
    """All values of a block become one array, in which they are longer than a float."""
    rows = [*map(kind, range(5))]
    result = mm.run(mm.pipeline("rows | same", rows=rows, same=lambda x: x), progress=False)
    for node in ("rows", "same"):
        compare(result.table(node), result[node])


def test_a_table_of_an_unknown_node_is_an_error() -> None:
    graph = mm.pipeline("numbers | number | more", numbers=[1, 2], number=number, more=number)
    result = mm.run(graph, until="number", progress=False)
    with pytest.raises(mm.GraphError, match="did you mean 'number'"):
        result.table("numbe")
    with pytest.raises(mm.RunError, match="was not part of this run"):
        result.table("more")
