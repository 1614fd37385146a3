"""Digests of files and folders, cached by their stat data if that is reliable.

A file that is written through a memory map keeps its old timestamps while its pages are dirty. On
file systems on disk, the first write after a writeback changes the timestamps. There, a digest that
was computed after a full writeback is valid as long as the timestamps are equal. On other file
systems (in memory, over a network), and for small files, the content is read every time.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mmnotebook import storage
from mmnotebook.remote import addresses
from mmnotebook.remote import files as remote_files

_SETTLED = 2.0
"""A change this many seconds after the previous change always changes the timestamps."""
_SMALL = 1 << 20
"""The size in bytes below which reading a file is as fast as checking whether it has changed."""
_ON_DISK = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs"}
"""File systems that update timestamps at the first write through a map after a writeback."""

_Stamp = tuple[int, int, int, int, int]
_known: dict[str, tuple[_Stamp, str]] = {}
_lock = threading.Lock()


def of(path: str | Path) -> str:
    """Return the digest (32 hex digits) of a file, or of the names and contents in a folder.

    For the address of a remote file or folder, it is the digest of the versions of the files.

    Raises
    ------
    OSError
        If the path cannot be read.
    """
    if addresses.is_remote(path):
        return _of_remote(path)
    where = os.path.abspath(path)  # noqa: PTH100 - keep links: their targets may change
    if not os.path.isdir(where):  # noqa: PTH112
        return of_file(where)
    whole = hashlib.blake2b(digest_size=16)
    for name, file in sorted(_inside(where)):
        whole.update(f"{len(os.fsencode(name))} ".encode() + os.fsencode(name))
        whole.update(of_file(file).encode())
    return whole.hexdigest()


def of_file(path: str) -> str:
    """Return the digest of one file, equal to `storage.fingerprint`.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    stamp = _stamp(path)
    with _lock:
        remembered = _known.get(path)
    if remembered is not None and remembered[0] == stamp:
        return remembered[1]
    begun = time.time_ns()
    written_back = stamp[-1] >= _SMALL and _written_back(path, stamp[0])
    content = storage.fingerprint(Path(path))
    settled = max(stamp[2:4]) < begun - _SETTLED * 1e9
    if written_back and settled and _stamp(path) == stamp:
        with _lock:
            _known[path] = (stamp, content)
    return content


def _inside(folder: str) -> Iterator[tuple[str, str]]:
    """Yield (name, path) of every file in a folder; each linked folder is read once."""
    seen = set()
    for where, folders, files in os.walk(folder, followlinks=True):
        found = os.stat(where)  # noqa: PTH116
        if (found.st_dev, found.st_ino) in seen:
            folders.clear()
            continue
        seen.add((found.st_dev, found.st_ino))
        for name in files:
            path = os.path.join(where, name)  # noqa: PTH118
            if os.path.isfile(path):  # noqa: PTH113
                yield os.path.relpath(path, folder), path


def _stamp(path: str) -> _Stamp:
    """Return the stat data of a file: device, inode, timestamps, size."""
    found = os.stat(path)  # noqa: PTH116
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def _written_back(path: str, device: int) -> bool:
    """Write dirty pages to disk; return whether the next write will change the timestamps."""
    if _kinds().get(device) not in _ON_DISK:
        return False
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        os.fsync(handle)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def _kinds() -> dict[int, str]:
    """Return the file system of each device, if the system reports it."""
    found: dict[int, str] = {}
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines():
            before, _, after = line.partition(" - ")
            major, minor = before.split()[2].split(":")
            found[os.makedev(int(major), int(minor))] = after.split()[0]
    return found


def is_bigger(path: str, most_files: int, most_bytes: int) -> bool:
    """Return whether a folder contains more files or more bytes than these limits."""
    if addresses.is_remote(path) or not os.path.isdir(path):  # noqa: PTH112
        return False
    count = size = 0
    for _, file in _inside(path):
        count, size = count + 1, size + os.stat(file).st_size  # noqa: PTH116
        if count > most_files or size > most_bytes:
            return True
    return False


def _of_remote(path: str) -> str:
    found = remote_files.matched(path) or remote_files.below(f"{path.rstrip('/')}/", given=path)
    if not found:
        raise OSError(f"{path} does not exist")
    versions = remote_files.versions([one.address for one in found])
    known = sorted((address, version()) for address, version in versions.items())
    return hashlib.blake2b(repr(known).encode(), digest_size=16).hexdigest()
