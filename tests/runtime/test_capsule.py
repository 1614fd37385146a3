"""Capsules: a run in one file, opened without its models and data, and merged with other runs."""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mmnotebook as mm
from mmnotebook.export import run_capsule
from mmnotebook.results.runs import Run
from tests.runtime.test_ways_to_run import Adds


def picky(row: Any) -> Any:
    if row["x"] == 3:
        raise ValueError("three")
    return row["x"] * 2


def graph(first: int = 0, rows: int = 40) -> mm.Graph:
    frame = pd.DataFrame({"x": np.arange(first, first + rows), "t": ["é"] * rows})
    text = "data | map(picky) | adder\ns = data['x'] | split({'a': 0.5, 'b': 0.5}, salt='pepper')"
    text += "\ns.a | adder\ns.b | other"
    return mm.pipeline(text, data=frame, picky=picky)


@pytest.fixture
def ran() -> Iterator[mm.Result]:
    mm.register("adder", Adds(1), batch_size=8)
    mm.register("other", Adds(2), batch_size=8)
    yield mm.run(graph(), progress=False)


def test_a_capsule_has_the_measures_and_a_sample(ran: mm.Result, tmp_path: Path) -> None:
    path = mm.export.capsule(ran, tmp_path / "run", sample=10)
    assert path.name == "run.mmcapsule" and path.stat().st_mode & 0o077 == 0
    for name in ("adder", "other"):
        mm.registry.remove(name)
    opened = mm.open(path)
    assert opened.graph == ran.graph and not opened.graph.bindings
    for table in ("nodes", "models", "arms", "warnings"):
        pd.testing.assert_frame_equal(getattr(opened, table), getattr(ran, table))
    assert (opened.seconds, opened.finished, opened.why) == (ran.seconds, ran.finished, ran.why)
    assert opened.counts() == ran.counts()
    for name in ran:
        whole = ran[name]
        kept = whole[whole["id"].isin([str(place) for place in range(10)])]
        pd.testing.assert_frame_equal(opened[name], kept.reset_index(drop=True))
        assert len(opened.table(name)) == len(kept)
    assert opened.failed[["node", "id", "error", "message"]].to_numpy().tolist() == [
        ["picky", "3", "ValueError", "three"]
    ]
    assert opened.about["salts"] == {"s": "pepper"}
    assert opened.about["versions"]["apache-beam"] and opened.digests == ran.digests
    assert "the rows are a sample" in repr(opened)
    assert Run.of(opened, 1).elements == 40
    again = mm.open(mm.export.capsule(opened, tmp_path / "again", sample=100))
    assert again.note == opened.note
    pd.testing.assert_frame_equal(again["adder"], opened["adder"])


def test_no_pickle_and_no_object_is_in_a_capsule(ran: mm.Result, tmp_path: Path) -> None:
    with zipfile.ZipFile(mm.export.capsule(ran, tmp_path / "run")) as archive:
        assert {Path(name).suffix for name in archive.namelist()} == {".json", ".parquet"}
        assert json.loads(archive.read("capsule.json"))["scores"] == {}


def test_values_of_any_type_are_kept_or_shown(tmp_path: Path) -> None:
    values = [np.ones((2, 2), "float32"), (1, "a"), {"n": None}, 2**70, float("nan"), object]
    whole = mm.pipeline("data | f", data=[0, 1, 2, 3, 4, 5], f=values.__getitem__)
    result = mm.run(whole, progress=False)
    found = mm.open(mm.export.capsule(result, tmp_path / "run")).elements("f").plain()
    assert found[0].dtype == np.float32 and found[0].shape == (2, 2)
    assert found[1:4] == [(1, "a"), {"n": None}, 2**70] and found[4] != found[4]
    assert found[5] == "<class 'object'> (type)"


def test_merge_adds_counts_and_sketches(ran: mm.Result, tmp_path: Path) -> None:
    other = mm.run(graph(100, 20), progress=False)
    capsule = mm.open(mm.export.capsule(other, tmp_path / "run"))
    for merged in (ran.merge(other), ran.merge(capsule), capsule.merge(ran)):
        assert merged.nodes.loc["data", "elements_out"] == 60
        assert merged.nodes.loc["picky", "failed"] == 1
        columns = ["predictions", "batches", "loads"]
        total = ran.models[columns] + other.models[columns]
        pd.testing.assert_frame_equal(merged.models[columns], total)
        calls = sum(merged.sketches["adder"].buckets.values())
        assert calls == merged.models.loc["adder", "batches"]
        assert merged.arms["elements"].sum() == 60
        assert merged.arms.loc[("s", "a"), "expected"] == 0.5
        assert merged.arms["share"].sum() == pytest.approx(1)
        assert len(merged.run_ids) == 2 and "rows are those of the first" in repr(merged)


def test_merge_refuses_what_does_not_belong(ran: mm.Result) -> None:
    with pytest.raises(mm.ResultError, match="already a part"):
        ran.merge(ran)
    with pytest.raises(
        mm.ResultError, match="different graphs; different nodes: s, adder_2, other"
    ):
        short = mm.pipeline("data | map(picky) | adder", data=[], picky=picky)
        ran.merge(mm.run(short, progress=False))
    mm.register("other", Adds(5), batch_size=8)
    with pytest.raises(mm.ResultError, match="'other' has other content"):
        ran.merge(mm.run(graph(), progress=False))
    with pytest.raises(mm.ResultError, match="merge takes a result"):
        ran.merge("run.mmcapsule")  # type: ignore[arg-type]


@pytest.mark.parametrize("arguments", [{"sample": -1}, {"sample": 1.5}])
def test_a_wrong_argument_is_refused(ran: mm.Result, arguments: Any, tmp_path: Path) -> None:
    with pytest.raises(mm.ResultError, match="allowed"):
        mm.export.capsule(ran, tmp_path / "run", **arguments)
    with pytest.raises(mm.ResultError, match="expected a result"):
        mm.export.capsule("r", tmp_path / "run")  # type: ignore[arg-type]
    with pytest.raises(mm.ResultError, match="cannot write"):
        mm.export.capsule(ran, tmp_path / "missing" / "run")


def test_a_damaged_capsule_is_refused(ran: mm.Result, tmp_path: Path) -> None:
    path = mm.export.capsule(ran, tmp_path / "run", sample=3)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    about, chance = json.loads(parts["capsule.json"]), random.Random(0)
    refused = 0
    for _ in range(60):
        changed = json.loads(json.dumps(about))
        key = chance.choice(list(changed))
        changed[key] = chance.choice([None, -1, "x", [], {}, [[1]], {"data": 1}, {"data": {}}])
        whole = tmp_path / "changed.mmcapsule"
        _pack(whole, {**parts, "capsule.json": json.dumps(changed).encode()})
        try:
            opened = mm.open(whole)
        except mm.MMError:
            refused += 1
        else:
            assert repr(opened) and len(opened["data"]) == 3
    assert refused > 35
    _pack(
        tmp_path / "future",
        {**parts, "capsule.json": json.dumps({**about, "mmcapsule": 2}).encode()},
    )
    with pytest.raises(mm.ResultError, match="version 2"):
        mm.open(tmp_path / "future")
    for name in parts:
        _pack(tmp_path / "part", {one: data for one, data in parts.items() if one != name})
        with pytest.raises(mm.ResultError, match="not a capsule"):
            mm.open(tmp_path / "part")
        _pack(tmp_path / "part", {**parts, name: b"x" * 10})
        with pytest.raises(mm.MMError):
            mm.open(tmp_path / "part")


def test_a_capsule_that_grows_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_capsule, "LARGEST", 1 << 20)
    _pack(tmp_path / "bomb", {"capsule.json": b" " * ((1 << 20) + 1)})
    with pytest.raises(mm.ResultError, match="too large"):
        mm.open(tmp_path / "bomb")


def _pack(path: Path, parts: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
