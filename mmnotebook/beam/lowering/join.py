"""The join of several nodes' outputs by id, column by column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import Column, Records
from mmnotebook.elements.packing import concat, pack

Who = str | tuple[str, str]
"""An element: its id, and for a child also the id of the source's element."""


@dataclass(frozen=True)
class JoinMember:
    """The outputs of one of the joined nodes.

    Attributes
    ----------
    block
        All outputs of the node, in one block.
    who
        The elements. A child and a row of a source are different elements, even with equal ids.
    at
        The position of each element in the block.
    twice
        The elements that occur more than once.
    """

    block: Block
    who: Sequence[Who]
    at: Mapping[Who, int]
    twice: Sequence[Who] = ()

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> JoinMember:
        """Merge several blocks of one node."""
        block = merged(blocks)
        who = _who(block)
        at = {one: place for place, one in enumerate(who)}
        if len(at) == len(block):
            return cls(block, who, at)
        return cls(block, who, at, [one for one, n in Counter(who).items() if n > 1])


@dataclass(frozen=True)
class Set:
    """The elements for which the same nodes have outputs.

    Attributes
    ----------
    members
        The indices of these nodes among the joined nodes.
    ids
        The elements, in the order in which the first of these nodes has them.
    """

    members: tuple[int, ...]
    ids: Sequence[Who]


def id_of(one: Who) -> str:
    """Return the id of an element."""
    return one if isinstance(one, str) else one[0]


def _who(block: Block) -> Sequence[Who]:
    if block.origins is None:
        return block.ids
    pairs = zip(block.ids, block.origins, strict=True)
    return [own if own == origin else (own, origin) for own, origin in pairs]


def sets(members: Sequence[JoinMember], without: Container[Who]) -> list[Set]:
    """Group the elements by the nodes with outputs for them; the group of all nodes is first.

    Parameters
    ----------
    without
        Elements to leave out.
    """
    every = tuple(range(len(members)))
    first = members[0].at
    if not without and all(one.at.keys() == first.keys() for one in members[1:]):
        return [Set(every, members[0].who)]
    found: dict[tuple[int, ...], list[Who]] = {every: []}
    for name in dict.fromkeys(name for one in members for name in one.at):
        if name not in without:
            places = tuple(place for place in every if name in members[place].at)
            found.setdefault(places, []).append(name)
    return [Set(places, ids) for places, ids in found.items()]


def whole(members: Sequence[JoinMember], one: Set, names: Sequence[str]) -> Block:
    """Return the elements of a set, each with a dict of its outputs by name."""
    blocks = [_ordered(members[place], one.ids) for place in one.members]
    columns = {names[at]: block.values for at, block in zip(one.members, blocks, strict=True)}
    first = blocks[0]
    fields = _fields(blocks)
    return Block(first.ids, Records(columns), first.origins, fields=fields)


def _ordered(member: JoinMember, who: Sequence[Who]) -> Block:
    if member.who == who:
        return member.block
    return member.block.take([member.at[one] for one in who])


def _fields(blocks: Sequence[Block]) -> list[tuple[tuple[str, Any], ...]] | None:
    """Return the source fields that each element keeps, merged from all of its outputs."""
    known = [block.fields for block in blocks if block.fields is not None]
    if not known:
        return None
    merged: list[dict[str, Any]] = [{} for _ in known[0]]
    for fields in known:
        for into, more in zip(merged, fields, strict=True):
            into.update(more)
    return [tuple(fields.items()) for fields in merged]


def merged(blocks: Sequence[Block]) -> Block:
    """Merge the elements of several blocks into one, without their failures and choices."""
    full = [block for block in blocks if len(block)]
    ids = [name for block in full for name in block.ids]
    origins = None
    if any(block.origins is not None for block in full):
        origins = [name for block in full for name in block.origins or block.ids]
    fields = None
    if any(block.fields is not None for block in full):
        fields = [own for block in full for own in block.fields or [()] * len(block)]
    values: Column = concat([block.values for block in full]) if full else pack([])
    return Block(ids, values, origins, fields=fields)
