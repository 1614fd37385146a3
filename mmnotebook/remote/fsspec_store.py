"""The file systems of fsspec as stores, for schemes that Beam does not have."""

from __future__ import annotations

import posixpath
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from mmnotebook.remote.stores import CHUNK, FileStore, RemoteFile

_CHECKSUMS = (
    *("ETag", "etag", "md5", "md5Hash", "content_md5", "crc32c", "sha256", "checksum"),
    *("generation", "VersionId", "version_id", "blob_id"),
)
"""The keys of an fsspec file's information that identify its content."""


class FsspecStore(FileStore):
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
        from fsspec.core import strip_protocol

        return str(strip_protocol(address))


def _informed(address: str, info: dict[str, Any]) -> RemoteFile:
    when = info.get("mtime") or info.get("LastModified") or info.get("created") or 0.0
    updated = when.timestamp() if isinstance(when, datetime) else float(when)
    checksum = next((f"{key} {info[key]}" for key in _CHECKSUMS if info.get(key)), None)
    return RemoteFile(address, info.get("size") or 0, updated, checksum)
