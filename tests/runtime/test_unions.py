"""Unions of sources with equal ids are refused: before the run, in it, and in a compiled graph."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pandas as pd
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import mmnotebook as mm
from mmnotebook.errors import RunError
from mmnotebook.running import unions
from mmnotebook.store.cache import open_store

BOTH = "one = {one}\nother = {other}\n{{one, other}} | same"
AMBIGUOUS = r"'same' takes the union of 'one' and 'other', but both have .* id '{}'"


def same(value: Any) -> Any:
    return value


def run(one: str, other: str, text: str = BOTH, **names: Any) -> mm.Result:
    graph = mm.pipeline(text.format(one=one, other=other), same=same, **names)
    return mm.run(graph, progress=False)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Return a folder with tables whose names are equal in two folders."""
    for folder, first in (("jan", 0), ("feb", 3)):
        (tmp_path / folder).mkdir()
        frame = pd.DataFrame({"k": [f"k{first + row}" for row in range(4)], "x": range(4)})
        frame.to_csv(tmp_path / folder / "x.csv", index=False)
        frame.to_parquet(tmp_path / folder / "x.parquet")
        np.save(tmp_path / folder / "x.npy", frame["x"].to_numpy())
    return tmp_path


@pytest.mark.parametrize("ending", ["npy", "parquet", "csv"])
def test_files_with_equal_names(tables: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [f'read("{tables}/{folder}/*.{ending}")' for folder in ("jan", "feb")]
    if ending != "csv":  # the number of rows is known, so nothing is computed
        monkeypatch.setattr("mmnotebook.running.session._begun", None)
    with pytest.raises(RunError, match=AMBIGUOUS.format(f"x.{ending}#0")) as caught:
        run(*paths)
    assert 'read("data/*/*.csv")' in str(caught.value) and caught.value.node == "same"
    monkeypatch.undo()
    assert len(run(*paths, text="one = {one}\nother = {other}\n[one, other] | same")["same"]) == 4
    whole = mm.run(mm.pipeline(f'read("{tables}/*/*.{ending}") | same', same=same), progress=False)
    assert whole["same"]["id"].is_unique and len(whole["same"]) == 8


def test_ids_of_a_column_are_compared_in_the_run(tables: Path) -> None:
    paths = [f'read("{tables}/{folder}/x.csv", id="k")' for folder in ("jan", "feb")]
    for _ in range(2):  # in the second run, both sources are read from the cache
        with pytest.raises(RunError, match=AMBIGUOUS.format("k3")):
            run(*paths)
    frame = pd.read_csv(tables / "feb" / "x.csv")
    with pytest.raises(RunError, match=AMBIGUOUS.format("k3")):
        run(paths[0], "source(feb, id='k')", feb=frame)
    (tables / "feb" / "x.csv").write_text("k,x\nother,1\n")
    assert len(run(*paths)["same"]) == 5


def test_a_stored_union_is_refused_too(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [f'read("{tables}/{folder}/x.csv", id="k")' for folder in ("jan", "feb")]
    with monkeypatch.context() as unchecked:
        unchecked.setattr(unions, "check", lambda graph, entries: None)
        assert len(run(*paths)["same"]) == 8  # as an earlier version stored it
    with pytest.raises(RunError, match=AMBIGUOUS.format("k3")):
        run(*paths)


def test_steps_between_the_sources_and_the_union_do_not_matter(tables: Path) -> None:
    text = "one = {one} | same\nother = {other} | map(str)\n{{one, other}} | map(repr)"
    paths = [f'read("{tables}/{folder}/x.csv", id="k")' for folder in ("jan", "feb")]
    with pytest.raises(RunError, match=r"union of 'read' and 'read_2'.*id 'k3'"):
        run(*paths, text=text)


@pytest.mark.parametrize("data", [[1, 2], np.arange(3), {"x": [1, 2]}, beam.Create([1, 2])])
def test_data_whose_positions_are_the_ids(data: Any) -> None:
    with pytest.raises(RunError, match=AMBIGUOUS.format("0")) as caught:
        run("a", "b", a=data, b=[7])
    assert 'id="column"' in str(caught.value)


def test_the_same_data_twice_is_no_ambiguity() -> None:
    result = mm.run(
        mm.pipeline("{a | same, a | map(str)} | map(repr)", a=[1, 2], same=same), progress=False
    )
    assert len(result["repr"]) == 4


def compiled(one: str, other: str, **names: Any) -> list[Any]:
    graph = mm.pipeline(BOTH.format(one=one, other=other), same=same, **names)
    found: list[Any] = []
    with beam.Pipeline(FnApiRunner()) as pipeline:
        mm.compile_graph(graph, pipeline)["same"] | beam.Map(lambda pair: found.append(pair[0].id))
    return found


def test_a_compiled_graph(tables: Path) -> None:
    paths = [f'read("{tables}/{folder}/x.csv", id="k")' for folder in ("jan", "feb")]
    with pytest.raises(RunError, match=AMBIGUOUS.format("k3")):
        compiled(*paths)
    with pytest.raises(RunError, match=AMBIGUOUS.format("0")):
        compiled("a", "b", a=[1], b=[2])
    (tables / "feb" / "x.csv").write_text("k,x\nother,1\n")
    assert compiled(*paths) is not None


def test_ids_that_are_no_unicode(tmp_path: Path) -> None:
    odd, plain = "\udcff", "é"
    for name, second in (("one", "a"), ("two", plain)):
        lines = [json.dumps({"k": key}) for key in (odd, second)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    paths = [f'read("{tmp_path}/{name}.jsonl", id="k")' for name in ("one", "two")]
    with pytest.raises(RunError, match="both have an element with the id"):
        run(*paths)


@pytest.mark.slow
def test_a_million_ids_take_little_memory(tmp_path: Path) -> None:
    for name, first in (("one", 0), ("two", 1_000_000)):
        frame = pd.DataFrame({"k": np.arange(first, first + 1_000_000)})
        frame.to_parquet(tmp_path / f"{name}.parquet")
    paths = [f'read("{tmp_path}/{name}.parquet", id="k")' for name in ("one", "two")]
    text = "one = {one}\nother = {other}\n{{one, other}} | same"
    graph = mm.pipeline(text.format(one=paths[0], other=paths[1]), same=same)
    mm.run(graph, until="one", progress=False)
    mm.run(graph, until="other", progress=False)
    entries = {name: _entry(graph, name) for name in ("one", "other")}
    tracemalloc.start()
    unions._apart.clear()
    unions.check(graph, entries)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20


def _entry(graph: mm.Graph, name: str) -> Any:
    from mmnotebook.beam.prepare import prepare
    from mmnotebook.running.plan import plan

    return plan(prepare(graph.upto(name)), open_store(), fresh={}).entries[name]
