"""Gathering of a node's inputs: as a union, or joined by id into a dict."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.typehints import KV

from mmnotebook.beam.dofns.inferences import inferences
from mmnotebook.beam.dofns.node_fn import NodeFn, apply
from mmnotebook.beam.dofns.tracking import weight
from mmnotebook.beam.lowering import join
from mmnotebook.elements.block import Block, in_parts
from mmnotebook.elements.coders import Element
from mmnotebook.elements.elements import Select
from mmnotebook.elements.packing import pack
from mmnotebook.graph.graph import Node
from mmnotebook.results.records import Failure

BUCKET = 8192
"""Approximate number of ids that are joined at a time, if the total is known before the run."""


class _Select(NodeFn):
    """Selects the fields of one input of a union."""

    enters = leaves = False
    step = "select"

    def blocks(self, block: Block) -> Iterable[Any]:
        return [block]


class _Member(NodeFn):
    """Splits one input of a join into buckets by id, and adds the index of the input."""

    enters = leaves = False
    step = "member"

    def __init__(self, node: Node, run_id: str, place: int, buckets: int) -> None:
        super().__init__(node.name, run_id, node.inputs[place].select)
        self.place, self.buckets = place, buckets
        self.combines = node.step.family == "combining"

    def blocks(self, block: Block) -> Iterator[Any]:
        if self.combines:  # combining steps use only inferences, not examples
            block = replace(block, values=inferences(block.values))
        codes = map(zlib.crc32, map(str.encode, block.ids))
        buckets = np.fromiter(codes, dtype=np.uint32, count=len(block)) % self.buckets
        for bucket in np.unique(buckets).tolist():
            chosen = np.flatnonzero(buckets == bucket).tolist()
            yield bucket, (self.place, block.take(chosen))
        if block.failed:
            yield 0, (self.place, Block([], pack([]), failed=block.failed))
        self.track.flow.given += weight(block)


class _Join(NodeFn):
    """Joins the outputs for one id in a dict by node name or label, in the order of the inputs."""

    enters = leaves = False
    step = "join"

    def __init__(self, node: Node, run_id: str) -> None:
        super().__init__(node.name, run_id)
        self.names = tuple(wire.key for wire in node.inputs)
        self.missing = dict(node.params).get("missing", "fail")

    def blocks(self, element: tuple[int, Iterable[tuple[int, Block]]]) -> Iterator[Block]:
        parts: list[list[Block]] = [[] for _ in self.names]
        for place, block in element[1]:
            parts[place].append(block)
        failed = [failure for blocks in parts for block in blocks for failure in block.failed]
        members = [join.JoinMember.of(blocks) for blocks in parts]
        twice = {who: place for place, member in enumerate(members) for who in member.twice}
        failed += [self._fail(who, _twice(self.names[at])) for who, at in twice.items()]
        sets = join.sets(members, twice)
        if self.missing == "fail":
            failed += [self._fail(*one) for one in self._missing(sets)]
        wanted = sets if self.missing == "use rest" else sets[:1]
        made = [block for one in wanted for block in self._whole(members, one)]
        made = made or [Block([], pack([]))]
        made[0].failed = failed
        yield from made

    def weight(self, element: tuple[int, Iterable[tuple[int, Block]]]) -> int:
        return sum(weight(block) for _, block in element[1])

    def _fail(self, who: join.Who, error: Exception) -> Failure:
        self.track.count_inputs(1)
        return self.track.fail(join.id_of(who), error)

    def _missing(self, sets: Sequence[join.Set]) -> Iterator[tuple[join.Who, Exception]]:
        for one in sets[1:]:
            lacking = [name for at, name in enumerate(self.names) if at not in one.members]
            for who in one.ids:
                yield who, _no_output(lacking)

    def _whole(self, members: Sequence[join.JoinMember], one: join.Set) -> Iterator[Block]:
        whole = join.whole(members, one, self.names)
        return in_parts(whole) if len(whole) else iter(())


class MissingOutput(Exception):
    """Raised if a step that combines several outputs for an element lacks some of them."""


def _no_output(names: Sequence[str]) -> MissingOutput:
    return MissingOutput(
        f"no output of {', '.join(map(repr, names))} for this element: it failed there or was "
        "skipped; missing='skip' skips it here too, 'use rest' combines the outputs that exist"
    )


def _twice(name: str) -> ValueError:
    return ValueError(f"several elements of {name!r} have this id")


def steps(node: Node) -> tuple[str, ...]:
    """Return the names of the steps that gather the inputs of a node."""
    if node.gather == "join":
        return _Member.step, _Join.step
    chosen = node.gather == "union" and any(wire.select is not None for wire in node.inputs)
    return (_Select.step,) if chosen else ()


def gather(node: Node, inputs: list[Any], run_id: str, count: int | None) -> tuple[Any, Select]:
    """Return a node's inputs as one PCollection of blocks, and the fields that the node selects.

    Parameters
    ----------
    count
        The approximate number of elements, if known.
    """
    if node.gather == "join":
        return _joined(node, inputs, run_id, count), None
    if len(inputs) == 1:
        return inputs[0], node.inputs[0].select
    if any(wire.select is not None for wire in node.inputs):
        selects = [_Select(node.name, run_id, wire.select) for wire in node.inputs]
        inputs = [
            apply(f"{node.name}: select {place}", pcoll, step)
            for place, (pcoll, step) in enumerate(zip(inputs, selects, strict=True))
        ]
    union = inputs | f"{node.name}: union" >> beam.Flatten()
    union.element_type = Block
    return union, None


def _joined(node: Node, inputs: list[Any], run_id: str, count: int | None) -> Any:
    buckets = 256 if count is None else max(1, count // len(inputs) // BUCKET)
    members = []
    for place, pcoll in enumerate(inputs):
        step = beam.ParDo(_Member(node, run_id, place, buckets))
        keyed = pcoll | f"{node.name}: member {place}" >> step
        keyed.element_type = KV[int, Element]
        members.append(keyed)
    groups = members | f"{node.name}: members" >> beam.Flatten()
    groups = groups | f"{node.name}: by id" >> beam.GroupByKey()
    return apply(f"{node.name}: join", groups, _Join(node, run_id))
