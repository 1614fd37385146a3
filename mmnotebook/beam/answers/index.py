"""`Answers`: an index of stored outputs by the content of their inputs."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmnotebook.beam.answers import contents, marks
from mmnotebook.beam.answers.marks import OfBlock, OfElements
from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import Column
from mmnotebook.elements.packing import concat, pack
from mmnotebook.store import entries, shards, timed
from mmnotebook.store.shards import ShardInfo

_OPEN = 256 << 20
"""Maximum total size, in stored bytes, of the shards whose elements are kept in memory."""
_KEY = np.dtype([("first", "<u8"), ("second", "<u8")])


@dataclass(frozen=True)
class Answer:
    """The stored outputs for some elements of a block.

    Attributes
    ----------
    places
        For each value, the position of its input element in the block, in ascending order.
    values
        The stored values.
    failed
        The position and the failure of each input that failed permanently.
    rest
        The positions of inputs whose outputs are not stored.
    known
        The number of inputs with a stored outcome; some may have no output.
    """

    places: list[int]
    values: Column
    failed: list[tuple[int, Any]]
    rest: list[int]
    known: int


class _Elements(NamedTuple):
    """The sorted content keys of stored elements, and the block and row of each element."""

    keys: np.ndarray[Any, Any]
    blocks: np.ndarray[Any, Any]
    rows: np.ndarray[Any, Any]


@dataclass
class Answers:
    """The stored outputs of one node, from some entries, by the content of their inputs.

    Nothing is read before the first lookup. Damaged outputs are treated as missing.

    Attributes
    ----------
    files
        The shards of the entries; the shards of the newest entry are first.
    """

    files: tuple[tuple[str, ShardInfo], ...] = ()
    _open: OrderedDict[int, list[Any]] = field(default_factory=OrderedDict, repr=False)

    def __reduce__(self) -> tuple[type[Answers], tuple[Any, ...]]:
        return Answers, (self.files,)

    @cached_property
    def _keys(self) -> list[marks.ShardMarks | None]:
        return [marks.read(Path(folder), info) for folder, info in self.files]

    @cached_property
    def blocks(self) -> dict[bytes, list[tuple[int, int]]]:
        """The shard and position of each block computed from an input block, by the input's key."""
        found: dict[bytes, dict[int, tuple[int, int]]] = {}
        wanted: dict[bytes, int] = {}
        for shard, keys in enumerate(self._keys):
            for key, place, part, parts in [] if keys is None else keys.blocks:
                wanted.setdefault(key, parts)
                found.setdefault(key, {}).setdefault(part, (shard, place))
        return {
            key: [parts[part] for part in range(wanted[key])]
            for key, parts in found.items()
            if len(parts) == wanted[key] and max(parts) < wanted[key]
        }

    @cached_property
    def elements(self) -> _Elements:
        """The positions of outputs of single elements, by the input's key; -1 - n is failure n."""
        keys: list[bytes] = []
        blocks: list[tuple[int, int, int, int]] = []
        for shard, found in enumerate(self._keys):
            for place, good, failed in [] if found is None else found.elements:
                keys += [good, *failed]
                blocks.append((shard, place, len(good) // contents.KEY, len(failed)))
        whole = np.frombuffer(b"".join(keys), _KEY)
        counts = [good + failed for _, _, good, failed in blocks]
        owners = np.repeat(
            np.array([(s, p) for s, p, _, _ in blocks], int).reshape(-1, 2), counts, 0
        )
        places = (
            np.concatenate([np.arange(good), -1 - np.arange(failed)])
            for _, _, good, failed in blocks
        )
        rows = np.concatenate([*places, np.arange(0)])
        order = np.argsort(whole["first"], kind="stable")  # the newest of equal keys stays first
        return _Elements(whole[order], owners[order], rows[order])

    def of_block(self, key: bytes, count: int) -> Answer | None:
        """Return the outcome for an input block of `count` elements; None if it is not stored."""
        where = self.blocks.get(key)
        if where is None:
            return None
        found = [block for place in where if (block := self._block(*place)) is not None]
        if len(found) < len(where):
            return None
        places: list[int] = []
        failed: list[tuple[int, Any]] = []
        rest: set[int] = set()
        for block in found:
            mark = block.made_of
            if not isinstance(mark, OfBlock) or mark.key != key:
                return None
            places += range(len(block)) if mark.places is None else mark.places
            failed += mark.failed
            rest.update(mark.passing)
        if max(places, default=-1) >= count:
            return None
        return Answer(
            places, concat([b.values for b in found]), failed, sorted(rest), count - len(rest)
        )

    def of_elements(self, keys: Sequence[bytes]) -> Answer | None:
        """Return the stored outcomes of elements with these keys; None if no outcome is stored."""
        found, rows = self._look_up(np.frombuffer(b"".join(keys), _KEY))
        places: list[int] = []
        values: list[Column] = []
        failed: list[tuple[int, Any]] = []
        for shard, place in dict.fromkeys(map(tuple, found[found[:, 0] >= 0].tolist())):
            here = np.flatnonzero((found == (shard, place)).all(axis=1))
            block = self._block(shard, place)
            mark = None if block is None else block.made_of
            if block is None or not isinstance(mark, OfElements):
                continue
            good = here[rows[here] >= 0]
            if len(good):
                places += good.tolist()
                values.append(block.values.take(rows[good].tolist()))
            bad = here[rows[here] < 0].tolist()
            failed += [(at, mark.failed[-1 - int(rows[at])][1]) for at in bad]
        if not places and not failed:
            return None
        order = sorted(range(len(places)), key=places.__getitem__)
        whole = concat(values).take(order) if values else pack([])
        known = {*places, *(at for at, _ in failed)}
        rest = [at for at in range(len(keys)) if at not in known]
        places = [places[at] for at in order]
        return Answer(places, whole, failed, rest, len(keys) - len(rest))

    def _look_up(self, wanted: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return, for each key, its block (-1 if there is none), and the row in this block."""
        known = self.elements
        blocks, rows = np.full((len(wanted), 2), -1), np.zeros(len(wanted), int)
        if len(known.keys):
            at = np.searchsorted(known.keys["first"], wanted["first"])
            at = np.minimum(at, len(known.keys) - 1)
            hit = (known.keys[at] == wanted) & (wanted["first"] != 0)
            blocks[hit], rows[hit] = known.blocks[at[hit]], known.rows[at[hit]]
        return blocks, rows

    def _block(self, shard: int, place: int) -> Block | None:
        blocks = self._shard(shard)
        found = blocks[place] if place < len(blocks) else None
        return found if isinstance(found, Block) else None

    def _shard(self, shard: int) -> list[Any]:
        if shard in self._open:
            self._open.move_to_end(shard)
            return self._open[shard]
        folder, info = self.files[shard]
        try:
            read = timed.values(shards.read(Path(folder) / info.name, info))
        except shards.Damaged as damaged:
            entries.distrust(damaged)
            read = []
        self._open[shard] = read
        while len(self._open) > 1 and sum(self.files[one][1].bytes for one in self._open) > _OPEN:
            self._open.popitem(last=False)
        return read


def of(found: Sequence[entries.Entry]) -> Answers:
    """Create the index of some entries, which are listed from newest to oldest."""
    return Answers(tuple(itertools.chain.from_iterable(map(_files, found))))


def _files(entry: entries.Entry) -> Iterator[tuple[str, ShardInfo]]:
    return ((str(entry.path), info) for info in entry.infos)
