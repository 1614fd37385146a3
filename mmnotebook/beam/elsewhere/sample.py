"""Samples of nodes: the same elements in every node, chosen by a hash of their source element."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mmnotebook.elements.block import Block

ALL = 2**64 - 1
"""The highest hash."""


@dataclass(frozen=True)
class Sampling:
    """How many elements of a node to keep.

    Attributes
    ----------
    most
        The number of elements.
    share
        The share of the elements that are about this number, if their total is known; else 1.
    """

    most: int
    share: float = 1.0


def hashes(block: Block) -> Any:
    """Return the hash of the source element of each element."""
    ids = block.ids if block.origins is None else block.origins
    return pd.util.hash_array(np.array([*ids, ""], dtype=object), categorize=False)[:-1]


def cut(block: Block, limit: int) -> Block:
    """Return the elements whose hash is at most `limit`, and all failures."""
    if limit >= ALL:
        return block
    places = np.flatnonzero(hashes(block) <= np.uint64(limit)).tolist()
    return replace(block.take(places), failed=block.failed)


class Sampler:
    """Keeps the elements of a bundle with the lowest hashes.

    Attributes
    ----------
    kept
        The blocks with their times.
    limit
        The highest hash that is kept: all elements with at most this hash are kept.
    rows
        The number of elements so far.
    """

    def __init__(self, sampling: Sampling) -> None:
        self._most = sampling.most
        self.kept: list[tuple[Block, Any]] = []
        self.limit = ALL if sampling.share >= 1 else int(sampling.share * ALL)
        self.rows = self._held = 0

    def add(self, block: Block, when: Any) -> None:
        """Add a block."""
        self.rows += len(block)
        block = cut(block, self.limit)
        if len(block) or block.failed:
            self.kept.append((block, when))
            self._held += len(block)
        if self._held > 2 * self._most:
            self.shrink()

    def shrink(self) -> None:
        """Keep only as many elements as wanted."""
        if self._held <= self._most:
            return
        found = np.concatenate([hashes(block) for block, _ in self.kept])
        self.limit = int(np.sort(found)[self._most - 1])
        cuts = [(cut(block, self.limit), when) for block, when in self.kept]
        self.kept = [(block, when) for block, when in cuts if len(block) or block.failed]
        self._held = sum(len(block) for block, _ in self.kept)
