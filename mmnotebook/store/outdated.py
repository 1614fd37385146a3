"""Removal of files that earlier versions of mmnotebook stored in a cache folder.

Entries of these versions are never read. They are in separate folders, such as `v1`, next to the
folder of the current format. Such a folder is removed if it contains only files of these versions
and no process that uses them is alive.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from mmnotebook import cache_folder
from mmnotebook.store import folder

_NAMED = re.compile(r"v([1-9]\d*)")
_MADE = {
    "entries": re.compile(r"[A-Za-z0-9_-]{1,100}\.\d{20}[0-9a-f]{8}"),
    "processes": re.compile(r"[0-9a-f]{32}"),
    "drafts": re.compile(r"[0-9a-f]{32}"),
    "trash": re.compile(r"[0-9a-f]{32}"),
}
"""Patterns for the names of the files that earlier versions wrote, by folder."""


def remove(place: Path) -> int:
    """Remove files of earlier versions from a cache folder; return the bytes freed."""
    freed = 0
    with suppress(OSError):  # files that cannot be removed are left
        if found := list(filter(_is_outdated, folder.listed(place))):
            cache_folder.check_owner(place)
        for inner in found:
            freed += _remove(inner)
    return freed


def _is_outdated(inner: Path) -> bool:
    """Return whether an earlier version created this folder and everything in it."""
    named = _NAMED.fullmatch(inner.name)
    if named is None or int(named[1]) >= folder.FORMAT or not _is_own(inner):
        return False
    lock, parts = inner / folder.LOCK, folder.listed(inner)
    return lock in parts and lock.is_file() and all(map(_is_part, (p for p in parts if p != lock)))


def _is_part(part: Path) -> bool:
    made = _MADE.get(part.name)
    return (
        made is not None
        and _is_own(part)
        and all(made.fullmatch(path.name) and _is_own(path) for path in folder.listed(part))
    )


def _is_own(path: Path) -> bool:
    """Return whether the path is a folder of this user, and not a link to one."""
    return path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.geteuid()


def _remove(inner: Path) -> int:
    with folder.locked_now(inner) as is_alone:
        if not is_alone or any(map(folder.is_alive, folder.listed(inner / "processes"))):
            return 0
        freed = cache_folder.size(inner)
        for part in _MADE:
            shutil.rmtree(inner / part, ignore_errors=True)
        # Remove the lock last: without it, remaining files would not be recognized the next time.
        if [path.name for path in folder.listed(inner)] == [folder.LOCK]:
            with suppress(OSError):
                (inner / folder.LOCK).unlink()
                inner.rmdir()
        return freed - cache_folder.size(inner)
