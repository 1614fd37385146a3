"""The contents of a cache folder, and the processes that use it.

v2/.lock                      locked while files below are looked up, renamed or removed
v2/entries/IDENTITY.STAMP/    a complete entry: shards, manifest.json, `used`
v2/processes/PROCESS/         .lock, locked while that process lives, and a file per pin
v2/drafts/PROCESS/DRAFT/      entries that this process is writing, or that only it can use
v2/trash/                     folders that are being removed

Files are locked with `filelock.lock_descriptor`. `filelock.FileLock` would create missing folders
with the permissions of the umask, and takes 50 times as long.
"""

from __future__ import annotations

import errno
import functools
import itertools
import os
import shutil
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import lock_descriptor, unlock_descriptor

from mmnotebook import sizes
from mmnotebook.cache_folder import VARIABLE, check_owner
from mmnotebook.cache_folder import chosen as chosen
from mmnotebook.cache_folder import reported as reported
from mmnotebook.errors import StorageError

FORMAT = 2
_PARTS = ("entries", "processes", "drafts", "trash")
LOCK = ".lock"
_POLL = 0.001
"""Seconds between two attempts to lock; the lock is held for about this time."""
_FULL = {
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "files of that size are not allowed",
}
_FIXED = (errno.EROFS, errno.EACCES, errno.EPERM)
_open: set[int] = set()


def inner_of(folder: Path) -> Path:
    """Return the subfolder for this format, whether it exists or not."""
    return folder / f"v{FORMAT}"


def prepared(folder: Path) -> Path:
    """Return the subfolder for this format, created if necessary.

    Raises
    ------
    StorageError
        If `folder` is not a folder, cannot be written, or is writable by other users.
    """
    inner = inner_of(folder)
    with reported(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_owner(folder)
        inner.mkdir(mode=0o700, exist_ok=True)
        check_owner(inner)
        for part in _PARTS:
            (inner / part).mkdir(mode=0o700, exist_ok=True)
    return inner


def is_full(error: OSError) -> bool:
    """Return whether an error means that there is no space left."""
    return error.errno in _FULL


def why_unwritable(error: StorageError) -> str | None:
    """Return why a readable folder cannot be written; None for any other error."""
    if error.errno in _FIXED:
        return "is read-only"
    return "is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else None


def full(inner: Path, needed: int, error: OSError) -> StorageError:
    """Return the error for `needed` bytes that could not be written."""
    return StorageError(
        f"the cache in {str(inner.parent)!r} has no space for {sizes.text(needed)}: "
        f"{_FULL[error.errno or 0]}",
        remedy=f"mm.cache.clear(), a smaller mm.cache.limit, or another folder in {VARIABLE}",
        errno=error.errno,
    )


@contextmanager
def locked(inner: Path) -> Iterator[None]:
    """Hold the store's lock, for all threads of all processes; the lock is not reentrant."""
    with reported(inner.parent):
        handle = _opened(inner / LOCK)
    try:
        with reported(inner.parent):
            lock_descriptor(handle, poll_interval=_POLL)
        yield
    finally:
        # Closing is not enough: a process that was forked meanwhile has a copy of the handle.
        unlock_descriptor(handle)
        _close(handle)


@contextmanager
def locked_now(inner: Path) -> Iterator[bool]:
    """Try to acquire the lock of the store without waiting; yield whether it was acquired."""
    handle = _opened(inner / LOCK)
    try:
        is_alone = lock_descriptor(handle, blocking=False)
        try:
            yield is_alone
        finally:
            if is_alone:
                unlock_descriptor(handle)
    finally:
        _close(handle)


class Membership:
    """The folders of one process in a store, removed with this object.

    The code that creates this object must hold the lock of the store.
    """

    def __init__(self, inner: Path) -> None:
        name = uuid.uuid4().hex
        self.pid = os.getpid()
        self.inner, self.place, self.drafts = (
            inner,
            inner / "processes" / name,
            inner / "drafts" / name,
        )
        self.place.mkdir(mode=0o700)
        handle = _opened(self.place / LOCK)
        lock_descriptor(handle, blocking=False)
        self.drafts.mkdir(mode=0o700)
        self._numbers = itertools.count()
        weakref.finalize(self, _leave, self.pid, handle, self.drafts, self.place)

    @property
    def is_here(self) -> bool:
        """Whether this process (not its parent before a fork) created it, and its folders exist."""
        folders = (self.place, self.drafts, *(self.inner / part for part in _PARTS))
        return self.pid == os.getpid() and all(map(Path.is_dir, folders))

    def new_draft(self) -> Path:
        path = self.drafts / uuid.uuid4().hex
        path.mkdir(mode=0o700)
        return path

    def pin(self, name: str) -> Path:
        """Prevent the removal of an entry folder as long as the returned file exists.

        Each pin is a separate file. The garbage collector can remove it at any time, in any
        thread, with a single unlink.
        """
        path = self.place / f"{name}-{next(self._numbers)}"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return path


def listed(folder: Path) -> list[Path]:
    """List the paths in a folder by name; [] if it does not exist (a process may have ended)."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def pins(inner: Path) -> list[str]:
    """List the names of the pinned entry folders, one name for each pin.

    Pins of dead processes are included until `sweep` removes them.
    """
    files = itertools.chain.from_iterable(map(listed, listed(inner / "processes")))
    return [path.name.rsplit("-", 1)[0] for path in files if path.name != LOCK]


def sweep(inner: Path) -> None:
    """Discard the folders of dead processes; the caller must hold the lock."""
    for place in listed(inner / "processes"):
        if not is_alive(place):
            discard(inner, inner / "drafts" / place.name)
            discard(inner, place)
    for drafts in listed(inner / "drafts"):
        if not (inner / "processes" / drafts.name).is_dir():
            discard(inner, drafts)


def discard(inner: Path, path: Path) -> None:
    """Move a folder to the trash, in one atomic step."""
    try:
        path.rename(inner / "trash" / uuid.uuid4().hex)
    except FileNotFoundError:
        return


def empty_trash(inner: Path) -> None:
    """Delete the folders in the trash. This can take long and needs no lock."""
    for path in listed(inner / "trash"):
        _remove(path)


def remove_own(pid: int, path: Path) -> None:
    """Remove a file or folder, unless this process is a fork of its owner."""
    if os.getpid() == pid:
        _remove(path)


def _remove(path: Path) -> None:
    """Remove a file or a folder; files that cannot be removed are left for a later `sweep`."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _leave(pid: int, handle: int, drafts: Path, place: Path) -> None:
    if os.getpid() == pid:
        shutil.rmtree(drafts, ignore_errors=True)
        shutil.rmtree(place, ignore_errors=True)
        _close(handle)


def is_alive(place: Path) -> bool:
    """Return whether the process of a folder is alive."""
    try:
        handle = _opened(place / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not lock_descriptor(handle, blocking=False)
    finally:
        _close(handle)


def _opened(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int:
    _forget_after_fork()
    handle = os.open(path, flags, 0o600)
    _open.add(handle)
    return handle


def _close(handle: int) -> None:
    _open.discard(handle)
    os.close(handle)


@functools.cache
def _forget_after_fork() -> None:
    os.register_at_fork(after_in_child=_close_all)


def _close_all() -> None:
    # Copies of the handles in the child would keep the locks after the parent has died.
    while _open:
        os.close(_open.pop())
