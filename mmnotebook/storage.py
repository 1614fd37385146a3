"""Private files in one folder per process, which only its user can read; removed at exit.

The lock file of a folder is locked with `filelock.lock_descriptor` before it is renamed to the name
that other processes look for. `filelock.FileLock` cannot do that.
"""

from __future__ import annotations

import atexit
import errno
import hashlib
import os
import shutil
import stat
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import IO, BinaryIO, Literal

from filelock import lock_descriptor

_PREFIX = "mmnotebook-"
_LOCK = ".lock"
_GRACE = 60.0
"""A folder that is older than this many seconds and has no lock belongs to a dead process."""
_session: tuple[int, Path, IO[bytes]] | None = None
_passing: ContextVar[list[Path] | None] = ContextVar("passing", default=None)


def session_folder() -> Path:
    """Return the folder for this process's files, created on first use with permissions 0700.

    The folder is removed at exit. If it was removed earlier, for example by a cleaner of
    temporary files, this function creates a new folder. This function also removes the folders
    of killed processes, which no longer hold the locks of their folders.
    """
    global _session
    if _session is None or _session[0] != os.getpid() or not _session[1].is_dir():
        _sweep(Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        # Lock the file before renaming it: otherwise another process could remove the folder.
        lock = create_private(folder / f"{_LOCK}.new")
        lock_descriptor(lock.fileno(), blocking=False)
        (folder / f"{_LOCK}.new").rename(folder / _LOCK)
        _session = (os.getpid(), folder, lock)
        atexit.register(_remove, os.getpid(), folder, lock)
    return _session[1]


def new_folder(kind: str) -> Path:
    """Create a new, empty, private folder in this process's folder."""
    folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=session_folder()))
    if (passing := _passing.get()) is not None:
        passing.append(folder)
    return folder


@contextmanager
def passing() -> Iterator[None]:
    """Remove the folders that `new_folder` creates in this block and thread at the block's end."""
    folders: list[Path] = []
    before = _passing.set(folders)
    try:
        yield
    finally:
        _passing.reset(before)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def create_private(path: Path) -> BinaryIO:
    """Open a new file for writing; only its user can read the file (permissions 0600)."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.fdopen(handle, "wb")


def open_regular(path: Path, mode: Literal["rb", "ab"] = "rb") -> BinaryIO:
    """Open an existing file; raise OSError for a pipe, which could block forever."""
    flags = os.O_RDONLY if mode == "rb" else os.O_WRONLY | os.O_APPEND
    handle = os.open(path, flags | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        return os.fdopen(handle, mode)
    except BaseException:
        os.close(handle)
        raise


def make_private(folder: Path) -> None:
    """Remove the permissions of other users from a folder and all files in it."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)


def remove_with(owner: object, folder: Path) -> None:
    """Remove a folder when `owner` is garbage-collected."""
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True).atexit = False


def is_ours(path: Path) -> bool:
    """Return whether a file is in the folder of this process."""
    return _session is not None and path.is_relative_to(_session[1].resolve())


def fingerprint(path: Path) -> str:
    """Return the blake2b digest (32 hex digits) of a file, or of a folder's names and contents."""
    digest = hashlib.blake2b(digest_size=16)
    if not path.is_dir():
        _add(path, digest)
        return digest.hexdigest()
    for file in sorted(inner for inner in path.rglob("*") if inner.is_file()):
        name = file.relative_to(path).as_posix().encode()
        digest.update(f"{len(name)} {file.stat().st_size} ".encode() + name)
        _add(file, digest)
    return digest.hexdigest()


def _add(path: Path, digest: hashlib.blake2b) -> None:
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)


def _remove(pid: int, folder: Path, lock: IO[bytes]) -> None:
    # A forked child inherits the exit hook, but the folder belongs to its parent.
    if os.getpid() == pid:
        _empty(folder)
        lock.close()


def _sweep(parent: Path) -> None:
    # Names of `mkdtemp` have this length; other folders with this prefix belong to the user.
    for folder in parent.glob(f"{_PREFIX}{'?' * 8}"):
        try:
            if folder.lstat().st_uid != os.getuid() or folder.is_symlink():
                continue
            with (folder / _LOCK).open("rb") as lock:
                if lock_descriptor(lock.fileno(), blocking=False):
                    _empty(folder)
        except FileNotFoundError:
            _remove_unlocked(folder)
        except OSError:
            continue


def _empty(folder: Path) -> None:
    """Remove a folder of this package; remove its lock last, so that `_sweep` can try again."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name != _LOCK:
                shutil.rmtree(path, ignore_errors=True)
                path.unlink(missing_ok=True)
        (folder / _LOCK).unlink(missing_ok=True)
        folder.rmdir()


def _remove_unlocked(folder: Path) -> None:
    """Remove an old folder without a lock: its process was killed before it created the lock."""
    with suppress(OSError):
        if time.time() - folder.stat().st_mtime > _GRACE:
            (folder / f"{_LOCK}.new").unlink(missing_ok=True)
            folder.rmdir()
