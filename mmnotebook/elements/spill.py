"""Blocks in private files, for steps that need all blocks but only a few at a time."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mmnotebook import storage
from mmnotebook.elements import coders
from mmnotebook.elements.block import Block
from mmnotebook.errors import RunError, one_line


@dataclass(frozen=True)
class Spilled:
    """A block in a file.

    Attributes
    ----------
    path
        The path of the file.
    start, size
        The position and the size of the block in the file, in bytes.
    weight
        The number of elements in the block, including failed elements.
    """

    path: str
    start: int
    size: int
    weight: int

    def read(self) -> Block:
        """Read the block.

        Raises
        ------
        RunError
            If the file cannot be read.
        """
        with _reported(Path(self.path).parent), Path(self.path).open("rb") as file:
            file.seek(self.start)
            block: Block = pickle.loads(file.read(self.size))
        return block


class SpillFile:
    """A new private file to which blocks are added.

    Parameters
    ----------
    folder
        An existing folder; the file gets a unique name in it, and is created with the first block.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from mmnotebook.elements.block import Block
    >>> from mmnotebook.elements.packing import pack
    >>> from mmnotebook.elements.spill import SpillFile
    >>> file = SpillFile(Path(tempfile.mkdtemp()))
    >>> spilled = file.add(Block(["0", "1"], pack([1, 2])))
    >>> file.close()
    >>> spilled.read().ids
    ['0', '1']
    """

    def __init__(self, folder: Path) -> None:
        self._path = _new(folder)
        self._file: BinaryIO | None = None

    def add(self, block: Block) -> Spilled:
        """Append a block; it can be read after the next `close`.

        Raises
        ------
        RunError
            If the file cannot be written.
        """
        with _reported(self._path.parent):
            if self._file is None:
                self._file = storage.create_private(self._path)
            start = self._file.tell()
            coders.dump(block, self._file)
            size = self._file.tell() - start
        return Spilled(str(self._path), start, size, len(block) + len(block.failed))

    def close(self) -> None:
        """Write what is still in memory; blocks that are added later are in another file."""
        if self._file is not None:
            with _reported(self._path.parent):
                self._file.close()
            self._path, self._file = _new(self._path.parent), None


def _new(folder: Path) -> Path:
    return folder / f"{uuid.uuid4().hex}.blocks"


@contextmanager
def _reported(folder: Path) -> Iterator[None]:
    """Raise a RunError in place of an OSError that occurs in this block."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"the run cannot keep blocks in the temporary folder {str(folder)!r}: "
            f"{one_line(error)}",
            remedy="free some space there, or set TMPDIR to a folder on a larger disk "
            "before the kernel starts",
        ) from error
