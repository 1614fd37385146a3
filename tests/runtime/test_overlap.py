"""A graph that would overwrite its own input is refused, and no file changes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pandas as pd
import pytest
import torch

import mmnotebook as mm
from mmnotebook.errors import RunError
from mmnotebook.sources import overlap

TEXT = "x,label\n1,a\n2,b\n"


def f(x: Any) -> Any:
    return x


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create the current folder: `data/in.csv`, links to it, and a folder with a link to it."""
    inside = tmp_path / "data"
    (inside / "deep").mkdir(parents=True)
    (inside / "in.csv").write_text(TEXT)
    (inside / "deep" / "in.csv").write_text(TEXT)
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(inside)
    (tmp_path / "soft.csv").symlink_to(inside / "in.csv")
    (tmp_path / "dangling.csv").symlink_to(inside / "new.csv")
    os.link(inside / "in.csv", tmp_path / "hard.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def state(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): path.read_text() for path in files if path.suffix != ".dat"}


def refused(folder: Path, read: Any, write: str, what: str = "source 'rows' reads it") -> str:
    before = state(folder)
    graph = mm.pipeline(f"rows | f | write({write!r})", rows=read, f=f)
    for call in (
        lambda: mm.run(graph, progress=False),
        lambda: mm.run(graph, progress=False, limit=1, fresh=True),
        lambda: mm.compile_graph(graph, beam.Pipeline()),
    ):
        with pytest.raises(RunError, match="cannot write") as caught:
            call()
        assert what in str(caught.value) and caught.value.node == "write"
    assert state(folder) == before
    return str(caught.value)


@pytest.mark.parametrize(
    ("read", "write"),
    [
        ("data/in.csv", "data/in.csv"),
        ("data/in.csv", "{folder}/data/in.csv"),
        ("{folder}/data/in.csv", "data/../data/./in.csv"),
        ("data/in.csv", "link/in.csv"),
        ("link/in.csv", "data/in.csv"),
        ("data/in.csv", "soft.csv"),
        ("soft.csv", "data/in.csv"),
        ("data/in.csv", "hard.csv"),
        ("hard.csv", "data/in.csv"),
        ("data/*.csv", "data/in.csv"),
        ("data/*.csv", "hard.csv"),
        ("data/*.csv", "data/new.csv"),
        ("data/*.csv", "link/new.csv"),
        ("data/*.csv", "dangling.csv"),
        ("*/in.csv", "other/in.csv"),
        ("data/**/*.csv", "data/deep/new.csv"),
        ("data/**/*.csv", "data/new.csv"),
        ("data/**", "data/deep/new.jsonl"),
        ("{folder}/d?ta/[a-n]*.csv", "data/new.csv"),
        ("**/*.csv", "new.csv"),
        ("*/*.csv", "new.csv/"),
        ("data/*/*.csv", "data/new.csv/"),
        ("data/**/*.csv", "data/new.csv/"),
        ("{folder}/**/part-*.csv", "new.csv/"),
    ],
)
def test_a_path_that_leads_to_what_is_read(folder: Path, read: str, write: str) -> None:
    for path in (read.format(folder=folder), Path(read.format(folder=folder))):
        refused(folder, path, write.format(folder=folder))


@pytest.mark.parametrize(
    ("read", "write"),
    [
        ("data/in.csv", "data/new.csv"),
        ("data/*.csv", "data/new.jsonl"),
        ("data/*.csv", "data/.new.csv"),
        ("data/*.csv", "data/deep/new.csv"),
        ("data/*.csv", "new.csv"),
        ("data/*.csv", "data/new.csv/"),
        ("data/*.csv", "new/"),
        ("data/in.csv", "data/deep/in.csv"),
    ],
)
def test_a_path_beside_what_is_read(folder: Path, read: str, write: str) -> None:
    for _ in range(2):
        mm.run(mm.pipeline(f"rows | f | write({write!r})", rows=read, f=f), progress=False)
        assert Path(write).exists()


def test_the_file_that_an_array_is_mapped_from(folder: Path) -> None:
    whole = np.memmap(folder / "array.csv", dtype="float32", mode="w+", shape=(4, 2))
    frame = pd.DataFrame(whole[1:])
    for rows in (whole, whole[:, 1], np.asarray(whole)[::2], [whole[0], whole[1]], frame):
        refused(folder, rows, "array.csv")
    tensor = torch.from_file(str(folder / "array.csv"), shared=True, size=8)
    refused(folder, tensor.reshape(4, 2)[1:], "array.csv")
    assert list(overlap.of_object("rows", np.zeros(3))) == []


def test_the_file_that_a_beam_transform_reads(folder: Path) -> None:
    refused(folder, beam.io.ReadFromText("data/in.csv"), "soft.csv")
    refused(folder, beam.io.ReadFromText("data/*.csv"), "data/new.csv")
    refused(folder, f"{folder}/data/in.csv", "data/in.csv")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_file_of_a_model_and_what_a_model_watches(folder: Path, models: Any) -> None:
    torch.jit.script(torch.nn.Linear(4, 2)).save(folder / "m.pt")
    (folder / "m.csv").hardlink_to(folder / "m.pt")
    (folder / "s.csv").symlink_to(folder / "m.pt")
    mm.register("m", str(folder / "m.pt"))
    rows = np.zeros((2, 4), "float32")
    for path, watch, what in (
        ("m.csv", "", "model 'm' reads it"),
        ("s.csv", "", "model 'm' reads it"),
        ("data/new.csv", ', watch="data/*"', "node 'm' reads it"),
    ):
        text = f'rows | model(m{watch}) | write("{path}")'
        with pytest.raises(mm.MMError) as caught:
            mm.run(mm.pipeline(text, rows=rows), progress=False)
        assert what in str(caught.value)


def test_the_cache(folder: Path, cache_folder: Path) -> None:
    refused(folder, [1], str(cache_folder / "out.csv"), "the cache reads it")


def test_two_paths_to_one_file(folder: Path) -> None:
    for one, other in (
        ("hard.csv", "data/in.csv"),
        ("link/out.csv", "data/out.csv"),
        ("a.csv", "./a.csv"),
    ):
        graph = mm.pipeline(f"rows | write({one!r})\nrows | write({other!r})", rows=[1])
        with pytest.raises(RunError, match="both write"):
            mm.run(graph, progress=False)


@pytest.mark.parametrize(
    "path", ["data/in.csv/out.csv", "no/out.csv", "a\0.csv", "x" * 300 + ".csv", "~nobody/out.csv"]
)
def test_a_path_that_leads_nowhere(folder: Path, path: str) -> None:
    graph = mm.pipeline(f"rows | write({path!r})", rows=[1])
    with pytest.raises(mm.MMError, match="cannot write"):
        mm.run(graph, progress=False)


def test_a_folder_that_ignores_case(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "ignores_case", lambda folder: True)
    refused(folder, "data/*.csv", "data/NEW.CSV")
    monkeypatch.undo()
    assert not overlap.ignores_case(folder) and not overlap.ignores_case(Path("/"))
