"""Eviction: the least recently used entries that are not in use are removed first."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from mmnotebook import sizes
from mmnotebook.store import entries, folder, shards
from mmnotebook.store.folder import listed
from mmnotebook.store.shards import Encoded, ShardInfo

VARIABLE = "MMNOTEBOOK_CACHE_LIMIT"
_MOST = 20 << 30
_LOW_WATER = 0.9
"""A store above its limit is reduced to this fraction of the limit."""
_ROOM = 64 << 20
"""On a full disk, this number of bytes is freed in addition to the bytes that are needed."""

T = TypeVar("T")

# Names of entry folders are never reused, and the contents of the folders do not change.
_sizes: dict[str, int] = {}


def default_limit(inner: Path) -> int:
    """Return MMNOTEBOOK_CACHE_LIMIT in bytes, or the default: at most a quarter of the disk."""
    if named := os.environ.get(VARIABLE):
        return sizes.parse(VARIABLE, named)
    return min(_MOST, shutil.disk_usage(inner).total // 4)


def all_entries(inner: Path) -> list[Path]:
    """List the folders of all complete entries, including those that only one process can use."""
    passing = (path for drafts in listed(inner / "drafts") for path in listed(drafts))
    finished = (path for path in passing if (path / entries.MANIFEST).exists())
    return [*listed(inner / "entries"), *finished]


def total(inner: Path) -> int:
    """Return the size of all entries in bytes."""
    return sum(map(size, all_entries(inner)))


def size(path: Path) -> int:
    """Return the size of an entry's shards in bytes."""
    if path.name not in _sizes:
        _sizes[path.name] = sum(_size(file) for file in listed(path) if file.suffix == ".shard")
    return _sizes[path.name]


def evict(inner: Path, limit: int) -> int:
    """Remove the oldest entries until the store is within its limit; the caller holds the lock.

    Parameters
    ----------
    limit
        The limit in bytes. If the store is larger, entries that are not in use are removed, the
        least recently used first, until its size is nine tenths of the limit.

    Returns
    -------
    int
        The number of bytes that were moved to the trash.
    """
    stored = total(inner)
    if stored <= limit:
        return 0
    folder.sweep(inner)
    return remove(inner, oldest_first(inner), total(inner) - int(_LOW_WATER * limit))


def make_room(inner: Path, needed: int) -> int:
    """Discard unused entries to free more than `needed` bytes; return the number of freed bytes."""
    with folder.locked(inner):
        folder.sweep(inner)
        freed = remove(inner, oldest_first(inner), needed + _ROOM)
    folder.empty_trash(inner)
    return freed


def free(inner: Path) -> list[Path]:
    """List the entries that are not in use."""
    held = set(folder.pins(inner))
    return [path for path in listed(inner / "entries") if path.name not in held]


def unused(inner: Path) -> list[Path]:
    """List the entries that are not in use and that no process can find any more."""
    return [path for path in free(inner) if (path / entries.RETIRED).exists()]


def oldest_first(inner: Path) -> list[Path]:
    """List the entries that are not in use: first the retired entries, then by last use."""
    useless = set(unused(inner))
    return sorted(free(inner), key=lambda path: (path not in useless, entries.use(path)[1]))


def remove(inner: Path, paths: Iterable[Path], needed: int | None = None) -> int:
    """Discard entries, at most until `needed` bytes are freed; return the number of freed bytes."""
    freed = 0
    for path in paths:
        if needed is not None and freed >= needed:
            break
        freed += size(path)
        _sizes.pop(path.name, None)
        folder.discard(inner, path)
    return freed


def with_room(inner: Path, needed: int, write: Callable[[], T]) -> T:
    """Call `write` and return its result; if the disk is full, free space and call it again.

    Raises
    ------
    StorageError
        If there is still no space, or another error occurs.
    """
    with folder.reported(inner.parent):
        try:
            return write()
        except OSError as error:
            if not folder.is_full(error):
                raise
        make_room(inner, needed)
        try:
            return write()
        except OSError as error:
            if folder.is_full(error):
                raise folder.full(inner, needed, error) from error
            raise


def write_shard(draft: Path, number: int, value: object, rows: int = 0) -> ShardInfo:
    """Write a shard of a draft, in any process; see `shards.write`.

    Parameters
    ----------
    draft
        `Draft.path`.
    number
        Orders shards that are written within the same nanosecond.
    value, rows
        The value to store, and the number of elements in it.

    Raises
    ------
    StorageError
        If the disk is full and no entry can be removed; the store is unchanged.
    """
    encoded: Encoded = shards.encode(value, rows)
    path = draft / shards.new_name(number)
    return with_room(draft.parents[2], encoded.bytes, lambda: shards.save(path, encoded))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
