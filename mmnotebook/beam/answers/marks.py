"""Content keys of the inputs of stored elements, in blocks and in a file next to each shard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmnotebook.elements.block import Block
from mmnotebook.errors import StorageError
from mmnotebook.store import outlines, shards, timed
from mmnotebook.store.shards import ShardInfo

SUFFIX = ".keys"


@dataclass(frozen=True)
class OfBlock:
    """The input of a block whose elements were computed from one input block as a whole.

    Attributes
    ----------
    key
        The content key of the input block.
    places
        The position of each element's input in the input block; None if each input has one output,
        in the same order.
    failed
        Position and failure of each input that failed permanently.
    passing
        The positions of inputs whose failures may not recur.
    part, parts
        The index of this block among all blocks computed from the input block, and the number of
        these blocks.
    """

    key: bytes
    places: Sequence[int] | None = None
    failed: tuple[tuple[int, Any], ...] = ()
    passing: tuple[int, ...] = ()
    part: int = 0
    parts: int = 1


@dataclass(frozen=True)
class OfElements:
    """The inputs of elements that were each computed from one input element alone.

    Attributes
    ----------
    keys
        The content keys of the inputs, concatenated.
    failed
        The key of each input that failed permanently, and its failure.
    """

    keys: bytes
    failed: tuple[tuple[bytes, Any], ...] = ()


@dataclass(frozen=True)
class ShardMarks:
    """The inputs of the blocks in one shard.

    Attributes
    ----------
    checksum
        The checksum of the shard.
    blocks
        For each block with an `OfBlock`: key, position of the block in the shard, part and parts.
    elements
        For each block with an `OfElements`: position of the block in the shard, input keys of its
        elements, and input keys of its failures.
    """

    checksum: str
    blocks: list[tuple[bytes, int, int, int]] = field(default_factory=list)
    elements: list[tuple[int, bytes, tuple[bytes, ...]]] = field(default_factory=list)


def write_shard(draft: Path, number: int, value: Any, rows: int = 0) -> ShardInfo:
    """Write a shard of a draft with its outline and the keys of its inputs."""
    info = outlines.write_shard(draft, number, value, rows)
    _write(draft, info, timed.values(value))
    return info


def _write(folder: Path, info: ShardInfo, values: Iterable[Any]) -> None:
    """Write the input keys of a shard's blocks, if any; on a full disk, write nothing."""
    found = ShardMarks(info.checksum)
    for place, block in enumerate(values):
        mark = block.made_of if isinstance(block, Block) else None
        if isinstance(mark, OfBlock):
            found.blocks.append((mark.key, place, mark.part, mark.parts))
        elif isinstance(mark, OfElements):
            failed = tuple(key for key, _ in mark.failed)
            found.elements.append((place, mark.keys, failed))
    if found.blocks or found.elements:
        with suppress(OSError, StorageError):  # without keys, the outputs are computed again
            shards.write(_beside(folder, info), found)


def read(folder: Path, info: ShardInfo) -> ShardMarks | None:
    """Return the input keys of a shard's blocks; None if they are missing or damaged."""
    path = _beside(folder, info)
    try:
        found = shards.read(path, shards.info(path))
    except shards.Damaged:
        return None
    return found if isinstance(found, ShardMarks) and found.checksum == info.checksum else None


def _beside(folder: Path, info: ShardInfo) -> Path:
    return folder / Path(info.name).with_suffix(SUFFIX)
