"""Stores: the operations on remote files, by Beam's file systems or by fsspec."""

from __future__ import annotations

import posixpath
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from mmnotebook.remote import addresses, problems

CHUNK = 1 << 20
"""The number of bytes that are copied at a time."""
_CHECKSUMS = (
    *("ETag", "etag", "md5", "md5Hash", "content_md5", "crc32c", "sha256", "checksum"),
    *("generation", "VersionId", "version_id", "blob_id"),
)
"""The keys of an fsspec file's information that identify its content."""


@dataclass(frozen=True)
class RemoteFile:
    """A remote file.

    Attributes
    ----------
    size
        Its size in bytes.
    updated
        When it was written, in seconds since 1970; 0 if this is unknown.
    checksum
        What identifies its content; None if this is unknown.
    """

    address: str
    size: int
    updated: float = 0.0
    checksum: str | None = None


class Store(ABC):
    """A file system. Errors are those of the file system; `files` translates them."""

    @abstractmethod
    def below(self, folder: str) -> Iterator[RemoteFile]:
        """Yield the files below a folder whose address ends with a slash."""

    @abstractmethod
    def file(self, address: str) -> RemoteFile | None:
        """Return the file with exactly this address, with its checksum if it has one, or None."""

    @abstractmethod
    def open(self, address: str) -> BinaryIO:
        """Open a file for reading."""

    @abstractmethod
    def send(self, path: Path, address: str) -> None:
        """Copy a file of this machine to an address."""

    @abstractmethod
    def move(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Rename files; existing files are replaced."""

    @abstractmethod
    def delete(self, some: Sequence[str]) -> None:
        """Delete files."""

    def check(self, address: str) -> None:  # noqa: B027 - most stores have no such check
        """Raise an error if it is already known that a file cannot be written."""


class BeamStore(Store):
    """A file system of Beam."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def below(self, folder: str) -> Iterator[RemoteFile]:
        for found in self._system.match([f"{folder}**"])[0].metadata_list:
            yield _described(found)

    def file(self, address: str) -> RemoteFile | None:
        if not addresses.name(address) or not self._system.exists(address):
            return None
        found = _described(self._system.metadata(address))
        try:
            return replace(found, checksum=str(self._system.checksum(address)) or None)
        except Exception:  # noqa: BLE001 - not every file system has checksums
            return found

    def open(self, address: str) -> BinaryIO:
        from apache_beam.io.filesystem import CompressionTypes

        raw = CompressionTypes.UNCOMPRESSED  # Beam would decompress by the ending
        return cast("BinaryIO", self._system.open(address, compression_type=raw))

    def send(self, path: Path, address: str) -> None:
        from apache_beam.io.filesystem import CompressionTypes

        raw = CompressionTypes.UNCOMPRESSED
        if self._system.has_dirs():
            with suppress(OSError):  # it exists
                self._system.mkdirs(addresses.folder(address).rstrip("/"))
        with (
            path.open("rb") as source,
            self._system.create(address, compression_type=raw) as file,
        ):
            shutil.copyfileobj(source, file, CHUNK)

    def move(self, pairs: Sequence[tuple[str, str]]) -> None:
        if self._system.has_dirs():  # there, renaming does not replace
            self.delete([new for _, new in pairs if self._system.exists(new)])
        self._system.rename([old for old, _ in pairs], [new for _, new in pairs])

    def delete(self, some: Sequence[str]) -> None:
        if some:
            self._system.delete(list(some))


def _described(found: Any) -> RemoteFile:
    return RemoteFile(found.path, found.size_in_bytes, found.last_updated_in_seconds or 0.0)


class FsspecStore(Store):
    """A file system of fsspec, for schemes that Beam does not have."""

    def __init__(self, address: str) -> None:
        from fsspec.core import url_to_fs

        self._system, _ = url_to_fs(address, use_listings_cache=False)

    def below(self, folder: str) -> Iterator[RemoteFile]:
        top = self._path(folder).rstrip("/")
        self._system.invalidate_cache()
        for path, info in self._system.find(top, detail=True).items():
            if path != top:
                yield _informed(folder + path.removeprefix(top).lstrip("/"), info)

    def file(self, address: str) -> RemoteFile | None:
        self._system.invalidate_cache()
        try:
            info = self._system.info(self._path(address))
        except FileNotFoundError:
            return None
        return _informed(address, info) if info["type"] == "file" else None

    def open(self, address: str) -> BinaryIO:
        return cast("BinaryIO", self._system.open(self._path(address), "rb"))

    def send(self, path: Path, address: str) -> None:
        where = self._path(address)
        with suppress(NotImplementedError, PermissionError):  # a store without folders
            self._system.makedirs(posixpath.dirname(where), exist_ok=True)
        with path.open("rb") as source, self._system.open(where, "wb") as file:
            shutil.copyfileobj(source, file, CHUNK)

    def move(self, pairs: Sequence[tuple[str, str]]) -> None:
        for old, new in pairs:
            self._system.mv(self._path(old), self._path(new))

    def delete(self, some: Sequence[str]) -> None:
        for address in some:
            self._system.rm_file(self._path(address))

    def _path(self, address: str) -> str:
        return str(self._system._strip_protocol(address))


def _informed(address: str, info: dict[str, Any]) -> RemoteFile:
    when = info.get("mtime") or info.get("LastModified") or info.get("created") or 0.0
    updated = when.timestamp() if isinstance(when, datetime) else float(when)
    checksum = next((f"{key} {info[key]}" for key in _CHECKSUMS if info.get(key)), None)
    return RemoteFile(address, info.get("size") or 0, updated, checksum)


def of(address: str, what: str) -> Store:
    """Return the store of an address: of Beam, or else of fsspec.

    Raises
    ------
    RemoteFileError
        If there is no file system for the address, or its package is not installed.
    """
    from mmnotebook.compat import beam_files

    try:
        system = beam_files.file_system(address)
        if addresses.scheme(address) == "s3":
            from mmnotebook.remote.s3 import S3Store

            return S3Store()
        return BeamStore(system)
    except Exception as error:
        if not str(error).startswith("Unable to get filesystem from specified path"):
            raise problems.failed(what, address, error) from error
    try:
        return FsspecStore(address)
    except ImportError as error:
        raise problems.unknown(address, what, error) from error
    except ValueError as error:
        if "rotocol not known" in str(error):
            raise problems.unknown(address, what, None) from error
        raise problems.failed(what, address, error) from error
    except Exception as error:
        raise problems.failed(what, address, error) from error
