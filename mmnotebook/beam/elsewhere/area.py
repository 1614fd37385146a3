"""`Area`: a staging folder that this process and all workers see, on any file system of Beam."""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.io.localfilesystem import LocalFileSystem
from apache_beam.options.pipeline_options import GoogleCloudOptions

from mmnotebook import storage
from mmnotebook.beam.options import as_options
from mmnotebook.errors import MMError, StorageError, one_line

_CHUNK = 1 << 20
_PARTS = ("content", "runs")
_PLAIN = {"compression_type": CompressionTypes.UNCOMPRESSED}


@dataclass(frozen=True)
class AreaFile:
    """A file in a staging area: its address, its size in bytes and its digest."""

    url: str
    size: int
    digest: str


@dataclass(frozen=True)
class Area:
    """A staging folder; its files are private to the user if the folder is a local one.

    Attributes
    ----------
    root
        The folder: a path, or a URL such as "gs://bucket/folder".
    """

    root: str

    @property
    def is_local(self) -> bool:
        """Whether the folder is a path on a mounted file system."""
        return isinstance(_system(self.root), LocalFileSystem)

    def url(self, *parts: str) -> str:
        """Return the address of a file or folder in this area."""
        return joined(self.root, *parts)

    def contains(self, path: str) -> bool:
        """Return whether a local path is inside this folder."""
        if not self.is_local:
            return False
        return Path(path).absolute().is_relative_to(Path(self.root).absolute())

    def put(self, source: Path, digest: str) -> AreaFile:
        """Copy a file into the area, under its digest; a file that is there is not sent again."""
        size = source.stat().st_size
        url = self.url("content", digest[:2], digest)
        with self.used():
            if not _has(url, size):
                with source.open("rb") as file:
                    _write(url, file)
            elif self.is_local:
                os.utime(url)  # `clean` removes what was not used for long
        return AreaFile(url, size, digest)

    def write(self, url: str, source: BinaryIO) -> None:
        """Write a file of this area, which is either complete or missing where that is possible."""
        with self.used():
            _write(url, source)

    def read(self, url: str, target: Path, key: bytes = b"") -> str:
        """Copy a file of this area to a new local file; return its digest under `key`."""
        with self.used(), storage.create_private(target) as file:
            return copied(url, file, key)

    def move(self, source: str, target: str) -> None:
        """Move a file of this area, unless an earlier attempt has moved it."""
        with self.used():
            if not exists(source) and exists(target):
                return
            if self.is_local:
                make_private(Path(target).parent)
            FileSystems.rename([source], [target])

    def remove(self, *parts: str) -> None:
        """Remove a folder of this area with everything in it."""
        url = self.url(*parts)
        if self.is_local:
            shutil.rmtree(url, ignore_errors=True)
            return
        with self.used():
            FileSystems.delete([f"{url}/"])

    def clean(self, before: float) -> int:
        """Remove the files of this area that were last written before a time; return their size.

        Other files in the folder are left.

        Parameters
        ----------
        before
            The time in seconds since 1970.
        """
        with self.used():
            matches = FileSystems.match([self.url(part, "**") for part in _PARTS])
            files = [one for match in matches for one in match.metadata_list]
            old = [one for one in files if (one.last_updated_in_seconds or 0) < before]
            if old:
                FileSystems.delete([one.path for one in old])
        return sum(one.size_in_bytes for one in old)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Raise a StorageError in place of any other error of a file system in this block."""
        try:
            yield
        except MMError:
            raise
        except Exception as error:
            raise StorageError(
                f"the staging area {self.root!r} cannot be used: {one_line(error)}",
                remedy="staging= names a folder that this process and all workers can write: a "
                'folder on a shared disk, or a URL such as "gs://bucket/folder"',
            ) from error


def of_options(options: Any) -> Area | None:
    """Return an area in the option `temp_location`, which all workers see; None without it."""
    found = as_options(options).view_as(GoogleCloudOptions).temp_location
    return None if found is None else Area(Area(str(found)).url("mmnotebook"))


def joined(folder: str, *names: str) -> str:
    """Return the address of a file in a folder."""
    return str(FileSystems.join(folder, *names))


def copied(url: str, target: BinaryIO, key: bytes = b"") -> str:
    """Copy a file to an open local file; return its digest, keyed with `key` unless it is empty."""
    digest = new_digest(key)
    with FileSystems.open(url, **_PLAIN) as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            target.write(chunk)
    return str(digest.hexdigest())


def new_digest(key: bytes = b"") -> Any:
    """Return a new blake2b digest of 32 bytes; with a key, it authenticates the content."""
    return hashlib.blake2b(digest_size=32, key=key)


def digest_of(path: Path, key: bytes = b"") -> str:
    """Return the digest of a local file."""
    digest = new_digest(key)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return str(digest.hexdigest())


def same(one: str, other: str) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(one, other)


def text(url: str) -> str:
    """Return the text of a file in a staging area."""
    with FileSystems.open(url, **_PLAIN) as file:
        return str(file.read().decode())


def exists(url: str) -> bool:
    """Return whether there is a file at an address."""
    return bool(FileSystems.exists(url))


def _system(url: str) -> Any:
    find: Callable[[str], Any] = FileSystems.get_filesystem
    return find(url)


def _has(url: str, size: int) -> bool:
    return exists(url) and int(_system(url).size(url)) == size


def _write(url: str, source: BinaryIO) -> None:
    if isinstance(_system(url), LocalFileSystem):
        _write_private(Path(url), source)
        return
    with FileSystems.create(url, **_PLAIN) as file:
        shutil.copyfileobj(source, file, _CHUNK)


def _write_private(path: Path, source: BinaryIO) -> None:
    make_private(path.parent)
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with storage.create_private(draft) as file:
            shutil.copyfileobj(source, file, _CHUNK)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def make_private(folder: Path) -> None:
    """Create a folder, and the missing ones above it, with permissions 0700."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
        os.chmod(one, 0o700)  # noqa: PTH101 - whatever the umask is
