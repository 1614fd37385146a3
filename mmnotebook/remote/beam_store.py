"""The file systems of Beam as stores."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from mmnotebook.remote import addresses
from mmnotebook.remote.stores import CHUNK, FileStore, RemoteFile


class BeamStore(FileStore):
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
