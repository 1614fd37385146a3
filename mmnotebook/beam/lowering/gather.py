"""Gathering of a node's inputs: as a union, or joined by id into a dict."""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.typehints import KV

from mmnotebook.beam.dofns.inferences import inferences
from mmnotebook.beam.dofns.node_fn import NodeFn, apply
from mmnotebook.beam.dofns.spill_fn import SpillFn
from mmnotebook.beam.dofns.tracking import weight
from mmnotebook.beam.lowering import id_ranges, join
from mmnotebook.beam.lowering.id_ranges import Codes, IndexedBlock
from mmnotebook.beam.options import has_one_worker
from mmnotebook.elements.block import Block, in_parts
from mmnotebook.elements.coders import Element
from mmnotebook.elements.elements import Select
from mmnotebook.elements.packing import pack
from mmnotebook.graph.graph import Node
from mmnotebook.results.records import Failure
from mmnotebook.state import run_state

BUCKET = 8192
"""Approximate number of ids that are joined at a time, if the total is known before the run."""


class _Select(NodeFn):
    """Selects the fields of one input of a union."""

    enters = leaves = False
    step = "select"

    def blocks(self, block: Block) -> Iterable[Any]:
        return [block]


class _Member(NodeFn):
    """Adds the index of the input to the blocks of one input of a join."""

    enters = leaves = False
    step = "member"

    def __init__(self, node: Node, run_id: str, place: int) -> None:
        super().__init__(node.name, run_id, node.inputs[place].select)
        self.place = place
        self.combines = node.step.family == "combining"

    def blocks(self, block: Block) -> Iterator[Any]:
        if self.combines:  # combining steps use only inferences, not examples
            block = replace(block, values=inferences(block.values))
        codes = map(zlib.crc32, map(str.encode, block.ids))
        for key, part in self.parts(block, np.fromiter(codes, np.uint32, count=len(block))):
            yield key, (self.place, part)
        self.track.flow.given += weight(block)

    @abstractmethod
    def parts(self, block: Block, codes: Codes) -> Iterator[tuple[int, Any]]:
        """Yield the parts of a block, each with the key under which the members meet."""


class _Buckets(_Member):
    """Splits the blocks of one input into buckets by id."""

    def __init__(self, node: Node, run_id: str, place: int, buckets: int) -> None:
        super().__init__(node, run_id, place)
        self.buckets = buckets

    def parts(self, block: Block, codes: Codes) -> Iterator[tuple[int, Block]]:
        buckets = codes % self.buckets
        for bucket in np.unique(buckets).tolist():
            yield bucket, block.take(np.flatnonzero(buckets == bucket).tolist())
        if block.failed:
            yield 0, Block([], pack([]), failed=block.failed)


class _InFiles(SpillFn, _Member):
    """Writes the blocks of one input into files."""

    def __init__(self, node: Node, run_id: str, place: int, folder: Path) -> None:
        super().__init__(node, run_id, place)
        self.folder = folder

    def parts(self, block: Block, codes: Codes) -> Iterator[tuple[int, IndexedBlock]]:
        if len(block):
            own = replace(block, failed=[], made_of=None)
            yield 0, IndexedBlock(self.file.add(own), codes)
        if block.failed:
            failed = Block([], pack([]), failed=block.failed)
            yield 0, IndexedBlock(self.file.add(failed), codes[:0])


class _Join(NodeFn):
    """Joins the outputs for one id in a dict by node name or label, in the order of the inputs."""

    enters = leaves = False
    step = "join"

    def __init__(self, node: Node, run_id: str) -> None:
        super().__init__(node.name, run_id)
        self.names = tuple(wire.key for wire in node.inputs)
        self.missing = dict(node.params).get("missing", "fail")

    def blocks(self, element: tuple[int, Iterable[tuple[int, Any]]]) -> Iterator[Block]:
        parts: list[list[Any]] = [[] for _ in self.names]
        for place, part in element[1]:
            parts[place].append(part)
        return self.joined(parts)

    def joined(self, parts: Sequence[Sequence[Any]]) -> Iterator[Block]:
        """Join the parts of the inputs."""
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

    def weight(self, element: tuple[int, Iterable[tuple[int, Any]]]) -> int:
        return sum(self.weight_of(part) for _, part in element[1])

    def weight_of(self, part: Any) -> int:
        """Return the number of elements in a part of an input, including failed elements."""
        return weight(part)

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


class _JoinFiles(_Join):
    """Joins outputs that are in files, one range of ids after another."""

    def __init__(self, node: Node, run_id: str, folder: Path) -> None:
        super().__init__(node, run_id)
        self.folder = folder

    def joined(self, parts: Sequence[Sequence[Any]]) -> Iterator[Block]:
        with run_state.stopping(self.run_id):
            for blocks in id_ranges.ranges(parts, self.folder):
                self.track.check()
                yield from super().joined(blocks)

    def weight_of(self, part: IndexedBlock) -> int:
        return part.spilled.weight


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


def gather(
    node: Node, inputs: list[Any], run_id: str, count: int | None, lean: bool = False
) -> tuple[Any, Select]:
    """Return a node's inputs as one PCollection of blocks, and the fields that the node selects.

    Parameters
    ----------
    count
        The approximate number of elements, if known.
    lean
        True for a run in this process; a join then keeps its inputs in files, not in memory.
    """
    if node.gather == "join":
        files = lean and has_one_worker(inputs[0].pipeline)
        made = _joined_in_files if files else _joined
        return made(node, inputs, run_id, count), None
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
    members = [_Buckets(node, run_id, place, buckets) for place in range(len(inputs))]
    return _meeting(node, inputs, members, _Join(node, run_id))


def _joined_in_files(node: Node, inputs: list[Any], run_id: str, count: int | None) -> Any:
    folder = run_state.folder(run_id, "join")
    members = [_InFiles(node, run_id, place, folder) for place in range(len(inputs))]
    return _meeting(node, inputs, members, _JoinFiles(node, run_id, folder))


def _meeting(node: Node, inputs: list[Any], members: Sequence[_Member], last: _Join) -> Any:
    made = []
    for place, (pcoll, member) in enumerate(zip(inputs, members, strict=True)):
        keyed = pcoll | f"{node.name}: member {place}" >> beam.ParDo(member)
        keyed.element_type = KV[int, Element]
        made.append(keyed)
    groups = made | f"{node.name}: members" >> beam.Flatten()
    groups = groups | f"{node.name}: by id" >> beam.GroupByKey()
    return apply(f"{node.name}: join", groups, last)
