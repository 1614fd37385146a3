"""Sources of blocks in a pipeline: the user's files, or stored blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.transforms.core import Windowing

from mmnotebook.beam.dofns.node_fn import NodeFn, PlainFn, apply
from mmnotebook.beam.dofns.windows import InWindows
from mmnotebook.beam.lowering.branches import by_branch
from mmnotebook.beam.lowering.step import Arms, tag
from mmnotebook.elements import routing
from mmnotebook.elements.block import Block, in_parts
from mmnotebook.elements.coders import Element
from mmnotebook.elements.columns import Column
from mmnotebook.elements.elements import has_field, pick
from mmnotebook.elements.packing import pack
from mmnotebook.errors import MMError
from mmnotebook.sources import readers
from mmnotebook.sources.formats import Chunk
from mmnotebook.sources.partial import Partial
from mmnotebook.sources.sources import Slice, SourcePlan
from mmnotebook.state import run_state
from mmnotebook.store import shards, timed
from mmnotebook.store.shards import ShardInfo

Fields = tuple[tuple[str, Any], ...]
Files = tuple[tuple[str, ShardInfo], ...]
"""Stored files of blocks: the folder and the description of each file."""


@dataclass(frozen=True)
class Stored:
    """A node whose blocks are read instead of computed.

    Attributes
    ----------
    files
        The files of the node.
    sources
        The files of the node's sources, if a later step looks up fields in them; () for a source,
        whose values contain the fields.
    """

    files: Files
    sources: Files = ()


class _Read(NodeFn):
    """Reads elements from the user's files."""

    enters = False

    def __init__(self, node: str, run_id: str, carried: tuple[str, ...]) -> None:
        super().__init__(node, run_id)
        self.carried = carried

    def blocks(self, part: tuple[Slice, ...]) -> Iterator[Block]:
        chunks = readers.read_part(part)
        while (chunk := self._next(chunks, part)) is not None:
            block = self._block(*chunk)
            yield from in_parts(replace(block, fields=carry(block.values, self.carried)))
        self.track.tally.parts += 1

    def _next(self, chunks: Iterator[Any], part: tuple[Slice, ...]) -> Any:
        try:
            return next(chunks, None)
        except MMError as error:
            raise run_state.stop(self.run_id, error) from error
        except Exception as error:
            raise run_state.stop(self.run_id, readers.unreadable(part[0].path, error)) from error

    def _block(self, part: Slice, chunk: Chunk) -> Block:
        rows, values = chunk
        ids = readers.ids_of(part, rows)
        block = (
            self._apart(ids, values) if isinstance(values, Partial) else Block(ids, pack(values))
        )
        if part.id is None:
            return block
        named = self.track.each(block.ids, block.values, lambda value: self._named(value, part.id))
        kept = block.take(named.places)
        return replace(kept, ids=named.results, failed=[*block.failed, *named.failed])

    def _apart(self, ids: Sequence[str], values: Partial) -> Block:
        """Return a block of the elements that could be read, with the failures of the others."""
        self.track.count_inputs(len(values.errors))
        failed = [self.track.fail(ids[place], error) for place, error in values.errors.items()]
        return Block([ids[place] for place in values.places()], values.good, failed=failed)

    def _named(self, value: Any, field: str | None) -> str:
        name = routing.token(pick(value, field))
        run = self.track.run
        if run is not None and not run.is_new(self.node, name):
            raise ValueError(f"duplicate {field} {name!r}; ids must be unique")
        return name


def read(
    label: str, pipeline: Any, plan: SourcePlan, run_id: str, carried: tuple[str, ...]
) -> Arms:
    """Read the elements of the user's files."""
    parts = plan.parts()
    made = _each(f"{label}: parts", pipeline, parts, bool(run_id))
    return {None: apply(label, made, _Read(label, run_id, carried))}


class _Stored(PlainFn):
    """Reads stored blocks."""

    def __init__(
        self,
        node: str,
        run_id: str,
        stored: Stored,
        branches: Sequence[str],
        carried: tuple[str, ...],
    ) -> None:
        self.node, self.run_id = node, run_id
        self.sources, self.branches, self.carried = stored.sources, tuple(branches), carried

    def setup(self) -> None:
        run = run_state.find(self.run_id)
        self._tally = run.tallies[self.node] if run else run_state.Tally()
        self._fields = dict(self._by_id()) if self.carried else {}

    def process(self, file: tuple[str, ShardInfo]) -> Iterator[Any]:
        for block, when in self._read(file):
            if self.carried:
                block = replace(block, fields=self._carried(block))
            self._tally.elements_out += len(block)
            yield timed.at(block, when)
            if self.branches:
                for name, part in by_branch(block):
                    self._tally.branches[name] += len(part)
                    if name in self.branches:
                        yield beam.pvalue.TaggedOutput(tag(name), timed.at(part, when))

        self._tally.parts += 1

    def _read(self, file: tuple[str, ShardInfo]) -> list[tuple[Block, timed.Time | None]]:
        try:
            return list(timed.pairs(shards.read(Path(file[0]) / file[1].name, file[1])))
        except shards.Damaged as damaged:
            raise run_state.stop(self.run_id, damaged) from damaged

    def _by_id(self) -> Iterator[tuple[str, Fields]]:
        for file in self.sources:
            for block, _ in self._read(file):
                yield from zip(block.ids, carry(block.values, self.carried) or (), strict=False)

    def _carried(self, block: Block) -> list[Fields] | None:
        if not self.sources:
            return carry(block.values, self.carried)
        return [self._fields.get(origin, ()) for origin in block.origins or block.ids]


def stored(
    label: str,
    pipeline: Any,
    what: Stored,
    run_id: str,
    branches: Sequence[str],
    carried: tuple[str, ...],
    windowing: Windowing | None = None,
) -> Arms:
    """Read the stored blocks of a node, all together and by branch, in their stored windows."""
    tags = list(map(tag, branches))
    files = _each(f"{label}: files", pipeline, what.files, bool(run_id))
    function = _Stored(label, run_id, what, branches, carried)
    step = beam.ParDo(function) if windowing is None else InWindows(function, windowing)
    if not tags:
        return {None: files | label >> step.with_output_types(Block)}
    outputs = files | label >> step.with_outputs(*tags, main="main")
    for name in ("main", *tags):
        outputs[name].element_type = Block
    return {None: outputs["main"], **{name: outputs[tag(name)] for name in branches}}


class _Items(PlainFn):
    """Yields fixed items for each input."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def process(self, element: bytes) -> Sequence[Any]:
        return self.items


def _each(label: str, pipeline: Any, items: Sequence[Any], here: bool) -> Any:
    """Create a PCollection of a few items; spread them over workers, unless the run is `here`."""
    if not here:
        return pipeline | label >> beam.Create(items, reshuffle=len(items) > 1)
    start = pipeline | f"{label}, start" >> beam.Impulse()
    return start | label >> beam.ParDo(_Items(items)).with_output_types(Element)


def carry(values: Column, names: tuple[str, ...]) -> list[Fields] | None:
    """Return the fields `names` of each record, which later steps look up; None without `names`."""
    if not names:
        return None
    return [
        tuple((name, value[name]) for name in names if has_field(value, name)) for value in values
    ]
