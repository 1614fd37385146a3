"""`mm.cache`: its entries, its size, and eviction."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mmnotebook.errors import MMError, StorageError
from mmnotebook.store import cache as module
from mmnotebook.store import eviction
from mmnotebook.store.cache import Cache, open_store
from mmnotebook.store.entries import Entry
from tests.runtime.store_worker import ROOT


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("MMNOTEBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_stores", {})
    return Cache()


def stored(identity: str, node: str, rows: int = 3) -> Entry:
    draft = open_store().draft(identity)
    eviction.write_shard(draft.path, 0, list(range(rows)), rows)
    return draft.commit({"node": node, "kind": "infer"})


def test_an_empty_cache(cache: Cache, tmp_path: Path) -> None:
    assert cache.folder == tmp_path / "cache" and cache.folder.is_dir()
    assert (cache.bytes, cache.hits, cache.misses) == (0, 0, 0)
    assert list(cache.entries.columns) == [
        "node", "kind", "elements", "bytes", "hits", "created", "used",
    ]  # fmt: skip
    assert len(cache.entries) == 0 and "0 entries, 0 bytes" in repr(cache)
    assert "<table" not in cache._repr_html_()
    assert cache.clear() == 0 and repr(cache.clear()) == "0 bytes freed"


def test_entries_with_what_was_used_last_first(cache: Cache) -> None:
    start = pd.Timestamp.now()
    size = sum(stored(name, f"node {name}", rows).bytes for rows, name in enumerate("abc"))
    for _ in range(2):
        open_store().find(["a", "missing"])
    frame = cache.entries
    assert list(frame["node"]) == ["node a", "node c", "node b"]
    assert list(frame["elements"]) == [0, 2, 1] and list(frame["hits"]) == [2, 0, 0]
    assert set(frame["kind"]) == {"infer"} and frame["bytes"].sum() == cache.bytes == size
    assert (frame["created"] >= start - pd.Timedelta("1s")).all()
    assert (frame["used"] >= frame["created"] - pd.Timedelta("1s")).all()
    assert (cache.hits, cache.misses) == (2, 2)
    assert "3 entries" in repr(cache) and "2 found, 2 not" in repr(cache)


def test_the_table_is_escaped_and_short(cache: Cache) -> None:
    stored("a", "<b>&")
    html = cache._repr_html_()
    assert "&lt;b&gt;&amp;" in html and "<b>" not in html
    assert f"{cache.entries['used'][0]:%Y-%m-%d %H:%M}" in html and "Timestamp" not in html


def test_the_limit(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    stored("a", "a")
    for limit, expected in [("20GB", 20 * 10**9), ("1.5 GiB", 3 << 29), (7 << 20, 7 << 20)]:
        cache.limit = limit
        assert cache.limit == expected and cache.bytes > 0
    for wrong in ("much", -1, None, True, 2.5):
        with pytest.raises(MMError, match=r"mm\.cache\.limit"):
            cache.limit = wrong  # type: ignore[assignment]
    assert cache.limit == 7 << 20
    cache.limit = 0
    assert cache.bytes == 0
    monkeypatch.setattr(module, "_stores", {})
    monkeypatch.setenv("MMNOTEBOOK_CACHE_LIMIT", "a lot")
    with pytest.raises(MMError, match=r"MMNOTEBOOK_CACHE_LIMIT='a lot'"):
        _ = cache.limit


def test_clear_says_what_stays_and_why(cache: Cache) -> None:
    sizes = {name: stored(name, name).bytes for name in ("mlp", "tree")}
    held = stored("held", "mlp")
    freed = cache.clear("mlp")
    assert freed == sizes["mlp"] and freed.kept == held.bytes
    assert repr(freed) == (
        f"{freed:d} bytes freed; {held.bytes} bytes are "
        "kept, since results in this or another kernel use them"
    )
    assert set(cache.entries["node"]) == {"mlp", "tree"}
    assert repr(cache.clear("tre")) == (
        "0 bytes freed; the cache has no entry for 'tre', did you mean 'tree'?"
    )
    assert cache.clear() == sizes["tree"]
    del held
    assert cache.clear() > 0 and cache.bytes == 0


def test_one_store_for_each_folder(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_store()
    assert open_store() is first
    monkeypatch.setenv("MMNOTEBOOK_CACHE", str(tmp_path / "other"))
    assert open_store() is not first and cache.folder == tmp_path / "other"
    monkeypatch.setenv("MMNOTEBOOK_CACHE", str(tmp_path / "cache"))
    assert open_store() is first


def test_a_folder_that_cannot_be_used(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MMNOTEBOOK_CACHE", str(tmp_path / "file"))
    for look in (repr, Cache.clear, lambda cache: cache.entries):
        with pytest.raises(StorageError, match="is a file"):
            look(cache)


def test_looking_at_the_cache_does_not_import_torch(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from mmnotebook.store.cache import cache\n"
        "cache.clear(), cache._repr_html_()\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, text=True, capture_output=True,
        env={"MMNOTEBOOK_CACHE": str(tmp_path), "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.strip() == "False"
