"""Data of earlier versions in a cache folder is removed, unless a process uses or shares it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mmnotebook.store import eviction, folder
from mmnotebook.store.store import Draft, Store

LIMIT = 1 << 30


def write(store: Store, identity: str) -> Draft:
    draft = store.draft(identity)
    eviction.write_shard(draft.path, 0, os.urandom(3000), 1)
    return draft


@pytest.fixture
def earlier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Store]:
    """Open the store as an earlier version does."""

    def opened() -> Store:
        with monkeypatch.context() as patch:
            patch.setattr(folder, "FORMAT", 1)
            store = Store(tmp_path / "cache", LIMIT)
            held = [write(store, name).commit({"node": name}) for name in ("a", "b")]
            assert len(held) == 2
            return store

    return opened


def test_it_is_removed_with_a_note(earlier: Callable[[], Store], tmp_path: Path) -> None:
    former = earlier()
    inner = former.inner
    write(former, "c")
    assert inner.name == "v1" and inner.is_dir()
    (inner / "drafts" / ("0" * 32)).mkdir()  # of a dead process
    (inner / "processes" / ("0" * 32)).mkdir()
    del former
    store = Store(tmp_path / "cache", LIMIT)
    (note,) = store.notes
    assert note.startswith("removed 6.") and note.endswith(
        " kB of files from earlier versions of mmnotebook"
    )
    assert not inner.exists() and store.inner.is_dir() and store.find(["a"]) == {}
    assert Store(tmp_path / "cache", LIMIT).notes == []


def test_data_of_a_living_process_stays(earlier: Callable[[], Store], tmp_path: Path) -> None:
    former = earlier()
    store = Store(tmp_path / "cache", LIMIT)
    assert store.notes == [] and former.find(["a", "b"]).keys() == {"a", "b"}
    inner = former.inner
    del former
    with folder.locked(inner):
        assert Store(tmp_path / "cache", LIMIT).notes == []
    assert len(list((inner / "entries").iterdir())) == 2
    assert Store(tmp_path / "cache", LIMIT).notes and not inner.exists()


@pytest.mark.parametrize("where", ["notes.txt", "entries/mine", "drafts/mine", "trash/x.csv"])
def test_data_of_another_user_stays(
    earlier: Callable[[], Store], tmp_path: Path, where: str
) -> None:
    inner = earlier().inner
    (inner / where).write_text("mine")
    assert Store(tmp_path / "cache", LIMIT).notes == []
    assert (inner / where).read_text() == "mine" and len(list(inner.rglob("*.shard"))) == 2


@pytest.mark.parametrize("name", ["v0", "v01", "v1x", "V1", "v3", "old"])
def test_another_folder_stays(earlier: Callable[[], Store], tmp_path: Path, name: str) -> None:
    inner = earlier().inner
    inner.rename(inner.parent / name)
    assert Store(tmp_path / "cache", LIMIT).notes == []
    assert len(list((inner.parent / name / "entries").iterdir())) == 2


def test_a_folder_without_their_lock_stays(earlier: Callable[[], Store], tmp_path: Path) -> None:
    inner = earlier().inner
    (inner / ".lock").unlink()
    assert Store(tmp_path / "cache", LIMIT).notes == []
    assert len(list((inner / "entries").iterdir())) == 2


@pytest.mark.parametrize("linked", ["v1", "v1/entries"])
def test_the_target_of_a_link_stays(
    earlier: Callable[[], Store], tmp_path: Path, linked: str
) -> None:
    inner = earlier().inner
    link = inner.parent / linked
    link.rename(tmp_path / "elsewhere")
    link.symlink_to(tmp_path / "elsewhere")
    assert Store(tmp_path / "cache", LIMIT).notes == []
    assert len(list((tmp_path / "elsewhere").rglob("*.shard"))) == 2


def test_data_that_cannot_be_removed_does_not_block_the_store(
    earlier: Callable[[], Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = earlier().inner

    def refused(*_: object, **__: object) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr("mmnotebook.store.outdated.shutil.rmtree", refused)
        assert Store(tmp_path / "cache", LIMIT).notes == []
    assert inner.is_dir()
