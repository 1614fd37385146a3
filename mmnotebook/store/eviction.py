"""How much is stored, and what goes first: the least recently used of what nobody holds."""

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
"""To this share of the limit the store is emptied once it is over it."""
_ROOM = 64 << 20
"""So much more than is needed at the moment is freed on a full disk."""

T = TypeVar("T")

# The names of entry folders are never used twice, and what is in them does not change.
_sizes: dict[str, int] = {}


def default_limit(inner: Path) -> int:
    """Bytes: MMNOTEBOOK_CACHE_LIMIT, else 20 GiB or a quarter of the disk, whichever is less."""
    if named := os.environ.get(VARIABLE):
        return sizes.parse(VARIABLE, named)
    return min(_MOST, shutil.disk_usage(inner).total // 4)


def all_entries(inner: Path) -> list[Path]:
    """The folder of every finished entry, and of those that only their process can use."""
    passing = (path for drafts in listed(inner / "drafts") for path in listed(drafts))
    finished = (path for path in passing if (path / entries.MANIFEST).exists())
    return [*listed(inner / "entries"), *finished]


def total(inner: Path) -> int:
    """Bytes in all entries."""
    return sum(map(size, all_entries(inner)))


def size(path: Path) -> int:
    """Bytes in an entry's shards."""
    if path.name not in _sizes:
        _sizes[path.name] = sum(_size(file) for file in listed(path) if file.suffix == ".shard")
    return _sizes[path.name]


def evict(inner: Path, limit: int) -> int:
    """Keep within a limit; for who holds the lock.

    Parameters
    ----------
    limit
        Bytes. When there are more, entries that nobody holds go until nine tenths of it are left,
        those first that were found or made longest ago.

    Returns
    -------
    int
        Bytes that went into the trash.
    """
    stored = total(inner)
    if stored <= limit:
        return 0
    folder.sweep(inner)
    return remove(inner, oldest_first(inner), total(inner) - int(_LOW_WATER * limit))


def make_room(inner: Path, needed: int) -> int:
    """Throw the oldest entries that nobody holds away, `needed` bytes of them and some more."""
    with folder.locked(inner):
        folder.sweep(inner)
        freed = remove(inner, oldest_first(inner), needed + _ROOM)
    folder.empty_trash(inner)
    return freed


def free(inner: Path) -> list[Path]:
    """The entries that nobody holds."""
    held = set(folder.pins(inner))
    return [path for path in listed(inner / "entries") if path.name not in held]


def unused(inner: Path) -> list[Path]:
    """The entries that nobody holds, or can find any more."""
    return [path for path in free(inner) if (path / entries.RETIRED).exists()]


def oldest_first(inner: Path) -> list[Path]:
    """The entries that nobody holds, those first that nobody can find or did so longest ago."""
    useless = set(unused(inner))
    return sorted(free(inner), key=lambda path: (path not in useless, entries.use(path)[1]))


def remove(inner: Path, paths: Iterable[Path], needed: int | None = None) -> int:
    """Entries into the trash, all or until so many bytes are there; how many they are."""
    freed = 0
    for path in paths:
        if needed is not None and freed >= needed:
            break
        freed += size(path)
        _sizes.pop(path.name, None)
        folder.discard(inner, path)
    return freed


def with_room(inner: Path, needed: int, write: Callable[[], T]) -> T:
    """What `write` gives; when the disk is full, once more after the oldest entries have gone.

    Raises
    ------
    StorageError
        When there is no room then either, or the system refuses for another reason.
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
    """Write a shard of a draft, in whatever process; see `shards.write`.

    Parameters
    ----------
    draft
        `Draft.path`.
    number
        Orders shards that are written within the same nanosecond.
    value, rows
        What is to be stored, and how many elements that is.

    Raises
    ------
    StorageError
        When the disk is full and nothing can be thrown away; the store stays as it is.
    """
    encoded: Encoded = shards.encode(value, rows)
    path = draft / shards.new_name(number)
    return with_room(draft.parents[2], encoded.bytes, lambda: shards.save(path, encoded))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0
