"""How a node's inputs come together: as they come, or joined by id into a dict."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.typehints import KV

from mmnotebook.graph.graph import Node
from mmnotebook.runtime.blocks.block import Block, blocks_of
from mmnotebook.runtime.blocks.packing import pack
from mmnotebook.runtime.coders import Element
from mmnotebook.runtime.data.elements import Key, Select
from mmnotebook.runtime.node_fn import NodeFn, apply
from mmnotebook.runtime.tracking import weight

BUCKET = 2048
"""About how many ids are joined at a time, where their number is known beforehand."""


class _Select(NodeFn):
    """Takes the fields that an edge of a union selects."""

    enters = leaves = False
    step = "select"

    def blocks(self, block: Block) -> Iterable[Any]:
        return [block]


class _Member(NodeFn):
    """One input of a join: in buckets of ids, with its place among the inputs."""

    enters = leaves = False
    step = "member"

    def __init__(self, node: str, run_id: str, select: Select, place: int, buckets: int) -> None:
        super().__init__(node, run_id, select)
        self.place, self.buckets = place, buckets

    def blocks(self, block: Block) -> Iterator[Any]:
        places: dict[int, list[int]] = {}
        for place, name in enumerate(block.ids):
            places.setdefault(zlib.crc32(name.encode()) % self.buckets, []).append(place)
        for bucket, chosen in places.items():
            yield bucket, (self.place, block.take(chosen))
        if block.failed:
            yield 0, (self.place, Block([], pack([]), failed=block.failed))
        self.track.flow.given += weight(block)


class _Join(NodeFn):
    """The outputs for one id as a dict by node name, in the order of the inputs."""

    enters = leaves = False
    step = "join"

    def __init__(self, node: str, run_id: str, names: tuple[str, ...]) -> None:
        super().__init__(node, run_id)
        self.names = names

    def blocks(self, element: tuple[int, Iterable[tuple[int, Block]]]) -> Iterator[Block]:
        members: dict[str, dict[int, tuple[Key, Any]]] = {}
        failed, twice = [], {}
        for place, block in sorted(element[1], key=lambda member: member[0]):
            failed += block.failed
            for key, value in block.elements():
                outputs = members.setdefault(key.id, {})
                if place in outputs:
                    twice[key.id] = self.names[place]
                outputs[place] = (key, value)
        for name, node in twice.items():
            del members[name]
            error = ValueError(f"several elements of {node!r} have this id")
            self.track.came(1)
            failed.append(self.track.fail(name, error))
        blocks = list(blocks_of(map(self._whole, members.values()))) or [Block([], pack([]))]
        blocks[0].failed = failed
        yield from blocks

    def weight(self, element: tuple[int, Iterable[tuple[int, Block]]]) -> int:
        return sum(weight(block) for _, block in element[1])

    def _whole(self, outputs: dict[int, tuple[Key, Any]]) -> tuple[Key, Any]:
        fields: dict[str, Any] = {}
        for key, _ in outputs.values():
            fields.update(key.fields)
        first = next(iter(outputs.values()))[0]
        key = first._replace(key=None, fields=tuple(fields.items()))
        return key, {self.names[place]: value for place, (_, value) in outputs.items()}


def steps(node: Node) -> tuple[str, ...]:
    """The names of the steps through which elements come into a node."""
    if node.gather == "join":
        return _Member.step, _Join.step
    chosen = node.gather == "union" and any(wire.select is not None for wire in node.inputs)
    return (_Select.step,) if chosen else ()


def gather(node: Node, inputs: list[Any], run_id: str, count: int | None) -> tuple[Any, Select]:
    """A node's inputs as one PCollection of blocks, and what the node is to select of each value.

    Parameters
    ----------
    count
        About how many elements will come, where that is known.
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
    buckets = 256 if count is None else max(1, count // BUCKET)
    members = []
    for place, (pcoll, wire) in enumerate(zip(inputs, node.inputs, strict=True)):
        step = _Member(node.name, run_id, wire.select, place, buckets)
        keyed = pcoll | f"{node.name}: member {place}" >> beam.ParDo(step)
        keyed.element_type = KV[int, Element]
        members.append(keyed)
    groups = members | f"{node.name}: members" >> beam.Flatten()
    groups = groups | f"{node.name}: by id" >> beam.GroupByKey()
    names = tuple(wire.node for wire in node.inputs)
    return apply(f"{node.name}: join", groups, _Join(node.name, run_id, names))
