"""What stored elements were made of: in their blocks, and in a small file beside each shard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmnotebook.elements.block import Block
from mmnotebook.errors import StorageError
from mmnotebook.store import eviction, shards, timed
from mmnotebook.store.shards import ShardInfo

SUFFIX = ".keys"


@dataclass(frozen=True)
class OfBlock:
    """Elements that were made of one block of the input.

    Attributes
    ----------
    key
        What that block is, by its content.
    places
        Of each element the place of what it was made of; None for one of each, in their order.
    failed
        Of each failure that is an answer, its place and what failed.
    passing
        The places of what failed and may not fail the next time.
    part, parts
        Which of the blocks that were made of it this is, and how many they are.
    """

    key: bytes
    places: Sequence[int] | None = None
    failed: tuple[tuple[int, Any], ...] = ()
    passing: tuple[int, ...] = ()
    part: int = 0
    parts: int = 1


@dataclass(frozen=True)
class OfElements:
    """Elements each of which was made of one of the input alone.

    Attributes
    ----------
    keys
        What each of these is, by its content, one after the other.
    failed
        The same of each failure that is an answer, and what failed.
    """

    keys: bytes
    failed: tuple[tuple[bytes, Any], ...] = ()


@dataclass(frozen=True)
class ShardMarks:
    """What the blocks of one shard were made of.

    Attributes
    ----------
    checksum
        Of the shard that it belongs to.
    blocks
        Key, place in the shard, part and parts.
    elements
        Place in the shard, the keys of its elements, and those of its failures.
    """

    checksum: str
    blocks: list[tuple[bytes, int, int, int]] = field(default_factory=list)
    elements: list[tuple[int, bytes, tuple[bytes, ...]]] = field(default_factory=list)


def write_shard(draft: Path, number: int, value: Any, rows: int = 0) -> ShardInfo:
    """Write a shard of a draft, and what its blocks were made of; see `eviction.write_shard`."""
    info = eviction.write_shard(draft, number, value, rows)
    _write(draft, info, timed.values(value))
    return info


def _write(folder: Path, info: ShardInfo, values: Iterable[Any]) -> None:
    """Write the keys of a shard's blocks, where they have some; nothing on a full disk."""
    found = ShardMarks(info.checksum)
    for place, block in enumerate(values):
        mark = block.made_of if isinstance(block, Block) else None
        if isinstance(mark, OfBlock):
            found.blocks.append((mark.key, place, mark.part, mark.parts))
        elif isinstance(mark, OfElements):
            failed = tuple(key for key, _ in mark.failed)
            found.elements.append((place, mark.keys, failed))
    if found.blocks or found.elements:
        with suppress(OSError, StorageError):  # what is there is found, what is not is computed
            shards.write(_beside(folder, info), found)


def read(folder: Path, info: ShardInfo) -> ShardMarks | None:
    """The keys of a shard's blocks; None where there are none, or none that can be trusted."""
    path = _beside(folder, info)
    try:
        found = shards.read(path, shards.info(path))
    except shards.Damaged:
        return None
    return found if isinstance(found, ShardMarks) and found.checksum == info.checksum else None


def _beside(folder: Path, info: ShardInfo) -> Path:
    return folder / Path(info.name).with_suffix(SUFFIX)
