"""Samples of a node's inputs with their stored outputs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mmnotebook.beam.dofns.inferences import inferences
from mmnotebook.elements.block import Block
from mmnotebook.graph.graph import Node
from mmnotebook.store import timed
from mmnotebook.store.entries import Entry
from mmnotebook.store.shards import ShardInfo

ELEMENTS = 3
"""How many elements are computed again."""


@dataclass
class SampleOutcome:
    """What a node made of one element.

    Attributes
    ----------
    values
        By the id of each output, its value; of a prediction the inference.
    error
        The class of the error that it failed with, None where it did not.
    """

    values: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def is_there(self) -> bool:
        """Is there anything of it?"""
        return bool(self.values) or self.error is not None


def choose(node: Node, above: Entry, dice: random.Random) -> tuple[Block, float] | None:
    """Choose a few of the elements that a node was given.

    Parameters
    ----------
    above
        What is stored of the node that they come from.

    Returns
    -------
    Block, float
        The elements, and about where they are among all of them, from 0 to 1; None where there
        is none to be chosen, or they are in windows.
    """
    rows = [info.rows for info in above.infos]
    if not sum(rows):
        return None
    (at,) = dice.choices(range(len(rows)), rows)
    blocks = _blocks(above, above.infos[at])
    if blocks is None:
        return None
    chosen = dice.choice([block for block in blocks if len(block)])
    places = _places(node, chosen)
    some = sorted(dice.sample(places, min(ELEMENTS, len(places))))
    where = (sum(rows[:at]) + rows[at] / 2) / sum(rows)
    return (chosen.take(some), where) if some else None


def outcomes(
    node: Node, ids: Collection[str], entry: Entry, where: float
) -> dict[str, SampleOutcome] | None:
    """By the id of an element, what is stored of it; None where that is in windows.

    The shards that are nearest to `where` are read first, the others as long as something may be
    in them.
    """
    found = {one: SampleOutcome() for one in ids}
    for info in _nearest(entry, where):
        blocks = _blocks(entry, info)
        if blocks is None:
            return None
        collect(node, blocks, found)
        if node.kind != "flat_map" and all(one.is_there for one in found.values()):
            break
    return found


def collect(node: Node, blocks: Iterable[Block], found: dict[str, SampleOutcome]) -> None:
    """Note what a node has made of some elements."""
    for block in blocks:
        owners = [_owner(node, one) for one in block.ids]
        places = [place for place, one in enumerate(owners) if one in found]
        values = inferences(block.values.take(places)).rows()
        for place, value in zip(places, values, strict=True):
            found[owners[place]].values[block.ids[place]] = value
        for failure in block.failed:
            if failure.id in found:
                found[failure.id].error = failure.error


def are_unique(node: Node, ids: Collection[str], above: Entry) -> bool:
    """Was the node given no more than one element of each of these ids?"""
    seen: Counter[str] = Counter()
    for info in above.infos:
        for block in _blocks(above, info) or ():
            seen.update(block.ids[place] for place in _places(node, block))
    return all(seen[one] == 1 for one in ids)


def bytes_read(node: Node, entry: Entry, above: Entry) -> int:
    """About how many bytes are read to compare a few elements."""
    all_of_it = node.kind in ("filter", "flat_map")  # an element may have no output at all
    return _largest(above) + (entry.bytes if all_of_it else _largest(entry))


def _largest(entry: Entry) -> int:
    return max((info.bytes for info in entry.infos), default=0)


def _places(node: Node, block: Block) -> list[int]:
    """Where in a block the elements are that a node is given."""
    port = node.inputs[0].port
    if port is None:
        return list(range(len(block)))
    return [place for place, branch in enumerate(block.branches or ()) if str(branch) == port]


def _owner(node: Node, output: str) -> str:
    """The id of the element that an output was made of."""
    return output.rpartition("/")[0] if node.kind == "flat_map" else output


def _blocks(entry: Entry, info: ShardInfo) -> list[Block] | None:
    """The blocks in a shard; None where they are in windows, as those of a stream."""
    shard = entry.shard(info)
    return timed.values(shard) if timed.in_one_window(shard) else None


def _nearest(entry: Entry, where: float) -> Iterator[ShardInfo]:
    """All shards, those first whose elements are nearest to a place among all of them."""
    total, before = max(1, entry.rows), 0
    middles = []
    for info in entry.infos:
        middles.append((before + info.rows / 2) / total)
        before += info.rows
    order = sorted(range(len(middles)), key=lambda at: abs(middles[at] - where))
    return (entry.infos[at] for at in order)
