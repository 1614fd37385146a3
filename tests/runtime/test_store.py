"""The store: found entries are complete and stay while held; damaged ones are not found."""

from __future__ import annotations

import gc
import json
import os
import pickle
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from mmnotebook.errors import StorageError
from mmnotebook.store import entries, eviction, folder, shards
from mmnotebook.store.entries import Entry
from mmnotebook.store.shards import Damaged
from mmnotebook.store.store import Aside, Store
from tests.runtime.store_worker import PLENTY, commit, is_right, values, write


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache", PLENTY)


def again(store: Store) -> Store:
    """Open the same folder as another kernel, which has not verified any checksum."""
    entries._whole.clear()
    return Store(store.folder, store.limit)


def folders(store: Store, identity: str) -> list[Path]:
    return sorted((store.inner / "entries").glob(f"{identity}.*"))


def files(store: Store) -> list[Path]:
    return [path for path in store.inner.rglob("*") if path.is_file() and path.name != ".lock"]


def test_a_committed_entry_is_found_with_all_its_parts(store: Store) -> None:
    meta = {"node": "mlp", "kind": "infer", "seconds": 0.25, "nan": [None, {"a": 1}]}
    draft = write(store, "7")
    entry = draft.commit(meta)
    assert store.find(["7", "8", "7"]).keys() == {"7"}
    assert (store.hits, store.misses) == (1, 1)
    for found in (entry, store.find(["7"])["7"], again(store).find(["7"])["7"]):
        assert found.identity == "7" and found.meta == meta and is_right(found)
        assert found.rows == sum(map(len, values("7"))) > 0
        assert found.path.parent == store.inner / "entries"
        assert found.bytes == sum(file.stat().st_size for file in found.path.glob("*.shard"))
        assert found.created == entry.created
    assert store.bytes == entry.bytes and store.notes == []
    assert not draft.path.exists()


def test_an_entry_without_shards(store: Store) -> None:
    assert commit(store, "4").rows == 0
    found = again(store).find(["4"])["4"]
    assert list(found.shards()) == [] and found.bytes == 0


def test_shards_come_back_in_the_order_of_writing(store: Store) -> None:
    draft = store.draft("1")
    infos = [eviction.write_shard(draft.path, 0, number, rows=1) for number in range(20)]
    entry = draft.commit({})
    assert list(entry.shards()) == list(range(20)) and entry.infos == tuple(infos)


def test_a_draft_is_not_found_and_goes_when_discarded_or_dropped(store: Store) -> None:
    for end in ("discard", "del"):
        draft = write(store, "7")
        assert store.find(["7"]) == {} and len(files(store)) == 3
        path = draft.path
        if end == "discard":
            draft.discard()
        del draft
        gc.collect()
        assert not path.exists() and files(store) == []


def test_incomplete_entries_are_not_found(store: Store) -> None:
    draft = write(store, "3")
    (draft.path / "0-x.part").write_bytes(b"half")
    entry = draft.commit({})
    assert is_right(entry) and not list(entry.path.glob("*.part"))


def test_a_draft_with_a_damaged_shard_or_meta_is_refused(store: Store) -> None:
    draft = write(store, "3")
    with pytest.raises(TypeError):
        draft.commit({"node": object()})
    shard = next(draft.path.glob("*.shard"))
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(Damaged, match="was truncated"):
        draft.commit({})
    assert store.find(["3"]) == {}


@pytest.mark.parametrize("identity", ["", "../x", "a.b", "x" * 101, "a b"])
def test_an_identity_is_a_plain_word(store: Store, identity: str) -> None:
    with pytest.raises(ValueError, match="identity"):
        store.draft(identity)


def test_a_second_commit_returns_the_existing_entry(store: Store) -> None:
    one, two = write(store, "5"), write(again(store), "5")
    first = one.commit({"by": "one"})
    second = two.commit({"by": "two"})
    assert second.path == first.path and second.meta == {"by": "one"} and is_right(second)
    assert len(folders(store, "5")) == 1 and not two.path.exists()


def test_a_second_commit_replaces_a_damaged_entry(store: Store) -> None:
    first = commit(store, "5").path
    draft = write(again(store), "5")
    shard = next(first.glob("*.shard"))
    shard.write_bytes(shard.read_bytes()[:-1])
    second = draft.commit({"node": "new"})
    assert second.path != first and is_right(second) and folders(store, "5") == [second.path]


def test_a_new_version_takes_the_place_of_one_that_is_still_held(store: Store) -> None:
    old = commit(store, "5")
    new = write(store, "5").commit({"by": "new"}, replace=True)
    assert is_right(old) and is_right(new)
    assert again(store).find(["5"])["5"].path == new.path
    newer = write(store, "5").commit({}, replace=True)
    path = old.path
    del old, new
    gc.collect()
    store.limit = newer.bytes * 3 // 2
    assert not path.exists() and folders(store, "5") == [newer.path]


def test_a_replaced_entry_does_not_come_back(store: Store) -> None:
    old = commit(store, "7")
    new = write(store, "7").commit({}, replace=True)
    _cut(_shard(new.path), 0.5)
    del new
    for _ in range(2):
        assert again(store).find(["7"]) == {} and is_right(old)


# Every kind of damage, and the note about it
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "head": (lambda e: _flip(_shard(e), 3), "shard was altered"),
    "pickle": (lambda e: _flip(_shard(e), 80), "shard was altered"),
    "buffer": (lambda e: _flip(_shard(e), -200), "shard was altered"),
    "checksum": (lambda e: _flip(_shard(e), -2), "shard was altered"),
    "cut": (lambda e: _cut(_shard(e), 0.5), "shard was truncated"),
    "empty": (lambda e: _cut(_shard(e), 0), "shard was truncated"),
    "longer": (lambda e: _shard(e).write_bytes(_shard(e).read_bytes() + b"x"), "shard was altered"),
    "deleted": (lambda e: _shard(e).unlink(), "shard is missing"),
    "another": (lambda e: _swap(e), "shard was altered"),
    "manifest deleted": (lambda e: (e / entries.MANIFEST).unlink(), "manifest is missing"),
    "manifest cut": (lambda e: _cut(e / entries.MANIFEST, 0.5), "manifest was altered"),
    "manifest empty": (lambda e: _cut(e / entries.MANIFEST, 0), "manifest was altered"),
    "manifest list": (lambda e: (e / entries.MANIFEST).write_text("[1]"), "manifest was altered"),
    "manifest number": (lambda e: _edit(e / entries.MANIFEST), "manifest was altered"),
    "manifest binary": (lambda e: _flip(e / entries.MANIFEST, 0, 0x80), "manifest was altered"),
    "folder emptied": (lambda e: [file.unlink() for file in e.iterdir()], "manifest is missing"),
}


def _shard(entry: Path) -> Path:
    return sorted(entry.glob("*.shard"))[1]


def _flip(path: Path, place: int, bits: int = 1) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= bits
    path.write_bytes(content)


def _cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def _swap(entry: Path) -> None:
    shutil.copy(shards.write(entry / "x.tmp", [1]) and entry / "x.tmp", _shard(entry))
    (entry / "x.tmp").unlink()
    original = json.loads((entry / entries.MANIFEST).read_text())["shards"][1]["bytes"]
    with _shard(entry).open("ab") as file:
        file.write(bytes(original - _shard(entry).stat().st_size))


def _edit(path: Path) -> None:
    path.write_text(path.read_text().replace('"rows": ', '"rows": 1'))


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_noted_once_and_repaired(store: Store, name: str) -> None:
    damage, said = DAMAGES[name]
    commit(store, "6")
    path = commit(store, "7").path
    damage(path)
    other = again(store)
    assert other.find(["6", "7"]).keys() == {"6"}
    node = "node7: " if said.startswith("shard") else ""
    assert other.notes == [f"{node}a stored {said}; computed again"]
    assert not path.exists() and (other.hits, other.misses) == (1, 1)
    other.notes.clear()
    assert is_right(commit(other, "7")) and is_right(again(store).find(["7"])["7"])
    assert other.find(["6", "7"]).keys() == {"6", "7"} and other.notes == []


def test_foreign_files_do_not_harm_an_entry(store: Store) -> None:
    path = commit(store, "7").path
    (path / "99-extra.shard").write_bytes(b"extra")
    (path / "notes.txt").write_text("extra")
    (path / entries.USED).unlink()
    (store.inner / "entries" / "notes.txt").write_text("extra")
    (store.inner / "entries" / "empty").mkdir()
    other = again(store)
    assert is_right(other.find(["7"])["7"]) and other.notes == []
    other.limit = 1
    assert not path.exists()


def test_damage_after_the_check_is_found_when_it_is_read(store: Store) -> None:
    entry = commit(store, "7")
    shard = _shard(entry.path)
    before = shard.stat()
    _flip(shard, 100)
    os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.find(["7"]).keys() == {"7"}  # neither size nor time change
    with pytest.raises(Damaged) as caught:
        list(entry.shards())
    assert caught.value.path == shard and caught.value.what == "was altered"
    assert store.find(["7"]) == {}
    assert store.notes == ["node7: a stored shard was altered; computed again"]


def test_damage_to_held_entries_keeps_their_other_shards(store: Store) -> None:
    held = commit(store, "7")
    _shard(held.path).unlink()
    other = again(store)
    assert other.find(["7"]) == {}
    rest = held.shards()
    assert next(rest).tobytes() == values("7")[0].tobytes()
    with pytest.raises(Damaged, match="is missing"):
        next(rest)
    new = commit(other, "7")
    assert is_right(new) and store.find(["7"])["7"].path == new.path


def test_checksums_are_computed_once_and_again_when_a_file_has_changed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(store, "7")
    other, looked, verify = again(store), [], shards.verify
    monkeypatch.setattr(shards, "verify", lambda *args: looked.append(args) or verify(*args))
    for _ in range(3):
        assert other.find(["7"])
    assert len(looked) == 3  # its three shards
    os.utime(_shard(other.find(["7"])["7"].path))
    assert other.find(["7"]) and len(looked) == 6


def test_an_entry_that_is_held_stays_and_goes_when_it_is_not(store: Store) -> None:
    other = again(store)
    one, two = commit(store, "5"), other.find(["5"])["5"]
    for _ in range(2):
        store.limit = 0
        assert is_right(one) and len(folders(store, "5")) == 1
    del one
    store.limit = 0
    assert is_right(two)
    two.let_go()
    store.limit = 0
    assert folders(store, "5") == [] and store.find(["5"]) == {}


def test_an_entry_is_held_after_its_store_is_deleted(store: Store) -> None:
    entry = commit(Store(store.folder, PLENTY), "5")
    gc.collect()
    Store(store.folder, 0).clear()
    assert is_right(entry)


def test_a_copy_of_an_entry_reads_and_does_not_hold(store: Store) -> None:
    entry = commit(store, "5")
    copy: Entry = pickle.loads(pickle.dumps(entry))
    assert is_right(copy) and copy.rows == entry.rows
    del entry
    assert store.clear() == (copy.bytes, 0)
    with pytest.raises(Damaged, match="is missing"):
        list(copy.shards())


def test_an_entry_of_no_identity_lives_as_long_as_it_is_held(store: Store) -> None:
    passing = commit(store, "5", lasting=False)
    assert is_right(passing) and passing.meta == {"node": "node5"}
    assert store.find(["5"]) == {} and again(store).find(["5"]) == {}
    assert store.bytes == passing.bytes
    store.limit = 0
    assert store.clear() == (0, passing.bytes) and is_right(passing)
    del passing
    gc.collect()
    assert store.bytes == 0 and files(store) == []


def sized(store: Store, identity: str) -> int:
    """Commit an entry of about ten kilobytes that nobody holds."""
    draft = store.draft(identity)
    eviction.write_shard(draft.path, 0, os.urandom(10_000))
    return draft.commit({"node": identity}).bytes


def test_over_the_limit_the_least_recently_used_are_evicted_to_nine_tenths(store: Store) -> None:
    one = sized(store, "0")
    store.limit = one * 10 + 5
    for number in range(1, 10):
        sized(store, str(number))
    assert len(store.find(["0", "1"])) == 2 and store.bytes == one * 10
    assert sized(store, "10") == one
    left = {path.name.split(".")[0] for path in (store.inner / "entries").iterdir()}
    assert left == {"0", "1", "4", "5", "6", "7", "8", "9", "10"}


def test_held_entries_count_but_are_not_evicted(store: Store) -> None:
    one = sized(store, "0")
    held = store.find(["0"])
    store.limit = one
    sized(store, "1")
    Store(store.folder, one)  # the second one was held too when it was committed
    assert store.find(["0", "1"]).keys() == {"0"} and held
    store.limit = one - 1
    assert store.bytes == one


def test_the_default_limit(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quarter = shutil.disk_usage(tmp_path).total // 4
    assert Store(tmp_path / "a").limit == min(20 << 30, quarter)
    monkeypatch.setenv("MMNOTEBOOK_CACHE_LIMIT", "5GB")
    assert Store(tmp_path / "a").limit == 5_000_000_000


def test_clear_by_node(store: Store) -> None:
    sizes = {name: sized(store, name) for name in ("mlp", "tree", "held")}
    held = store.find(["held"])["held"]
    assert store.clear("tree") == (sizes["tree"], 0)
    assert store.clear("held") == (0, sizes["held"]) and store.clear("other") == (0, 0)
    assert store.clear() == (sizes["mlp"], sizes["held"]) and is_whole(held)
    assert list((store.inner / "trash").iterdir()) == []


def is_whole(entry: Entry) -> bool:
    return len(list(entry.shards())) == len(entry.infos)


def test_files_are_the_users_alone(store: Store) -> None:
    held = [commit(store, "7"), commit(store, "6", lasting=False), write(store, "3")]
    store.find(["7"])
    paths = [store.folder, *store.folder.rglob("*")]
    assert held and len(paths) > 20
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_another_format_is_left_alone(store: Store) -> None:
    foreign = store.folder / "v3" / "entries" / "5.x"
    foreign.mkdir(parents=True)
    (foreign / "data").write_text("of a later version")
    commit(store, "5")
    store.limit = 0
    store.clear()
    again(store)
    assert (foreign / "data").exists() and store.inner.name == "v2"


def test_a_folder_that_was_removed_is_made_again(store: Store) -> None:
    held = commit(store, "7")
    shutil.rmtree(store.folder)
    assert store.find(["7"]) == {}
    with pytest.raises(Damaged, match="is missing"):
        list(held.shards())
    assert is_right(commit(store, "7")) and is_right(store.find(["7"])["7"])


@pytest.mark.parametrize("part", ["entries", "processes", "drafts", "trash", ".lock"])
def test_a_part_that_was_removed_is_made_again(store: Store, part: str) -> None:
    held = commit(store, "5")
    path = store.inner / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert store.find(["5"]).keys() == (set() if part == "entries" else {"5"})
    assert is_right(commit(store, "7")) and is_right(store.find(["7"])["7"])
    assert store.clear("nothing") == (0, 0) and held.rows


def test_an_entry_is_not_found_under_another_identity(store: Store) -> None:
    one, other = commit(store, "5"), commit(store, "7")
    del other
    shutil.copytree(one.path, store.inner / "entries" / "7.99999999999999999999")
    shutil.copytree(one.path, store.inner / "entries" / "8.00000000000000000000")
    other_kernel = again(store)
    assert other_kernel.find(["5", "7", "8"]).keys() == {"5"}
    said = "a stored manifest belongs to another entry; computed again"
    assert other_kernel.notes == [said, said]
    assert is_right(store.find(["7"])["7"])  # the entry that it hid


def test_a_draft_that_lacks_elements_is_refused(store: Store) -> None:
    draft = write(store, "5")
    rows = sum(map(len, values("5")))
    next(draft.path.glob("*.shard")).unlink()
    with pytest.raises(Damaged, match=f"of {rows:,} elements"):
        draft.commit({}, rows=rows)
    assert store.find(["5"]) == {}
    assert write(store, "5").commit({}, rows=rows).rows == rows


def tree(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def test_entries_that_the_folder_cannot_take_are_kept_for_the_process(store: Store) -> None:
    commit(store, "5")
    commit(store, "6")
    shutil.rmtree(folders(store, "6")[0])
    flipped = commit(store, "7").path / "manifest.json"
    flipped.write_text("{}")
    before = tree(store.folder)
    aside = Aside(store.inner, "is read-only")
    assert not aside.folder.is_relative_to(store.folder)
    found = aside.find(["5", "6", "7"])
    assert found.keys() == {"5"} and is_right(found["5"])
    assert is_right(commit(aside, "6")) and is_right(aside.find(["6"])["6"])
    aside.find(["7"])
    assert tree(store.folder) == {
        path: state if path.name != "used" else tree(store.folder)[path]
        for path, state in before.items()
    }
    assert [note.partition(":")[0] for note in aside.notes] == [
        f"the cache in {str(store.folder)!r} is read-only",
        "a stored manifest was altered; computed again",
    ]
    assert store.find(["6"]) == {}
    store.beside = aside
    assert is_right(store.find(["6"])["6"])


def test_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MMNOTEBOOK_CACHE", str(tmp_path / "mine"))
    assert folder.chosen() == tmp_path / "mine"
    monkeypatch.delenv("MMNOTEBOOK_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert folder.chosen().is_relative_to(tmp_path) and folder.chosen().name == "mmnotebook"
    monkeypatch.setenv("MMNOTEBOOK_CACHE", "~/mine")
    assert folder.chosen() == tmp_path / "mine"


def refused(path: Path) -> str:
    with pytest.raises(StorageError) as caught:
        Store(path, PLENTY)
    assert "MMNOTEBOOK_CACHE" in str(caught.value.remedy)
    return str(caught.value)


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert f"{str(tmp_path / 'file')!r} is a file" in refused(tmp_path / "file")
    assert f"{str(tmp_path / 'file')!r} is a file" in refused(tmp_path / "file" / "cache")


@pytest.mark.parametrize("inner", ["", "v2"])
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_can_write(tmp_path: Path, mode: int, inner: str) -> None:
    Store(tmp_path / "cache", PLENTY)
    (tmp_path / "cache" / inner).chmod(mode)
    said = refused(tmp_path / "cache")
    assert f"is writable by others (mode {mode:o})" in said and "chmod 700" in said
    (tmp_path / "cache" / inner).chmod(0o755)
    Store(tmp_path / "cache", PLENTY)


def test_a_folder_of_another_user(tmp_path: Path) -> None:
    another = Path("/")
    if os.geteuid() == 0:
        another = tmp_path / "another"
        another.mkdir(mode=0o700)
        os.chown(another, 4242, -1)
    assert "belongs to another user" in refused(another)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    # Nobody can create a folder in /proc; root can create one in a read-only folder.
    (tmp_path / "fixed").mkdir(mode=0o500)
    fixed = Path("/proc/fixed") if os.geteuid() == 0 else tmp_path / "fixed"
    assert f"{str(fixed / 'cache')!r} cannot be used" in refused(fixed / "cache")


def test_answers_are_found_by_node_identity_newest_first(store: Store) -> None:
    for identity, own in (("1", "a"), ("2", "b"), ("3", "a"), ("4", ""), ("5", "a")):
        write(store, identity).commit({}, own=own)
    assert [entry.identity for entry in store.answers("a", 9)] == ["5", "3", "1"]
    assert [entry.identity for entry in again(store).answers("a", 2)] == ["5", "3"]
    assert [entry.identity for entry in Aside(store.inner, "is full").answers("b", 9)] == ["2"]
    assert store.answers("", 9) == store.answers("c", 9) == []
    assert store.find(["1", "4"]).keys() == {"1", "4"}, "they can also be found by identity"


def test_answers_stay_while_they_are_held(store: Store) -> None:
    write(store, "1").commit({}, own="a").let_go()
    held = store.answers("a", 1)
    store.clear()
    assert [is_right(entry) for entry in held] == [True]
    del held
    gc.collect()
    store.clear()
    assert store.answers("a", 1) == []


def test_another_identity_is_found_as_an_answer_alone_until_it_is_forgotten(store: Store) -> None:
    write(store, "1").commit({}, own="a", identity="partial-1")
    assert store.find(["1"]) == {} and len(store.answers("a", 1)) == 1
    store.forget("partial-1")
    assert store.answers("a", 1) == []
