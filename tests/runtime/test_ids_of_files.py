"""Ids of elements in files: relative to the root of the pattern, and never ambiguous."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mmnotebook as mm
from mmnotebook.sources import sources

TEXT = """
rows = read("{path}")
s = rows | split({{"a": 0.5, "b": 0.5}})
s.a | first
s.b | second
"""


def first(value: Any) -> float:
    return float(value)


def second(value: Any) -> float:
    return float(value)


def both(values: dict[str, Any]) -> float:
    return float(values["left"] + values["right"])


def filled(folder: Path, names: Sequence[str]) -> Path:
    """Write an array file of ten rows, all different, under each name."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.arange(10.0) + 10 * number)
    return folder


def ids(path: str | Path, **options: Any) -> list[str]:
    result = mm.run(mm.pipeline(f"rows = read({str(path)!r})"), progress=False, **options)
    return [*result["rows"]["id"], *result.failed["id"]]


def arms(path: Path) -> list[set[str]]:
    graph = mm.pipeline(TEXT.format(path=path), first=first, second=second)
    result = mm.run(graph, progress=False)
    return [set(zip(result[name]["id"], result[name]["value"], strict=True)) for name in
            ("first", "second")]  # fmt: skip


@pytest.mark.parametrize("pattern", ["x.npy", "*.npy", "**/*.npy", "part-[ab]/x.npy"])
def test_moved_files_keep_their_ids_and_branches(tmp_path: Path, pattern: str) -> None:
    here = filled(tmp_path / "here", ["x.npy", "part-a/x.npy", "part-b/x.npy"])
    found = arms(here / pattern)
    shutil.move(here, tmp_path / "elsewhere" / "deep")
    assert arms(tmp_path / "elsewhere" / "deep" / pattern) == found
    assert all(found)


def test_equal_names_in_several_folders_have_different_ids(tmp_path: Path) -> None:
    folder = filled(tmp_path, ["a/x.npy", "b/x.npy", "b/c/x.npy"])
    assert ids(folder / "*" / "x.npy")[9:11] == ["a/x.npy#9", "b/x.npy#0"]
    found = ids(folder / "**" / "x.npy")
    assert len(set(found)) == len(found) == 30 and found[-1] == "b/x.npy#9"


def test_files_of_two_folders_are_joined_by_their_names(tmp_path: Path) -> None:
    filled(tmp_path / "one", ["x.npy", "y.npy"])
    filled(tmp_path / "two", ["x.npy", "y.npy"])
    text = 'left = read("{0}/one/*.npy")\nright = read("{0}/two/*.npy")\n'
    text += '{{"left": left, "right": right}} | both'
    result = mm.run(mm.pipeline(text.format(tmp_path), both=both), progress=False)
    assert result["both"]["value"].tolist() == [2.0 * row for row in range(20)]


ODD = ["a#b.npy", "50%25.npy", "x.npy#0.npy", "C:\\x.npy", "a b/é.npy", "q?.npy", "[1].npy"]


@pytest.mark.parametrize("name", ODD)
def test_odd_names(tmp_path: Path, name: str) -> None:
    folder = filled(tmp_path, [name])
    assert ids(folder / name) == [f"{Path(name).name}#{row}" for row in range(10)]
    assert ids(folder / "**" / "*.npy") == [f"{name}#{row}" for row in range(10)]


def test_a_file_whose_name_looks_like_a_row(tmp_path: Path) -> None:
    folder = filled(tmp_path, ["x.npy"])
    (folder / "x.npy#0").write_text("no data")
    found = ids(folder / "*", max_failed=0.5)
    assert found[-1] == "x.npy#0#" and len(set(found)) == len(found) == 11


def test_folders_that_are_relative_links_or_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = filled(tmp_path / "data", ["x.npy"])
    (tmp_path / "link").symlink_to(folder)
    (folder / "link.npy").symlink_to(folder / "x.npy")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    for path in ("x.npy", "./x.npy", "../data/x.npy", "~/x.npy", "../link/x.npy", folder / "x.npy"):
        assert ids(path)[0] == "x.npy#0"
    for path in ("*.npy", "./*.npy", "../data/*.npy", "**/*.npy", "../link/*.npy"):
        assert ids(path)[::10] == ["link.npy#0", "x.npy#0"]
    assert ids("../*/x.npy")[::10] == ["data/x.npy#0", "link/x.npy#0"]


def test_images_have_the_ids_of_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        Image.new("L", (2, 2)).save(tmp_path / label / "1.png")
    expected = ["cat/1.png", "dog/1.png"]
    assert ids(tmp_path) == ids(f"{tmp_path}{os.sep}") == ids(tmp_path / "*" / "*") == expected
    monkeypatch.chdir(tmp_path)
    assert ids(".") == expected and ids("cat") == ids("cat/1.png") == ["1.png"]
    result = mm.run(mm.pipeline('rows = read("cat")'), progress=False)
    assert result["rows"][["path", "label"]].values.tolist() == [["cat/1.png", "cat"]]


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("a.csv", ""),
        ("/a.csv", "/"),
        ("data/a.csv", "data/"),
        ("*.csv", ""),
        ("/*.csv", "/"),
        ("data/20??/*.csv", "data/"),
        ("a/b/**", "a/b/"),
    ],
)
def test_roots(path: str, root: str) -> None:
    assert sources.root(path) == root
