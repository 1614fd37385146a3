"""Which elements of a node's input are answered already, and which are to be asked.

An entry may hold the outputs of some elements only. When its node runs again, each block of its
input is divided: what is answered is read, the rest goes through the step, and both come out in
the order of the input. Here an element is known by its id, which says enough below one identity
of a node: its inputs are part of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmnotebook.analysis.records import Failure
from mmnotebook.graph.graph import Node
from mmnotebook.runtime import timed
from mmnotebook.runtime.blocks.block import Block, in_parts, merged
from mmnotebook.runtime.blocks.packing import pack
from mmnotebook.runtime.store import shards
from mmnotebook.runtime.store.shards import ShardInfo
from mmnotebook.runtime.tracking import Tracker

_HELD = 2
"""How many files' blocks are held at a time."""

Row = tuple[int, int, int]
"""Where a row is: file, block in it, row in that."""


@dataclass
class _Index:
    """By the id of an element of the input its rows, and how it failed for good."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    failed: dict[str, list[Failure]] = field(default_factory=dict)

    def holds(self, who: str, many: bool) -> bool:
        """Is an element answered, and that without a doubt?"""
        rows, failed = len(self.rows.get(who, ())), len(self.failed.get(who, ()))
        return rows + failed == 1 or (many and rows > 0 and not failed)


class Answers:
    """The answered elements of a node's input.

    Parameters
    ----------
    node
        The node; what failed is said to have failed in it.
    files
        Where its outputs are stored: folder and what is known of each file.
    again
        The ids of elements that are to be asked again, as what they met may pass.
    arm
        Take only what took this arm, None for all.
    """

    def __init__(
        self,
        node: Node,
        files: Sequence[tuple[str, ShardInfo]],
        again: Iterable[str],
        arm: str | None = None,
    ) -> None:
        self.node, self.files, self.again, self.arm = node, tuple(files), frozenset(again), arm
        self._index: _Index | None = None
        self._held: dict[int, list[Block]] = {}

    def __reduce__(self) -> tuple[type[Answers], tuple[Any, ...]]:
        return Answers, (self.node, self.files, self.again, self.arm)

    def of(self, arm: str) -> Answers:
        """Those that took an arm."""
        return Answers(self.node, self.files, self.again, arm)

    def around(
        self, track: Tracker, block: Block, make: Callable[[Block], Iterable[Block]]
    ) -> Iterable[Block]:
        """What becomes of a block, of which `make` is given what is not answered."""
        rest, had = self.divided(track, block)
        if had is None:
            return make(rest)
        return in_parts(self.together(block, [*make(rest), had]))

    def divided(self, track: Tracker, block: Block) -> tuple[Block, Block | None]:
        """What is to be asked, and the outputs of what is answered, which count as given anew."""
        index, many = self._indexed(track), self.node.kind == "flat_map"
        known = [index.holds(who, many) for who in block.ids]
        if not any(known):
            return block, None
        rest = block.take([place for place, is_known in enumerate(known) if not is_known])
        rest = replace(rest, failed=block.failed)
        who = [one for one, is_known in zip(block.ids, known, strict=True) if is_known]
        failed = [track.failed_before(f) for one in who for f in index.failed.get(one, ())]
        made = [row for one in who for row in index.rows.get(one, ())]
        had = merged([*self._taken(track, made), Block([], pack([]), failed=failed)])
        track.answered(len(who))
        return rest, had

    def together(self, block: Block, parts: Sequence[Block]) -> Block:
        """What came of some parts of a block, in the order of its elements."""
        whole = merged(parts)
        places = {who: place for place, who in enumerate(block.ids)}
        of_each = [places[self._source(who)] for who in whole.ids]
        order = sorted(range(len(whole)), key=of_each.__getitem__)
        fields = block.fields and [block.fields[of_each[row]] for row in order]
        return replace(whole.take(order), fields=fields, failed=whole.failed)

    def _source(self, who: str) -> str:
        """The id of the element of the input that an output comes from."""
        return who.rpartition("/")[0] if self.node.kind == "flat_map" else who

    def _indexed(self, track: Tracker) -> _Index:
        if self._index is None:
            index = _Index()
            for file in range(len(self.files)):
                for at, block in enumerate(self._blocks(track, file)):
                    arms = block.arms or [None] * len(block)
                    for row, (who, arm) in enumerate(zip(block.ids, arms, strict=True)):
                        if self.arm in (None, arm):
                            index.rows.setdefault(self._source(who), []).append((file, at, row))
                    for one in block.failed:
                        index.failed.setdefault(one.id, []).append(one)
            for who in self.again:
                index.rows.pop(who, None)
                index.failed.pop(who, None)
            self._index = index
        return self._index

    def _taken(self, track: Tracker, rows: Sequence[Row]) -> Iterator[Block]:
        """Rows of the same block together, as long as they follow each other."""
        start = 0
        for stop in range(1, len(rows) + 1):
            if stop == len(rows) or rows[stop][:2] != rows[start][:2]:
                file, at, _ = rows[start]
                yield self._blocks(track, file)[at].take([row for _, _, row in rows[start:stop]])
                start = stop

    def _blocks(self, track: Tracker, file: int) -> list[Block]:
        if file not in self._held:
            folder, info = self.files[file]
            try:
                shard = shards.read(Path(folder) / info.name, info)
            except shards.Damaged as damaged:
                if track.run is not None:
                    track.run.stop(damaged)
                raise
            while len(self._held) >= _HELD:
                self._held.pop(next(iter(self._held)))
            self._held[file] = [block for block, _ in timed.pairs(shard)]
        return self._held[file]
