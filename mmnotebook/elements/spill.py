"""Blocks in private files, for steps that need all blocks but only a few at a time.

A block that cannot be written, for example to a full disk, stays in memory.
"""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mmnotebook import storage
from mmnotebook.elements import coders
from mmnotebook.elements.block import Block
from mmnotebook.errors import RunError, one_line


@dataclass(frozen=True)
class Spilled:
    """A block in a file, or in memory.

    Attributes
    ----------
    path
        The path of the file.
    start, size
        The position and the size of the block in the file, in bytes.
    weight
        The number of elements in the block, including failed elements.
    held
        The block itself if it is in memory.
    """

    path: str
    start: int
    size: int
    weight: int
    held: Block | None = None

    def read(self) -> Block:
        """Read the block.

        Raises
        ------
        RunError
            If the file cannot be read.
        """
        if self.held is not None:
            return self.held
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
        """Append a block; it can be read after the next `close`."""
        weight = len(block) + len(block.failed)
        try:
            start, size = self._append(block)
        except OSError:
            with suppress(RunError):  # the rest of the block cannot be written either
                self.close()
            return Spilled("", 0, 0, weight, block)
        return Spilled(str(self._path), start, size, weight)

    def _append(self, block: Block) -> tuple[int, int]:
        if self._file is None:
            self._file = storage.create_private(self._path)
        start = self._file.tell()
        coders.dump(block, self._file)
        self._file.flush()  # a full disk is noticed here, not when later blocks are written
        return start, self._file.tell() - start

    def close(self) -> None:
        """Write what is still in memory; blocks that are added later are in another file."""
        file, self._file = self._file, None
        if file is not None:
            path, self._path = self._path, _new(self._path.parent)
            with _reported(path.parent):
                file.close()


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
