"""The interface of stores: the operations on remote files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 20
"""The number of bytes that are copied at a time."""


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


class FileStore(ABC):
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
