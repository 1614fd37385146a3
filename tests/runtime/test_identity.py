"""The identity of data: equal for equal elements in every process, different for any change."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmnotebook import storage
from mmnotebook.errors import RunError
from mmnotebook.fingerprint import contents
from mmnotebook.fingerprint.identity import Unknowable
from mmnotebook.sources import identity, objects, sources
from tests.runtime.alike import same


@dataclass
class Reading:
    """An element of a user's class."""

    level: float


def now() -> float:
    return time.time()


def of(value: Any, id_column: str | None = None, limit: int | None = None) -> str:
    return identity.of_blocks(objects.blocks("data", value, id_column, limit))


def battery() -> list[Any]:
    """Return data of every kind, created again in each call."""
    words = [f"word {row}" for row in range(5000)]
    return [
        pd.DataFrame(
            {"n": range(5000), "w": words, "x": [np.ones(3) * row for row in range(5000)]}
        ),
        pd.DataFrame({"c": pd.Categorical(["a", "b", None]), "f": [0.5, np.nan, -0.0]}),
        pd.DataFrame({"o": [{"k": {1, 2}}, "text", None], "t": pd.date_range("2024", periods=3)}),
        pd.DataFrame({"n": pd.array([1, None], "Int64"), "s": pd.array(["a", None], "string")}),
        words,
        [{"a": 1, "b": {"c": np.float32(2)}}, {"a": 2, "b": {"c": np.float32(3)}}],
        [1, "two", 3.0, None, b"five", (6, frozenset("abc")), [7], np.nan, -0.0],
        [np.arange(row) for row in range(3)],
        [torch.arange(row) for row in range(3)],
        [],
        np.arange(12.0).reshape(4, 3),
        np.array(["a", "b"], dtype=object),
        np.zeros(2, "i4,f8"),
        torch.arange(6).reshape(3, 2).to(torch.bfloat16),
        torch.eye(3).to_sparse(),
    ]


SHOW = "from tests.runtime import test_identity as t; print(*map(t.of, t.battery()))"


def test_equal_data_has_one_identity_in_every_process() -> None:
    here = [of(value) for value in battery()]
    assert all(len(found) == 32 and int(found, 16) for found in here)
    assert len(set(here)) == len(here)
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", SHOW],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == here


plain = st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | st.text("ab", max_size=2)
values = st.recursive(
    plain | st.lists(plain, max_size=2).map(np.array).filter(lambda a: a.dtype.kind in "bif"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=1), inner),
    max_leaves=3,
)


@given(st.lists(values, max_size=4), st.lists(values, max_size=4))
def test_lists_are_one_exactly_when_they_are_the_same(one: list[Any], two: list[Any]) -> None:
    assert of(one) == of(copy.deepcopy(one))
    assert (of(one) == of(two)) == same(one, two)


FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "v": [[1], [2]]}, index=["p", "q"])


@pytest.mark.parametrize(
    "other",
    [
        FRAME.assign(a=[1, 3]),
        FRAME.assign(a=[1.0, 2.0]),
        FRAME.assign(v=[[1], [3]]),
        FRAME.assign(v=[(1,), (2,)]),
        FRAME.set_axis(["p", "r"], axis=0),
        FRAME.rename(columns={"a": "c"}),
        FRAME[["b", "a", "v"]],
        FRAME.iloc[::-1],
        FRAME.iloc[:1],
        FRAME.drop(columns="v"),
    ],
    ids=range(10),
)
def test_any_difference_of_a_frame_counts(other: pd.DataFrame) -> None:
    assert of(other) != of(FRAME)
    assert of(FRAME.copy(deep=True)) == of(FRAME)


def test_only_used_elements_count() -> None:
    assert of(FRAME, None, 1) == of(FRAME.iloc[:1])
    assert of(FRAME, "b") != of(FRAME)
    assert of(range(9), None, 3) == of([0, 1, 2])


def test_the_dtypes_that_a_model_is_given_count() -> None:
    kinds = [
        FRAME,
        FRAME.assign(a=FRAME["a"].astype("int8")),
        FRAME.assign(b=FRAME["b"].astype("category")),
        FRAME.assign(b=pd.Categorical(FRAME["b"], categories=[*FRAME["b"].unique()[::-1], "z"])),
    ]
    assert len({of(frame) for frame in kinds}) == len(kinds)
    assert len({of(frame.copy()) for frame in kinds * 2}) == len(kinds)


def test_a_class_of_the_users_is_known_and_what_reads_the_clock_is_not() -> None:
    assert of([Reading(1.0)]) == of([Reading(1.0)]) != of([Reading(2.0)])
    assert of([1, threading.Lock()]) != of([1]) != of([1, (n for n in "a")])
    assert of([1, threading.Lock()]) != of([1, (n for n in "a")])
    with pytest.raises(Unknowable, match="clock"):
        of([now])


# Files


def plan(path: Path, id_column: str | None = None) -> sources.SourcePlan:
    return sources.plan_path(str(path), id_column)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,x\n2,y\n")
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Record the files whose content is read, in order."""
    found: list[Path] = []
    whole: Callable[[Path], str] = storage.fingerprint

    def noting(path: Path) -> str:
        found.append(path)
        return whole(path)

    monkeypatch.setattr(storage, "fingerprint", noting)
    return found


def test_only_read_fields_of_a_file_count(table: Path, tmp_path: Path) -> None:
    first = identity.of_files(plan(table))
    other = tmp_path / "b.csv"
    other.write_bytes(table.read_bytes())
    everything = plan(tmp_path / "*.csv")
    found = [
        first,
        identity.of_files(plan(other)),  # different ids
        identity.of_files(plan(table, "a")),
        identity.of_files(plan(table).first(1)),
        identity.of_files(everything),
        identity.of_files(replace(everything, slices=everything.slices[::-1])),
    ]
    assert len(set(found)) == len(found)
    assert identity.of_files(plan(table)) == first
    table.write_text("a,b\n1,x\n2,z\n")
    assert identity.of_files(plan(table)) != first


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """Return a large file with an old time stamp, whose digest is remembered."""
    path = tmp_path / "big.npy"
    np.save(path, np.arange(1 << 18))
    os.utime(path, (0, 0))
    return path


def is_on_disk(path: Path) -> bool:
    return contents._kinds().get(path.stat().st_dev) in contents._ON_DISK


def test_small_files_are_read_every_time(table: Path, read: list[Path]) -> None:
    assert identity.of_files(plan(table)) == identity.of_files(plan(table))
    assert read == [table, table]


def test_a_file_that_was_just_changed_is_read_again(big: Path, read: list[Path]) -> None:
    # Two changes within one tick of the file system's clock have the same time stamps.
    assert contents.of(big) == contents.of(big)
    assert read == [big, big]


def test_a_big_file_is_read_once_until_it_is_touched(
    big: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_on_disk(big):
        pytest.skip("the folder of temporary files is not on a disk")
    monkeypatch.setattr(contents, "_SETTLED", -60)
    first = contents.of(big)
    assert contents.of(big) == first
    assert len(read) == 1
    before = big.stat()
    np.save(big, np.arange(1 << 18)[::-1])
    os.utime(big, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert contents.of(big) != first
    assert len(read) == 2
    twin = big.with_name("twin")
    with twin.open("wb") as file:
        np.save(file, np.arange(1 << 18))
    twin.replace(big)
    assert contents.of(big) == first
    assert len(read) == 3


def test_a_change_through_a_map_that_is_open_is_seen(
    big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_SETTLED", -60)
    held = np.load(big, mmap_mode="r+")
    found = []
    for number in range(6):
        held[-1] = number  # after the first change, the time stamp may stay the same
        found += [contents.of(big), contents.of(big)]
    assert found[::2] == found[1::2]
    assert len(set(found)) == 6


def test_without_reliable_time_stamps_every_file_is_read(
    big: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_SETTLED", -60)
    monkeypatch.setattr(contents, "_ON_DISK", set())
    assert contents.of(big) == contents.of(big)
    assert len(read) == 2


def test_all_that_is_in_a_folder_counts(tmp_path: Path) -> None:
    folder, other = tmp_path / "folder", tmp_path / "other"
    for path in (folder / "inner", other):
        path.mkdir(parents=True)
        (path / "a").write_text("a")
    (other / "back").symlink_to(tmp_path)  # circular references
    found = [contents.of(folder)]
    (folder / "inner" / "b").write_text("")
    found.append(contents.of(folder))
    (folder / "inner" / "a").rename(folder / "a")
    found.append(contents.of(folder))
    (folder / "linked").symlink_to(other)
    found.append(contents.of(folder))
    (other / "a").write_text("b")
    found.append(contents.of(folder))
    assert len(set(found)) == 5
    assert contents.of(folder) == found[-1]


def test_each_file_is_read_once_for_all_of_its_parts(table: Path, read: list[Path]) -> None:
    whole = plan(table)
    identity.of_files(replace(whole, slices=whole.slices * 3))
    assert read == [table]


def test_the_same_path_in_another_folder_is_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name, text in (("one", "a\n1\n"), ("two", "a\n2\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.csv").write_text(text)
        (tmp_path / name / "a.png").write_bytes(b"never opened")
        monkeypatch.chdir(tmp_path / name)
        found += [identity.of_files(plan(Path("a.csv"))), identity.of_files(plan(Path("a.png")))]
    assert len(set(found)) == 4  # the label of an image is the name of its folder


def test_a_missing_file_is_an_error(table: Path) -> None:
    gone = plan(table)
    table.unlink()
    with pytest.raises(RunError, match=r"cannot read .*a\.csv.*No such file"):
        identity.of_files(gone)
