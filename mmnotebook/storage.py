"""Private files: one folder per process, readable by its user alone, removed at its end.

The lock of a folder is taken with `filelock.lock_descriptor`: its file is locked before it has the
name that others look for, which `filelock.FileLock` cannot do.
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
"""A folder older than this many seconds, and still without a lock, belongs to a dead process."""
_session: tuple[int, Path, IO[bytes]] | None = None
_passing: ContextVar[list[Path] | None] = ContextVar("passing", default=None)


def session_folder() -> Path:
    """Return the folder for this process's files, created on first use with permissions 0700.

    It is removed at exit, and created again if a cleaner of temporary files has removed it. Folders
    left by killed processes are removed here: their locks are free, unlike those of living
    processes.
    """
    global _session
    if _session is None or _session[0] != os.getpid() or not _session[1].is_dir():
        _sweep(Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        # Locked before it gets its name, or another process could sweep the folder in between.
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
    """Remove, at the end, the folders that `new_folder` created inside, in this thread."""
    folders: list[Path] = []
    before = _passing.set(folders)
    try:
        yield
    finally:
        _passing.reset(before)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def create_private(path: Path) -> BinaryIO:
    """Open a new file for writing that only its user can read (0600)."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.fdopen(handle, "wb")


def open_regular(path: Path, mode: Literal["rb", "ab"] = "rb") -> BinaryIO:
    """Open an existing file; raises OSError for a pipe, which could block forever."""
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
    """Remove the permissions of other users from a folder that another library has written."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)


def remove_with(owner: object, folder: Path) -> None:
    """Remove a folder when nothing holds `owner` any more."""
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True).atexit = False


def is_ours(path: Path) -> bool:
    """Return whether a file is in this process's own folder."""
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
    # Only names as long as those of `mkdtemp`; other folders with this prefix are the user's own.
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
    """Remove one of our folders, its lock last: if this is interrupted, the next sweep finds it."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name != _LOCK:
                shutil.rmtree(path, ignore_errors=True)
                path.unlink(missing_ok=True)
        (folder / _LOCK).unlink(missing_ok=True)
        folder.rmdir()


def _remove_unlocked(folder: Path) -> None:
    """Remove a folder whose process was killed before it had its lock; it holds nothing else."""
    with suppress(OSError):
        if time.time() - folder.stat().st_mtime > _GRACE:
            (folder / f"{_LOCK}.new").unlink(missing_ok=True)
            folder.rmdir()
