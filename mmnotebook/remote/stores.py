"""Stores: the operations on remote files, by Beam's file systems or by fsspec."""

from __future__ import annotations

import posixpath
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from mmnotebook.remote import addresses, problems

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
    """

    address: str
    size: int
    updated: float = 0.0


class Store(ABC):
    """A file system. Errors are those of the file system; `files` translates them."""

    @abstractmethod
    def below(self, folder: str) -> Iterator[RemoteFile]:
        """Yield the files below a folder whose address ends with a slash."""

    @abstractmethod
    def file(self, address: str) -> RemoteFile | None:
        """Return the file with exactly this address, or None."""

    @abstractmethod
    def checksum(self, address: str) -> str | None:
        """Return what identifies the content of a file without reading it; None if unknown."""

    @abstractmethod
    def open(self, address: str) -> BinaryIO:
        """Open a file for reading."""

    @abstractmethod
    def create(self, address: str) -> BinaryIO:
        """Open a new file for writing."""

    @abstractmethod
    def move(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Rename files; existing files are replaced."""

    @abstractmethod
    def delete(self, some: Sequence[str]) -> None:
        """Delete files."""

    def check(self, address: str) -> None:  # noqa: B027 - most stores need none
        """Raise an error at once if the store cannot be reached; Beam would retry for minutes."""


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
        return _described(self._system.metadata(address))

    def checksum(self, address: str) -> str | None:
        try:
            found = self._system.checksum(address)
        except Exception as error:
            if problems.is_missing(error):
                raise
            return None
        return str(found) if found else None

    def open(self, address: str) -> BinaryIO:
        from apache_beam.io.filesystem import CompressionTypes

        raw = CompressionTypes.UNCOMPRESSED  # Beam would decompress by the ending
        return cast("BinaryIO", self._system.open(address, compression_type=raw))

    def create(self, address: str) -> BinaryIO:
        from apache_beam.io.filesystem import CompressionTypes

        raw = CompressionTypes.UNCOMPRESSED
        if self._system.has_dirs():
            with suppress(OSError):  # it exists
                self._system.mkdirs(addresses.folder(address).rstrip("/"))
        return cast("BinaryIO", self._system.create(address, compression_type=raw))

    def move(self, pairs: Sequence[tuple[str, str]]) -> None:
        if self._system.has_dirs():  # there, renaming does not replace
            self.delete([new for _, new in pairs if self._system.exists(new)])
        self._system.rename([old for old, _ in pairs], [new for _, new in pairs])

    def delete(self, some: Sequence[str]) -> None:
        if some:
            self._system.delete(list(some))

    def check(self, address: str) -> None:
        if addresses.scheme(address) == "s3":
            from mmnotebook.compat import beam_files

            beam_files.ask_s3(address.partition("://")[2].partition("/")[0])


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

    def checksum(self, address: str) -> str | None:
        self._system.invalidate_cache()
        info = self._system.info(self._path(address))
        return next((f"{key} {info[key]}" for key in _CHECKSUMS if info.get(key)), None)

    def open(self, address: str) -> BinaryIO:
        return cast("BinaryIO", self._system.open(self._path(address), "rb"))

    def create(self, address: str) -> BinaryIO:
        path = self._path(address)
        with suppress(NotImplementedError, PermissionError):  # a store without folders
            self._system.makedirs(posixpath.dirname(path), exist_ok=True)
        return cast("BinaryIO", self._system.open(path, "wb"))

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
    return RemoteFile(
        address, info.get("size") or 0, float(getattr(when, "timestamp", lambda: when)())
    )


def of(address: str, what: str) -> Store:
    """Return the store of an address: of Beam, or else of fsspec.

    Raises
    ------
    RemoteFileError
        If there is no file system for the address, or its package is not installed.
    """
    from apache_beam.io.filesystems import FileSystems

    try:
        return BeamStore(FileSystems.get_filesystem(address))
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
