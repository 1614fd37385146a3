"""The content of files and folders as a digest, read again unless their stamps cannot lie.

A file that is written through a memory map has the stamps that it had for as long as its pages are
dirty. File systems on disks protect a page again once it is written back, and the next write to it
gives the file another time: there, what was read after all of it was written back is known by its
stamps. Elsewhere (in memory, over a network) and of small files the content is read every time.
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

_SETTLED = 2.0
"""Seconds after which another change of a file has another time, on every file system."""
_SMALL = 1 << 20
"""Bytes that are read as fast as it is found out whether they need to be."""
_ON_DISK = {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs"}
"""File systems that stamp a file at the first write through a map after its pages were written."""

_Stamp = tuple[int, int, int, int, int]
_known: dict[str, tuple[_Stamp, str]] = {}
_lock = threading.Lock()


def of(path: str | Path) -> str:
    """The digest of a file, or of a folder's files and their names, 32 hex digits.

    Of what lies in a remote store, it is of the version that the store says.

    Raises
    ------
    OSError
        When it cannot be read, or the store cannot be asked.
    """
    if is_remote(path):
        return _of_remote(str(path))
    where = os.path.abspath(path)  # noqa: PTH100 - a link stays one: it may be switched
    if not os.path.isdir(where):  # noqa: PTH112
        return of_file(where)
    whole = hashlib.blake2b(digest_size=16)
    for name, file in sorted(_inside(where)):
        whole.update(f"{len(os.fsencode(name))} ".encode() + os.fsencode(name))
        whole.update(of_file(file).encode())
    return whole.hexdigest()


def of_file(path: str) -> str:
    """The digest of one file, as `storage.fingerprint` takes it.

    Raises
    ------
    OSError
        When it cannot be read.
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
    """(name, path) of every file in a folder; folders that are linked to are followed once."""
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
    """What changes with a file: device, inode, times of change, size."""
    found = os.stat(path)  # noqa: PTH116
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def _written_back(path: str, device: int) -> bool:
    """Is all of a file on the disk, so that its next write gives it another time?"""
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
    """By device, the kind of its file system, where the system says it."""
    found: dict[int, str] = {}
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines():
            before, _, after = line.partition(" - ")
            major, minor = before.split()[2].split(":")
            found[os.makedev(int(major), int(minor))] = after.split()[0]
    return found


def is_bigger(path: str, most_files: int, most_bytes: int) -> bool:
    """Does a folder hold more files than that, or more bytes?"""
    if is_remote(path) or not os.path.isdir(path):  # noqa: PTH112
        return False
    count = size = 0
    for _, file in _inside(path):
        count, size = count + 1, size + os.stat(file).st_size  # noqa: PTH116
        if count > most_files or size > most_bytes:
            return True
    return False


def is_remote(path: str | Path) -> bool:
    """Is it a text that leads to a store elsewhere?"""
    return isinstance(path, str) and "://" in path


def _of_remote(path: str) -> str:
    from apache_beam.io.filesystems import FileSystems

    try:
        for pattern in (path, f"{path.rstrip('/')}/**"):
            found = FileSystems.match([pattern])[0].metadata_list
            if found:
                said = sorted((one.path, FileSystems.checksum(one.path)) for one in found)
                return hashlib.blake2b(repr(said).encode(), digest_size=16).hexdigest()
    except Exception as error:
        raise OSError(f"{path} cannot be asked for its version") from error
    raise OSError(f"{path} is not there")
