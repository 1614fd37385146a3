"""The choice of the cache folder, and the checks that runs can use it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmnotebook.errors import StorageError, one_line

VARIABLE = "MMNOTEBOOK_CACHE"


def chosen() -> Path:
    """Return the cache folder: MMNOTEBOOK_CACHE, or `mmnotebook` in the user's cache folder."""
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("mmnotebook", appauthor=False).absolute()


def check(folder: Path) -> None:
    """Check that runs can use or create a folder, without creating it.

    Raises
    ------
    StorageError
        If runs cannot use the folder.
    """
    with reported(folder):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))
        if there == folder:
            check_owner(folder)


def size(folder: Path) -> int:
    """Return the total size of the files in a folder, in bytes; 0 if it does not exist."""
    found = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            # Another kernel may be removing the file.
            with suppress(FileNotFoundError):
                found += (Path(parent) / name).stat().st_size
    return found


def check_owner(folder: Path) -> None:
    """Raise StorageError if a folder belongs to another user, or other users can write to it."""
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise StorageError(
            f"the cache folder {str(folder)!r} belongs to another user (uid {found.st_uid})",
            remedy=f"set {VARIABLE} to a folder of your own",
        )
    if found.st_mode & 0o022:
        raise StorageError(
            f"the cache folder {str(folder)!r} is writable by others "
            f"(mode {found.st_mode & 0o777:o})",
            remedy=f"chmod 700 {str(folder)!r}, or set {VARIABLE} to a folder of your own",
        )


@contextmanager
def reported(folder: Path) -> Iterator[None]:
    """Raise a StorageError in place of an OSError that occurs in this block."""
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        files = (path for path in (folder, *folder.parents) if path.is_file())
        raise StorageError(
            f"the cache folder {str(folder)!r} cannot be created: "
            f"{str(next(files, error.filename))!r} is a file",
            remedy=f"set {VARIABLE} to a folder of your own, or move the file away",
        ) from error
    except OSError as error:
        raise StorageError(
            f"the cache folder {str(folder)!r} cannot be used: {one_line(error)}",
            remedy=f"set {VARIABLE} to a writable folder on a local disk",
            errno=error.errno,
        ) from error
