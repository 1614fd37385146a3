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
"""The maximum number of elements that are recomputed."""


@dataclass
class SampleOutcome:
    """The outputs of a node for one element.

    Attributes
    ----------
    values
        The value of each output, by its id. The value of a prediction is its inference.
    error
        The name of the error's class if the element failed, otherwise None.
    """

    values: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def is_there(self) -> bool:
        """Whether the element has outputs or failed."""
        return bool(self.values) or self.error is not None


def choose(node: Node, above: Entry, dice: random.Random) -> tuple[Block, float] | None:
    """Choose a few of a node's input elements.

    Parameters
    ----------
    above
        The entry of the upstream node.

    Returns
    -------
    Block, float
        The elements, and their approximate position among all elements, from 0 to 1. None if
        there are no elements, or if they are in windows.
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
    """Return the stored outcome of each element by its id; None if outputs are in windows.

    Shards near the position `where` are read first. Other shards are read only if the outcomes of
    some elements were not found, or if an element can have any number of outputs.
    """
    found = {one: SampleOutcome() for one in ids}
    for info in _nearest(entry, where):
        blocks = _blocks(entry, info)
        if blocks is None:
            return None
        collect(node, blocks, found)
        if node.step.outputs != "any number" and all(one.is_there for one in found.values()):
            break
    return found


def collect(node: Node, blocks: Iterable[Block], found: dict[str, SampleOutcome]) -> None:
    """Add the outputs and failures of some elements to `found`."""
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
    """Return whether the node's input has exactly one element for each of these ids."""
    seen: Counter[str] = Counter()
    for info in above.infos:
        for block in _blocks(above, info) or ():
            seen.update(block.ids[place] for place in _places(node, block))
    return all(seen[one] == 1 for one in ids)


def bytes_read(node: Node, entry: Entry, above: Entry) -> int:
    """Estimate how many bytes a comparison of a few elements reads."""
    all_of_it = node.step.outputs != "one"  # an element may have no output at all
    return _largest(above) + (entry.bytes if all_of_it else _largest(entry))


def _largest(entry: Entry) -> int:
    return max((info.bytes for info in entry.infos), default=0)


def _places(node: Node, block: Block) -> list[int]:
    """Return the positions in a block of the elements that a node receives."""
    port = node.inputs[0].port
    if port is None:
        return list(range(len(block)))
    return [place for place, branch in enumerate(block.branches or ()) if str(branch) == port]


def _owner(node: Node, output: str) -> str:
    """Return the id of the input element of an output."""
    return output.rpartition("/")[0] if node.step.outputs == "any number" else output


def _blocks(entry: Entry, info: ShardInfo) -> list[Block] | None:
    """Return the blocks in a shard; None if some are in windows, like the blocks of a stream."""
    shard = entry.shard(info)
    return timed.values(shard) if timed.in_one_window(shard) else None


def _nearest(entry: Entry, where: float) -> Iterator[ShardInfo]:
    """Yield all shards in the order of their distance from the position `where`."""
    total, before = max(1, entry.rows), 0
    middles = []
    for info in entry.infos:
        middles.append((before + info.rows / 2) / total)
        before += info.rows
    order = sorted(range(len(middles)), key=lambda at: abs(middles[at] - where))
    return (entry.infos[at] for at in order)
