"""The lowering of a step that writes a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.typehints import KV

from mmnotebook.beam.dofns.node_fn import NodeFn, apply
from mmnotebook.beam.dofns.spill_fn import SpillFn
from mmnotebook.beam.dofns.tracking import weight
from mmnotebook.beam.lowering.step import Arms, BoundStep, Lowering
from mmnotebook.elements.block import Block
from mmnotebook.elements.coders import Element
from mmnotebook.elements.elements import Select
from mmnotebook.elements.spill import Spilled
from mmnotebook.errors import RunError
from mmnotebook.sources import writers
from mmnotebook.state import run_state


class _Rows(NodeFn):
    """Yields each block with the same key, so that they are written together."""

    leaves = False
    step = "rows"

    def blocks(self, block: Block) -> Iterable[Any]:
        self.track.count_inputs(len(block))
        self.track.flow.given += weight(block)
        return [(0, block)]


class _RowsInFiles(SpillFn, _Rows):
    """Keeps each block in a file, and yields its place with the same key."""

    def __init__(self, node: str, run_id: str, select: Select, folder: Path) -> None:
        super().__init__(node, run_id, select)
        self.folder = folder

    def blocks(self, block: Block) -> Iterator[Any]:
        return ((key, self.file.add(own)) for key, own in super().blocks(block))


class _Write(NodeFn):
    """Writes all elements into one file; if an error occurs, no file is written.

    Parameters
    ----------
    above
        The upstream nodes; they are complete when the file is written.
    """

    enters = False

    def __init__(self, node: str, run_id: str, path: str, above: Sequence[str]) -> None:
        super().__init__(node, run_id)
        self.path, self.above = path, above

    def blocks(self, element: tuple[int, Iterable[Any]]) -> Iterable[Block]:
        if self.track.run is not None:
            self.track.run.judge(self.above)
        blocks = _Blocks(element[1], self.track.check)
        try:
            writers.write(self.path, blocks)
        except run_state.Stopped:
            raise
        except Exception as error:
            # Not the failure of an element: without the file, the whole run has failed.
            what, remedy = writers.told(error)
            cause = RunError(
                f"node {self.node!r} cannot write {self.path!r}: {what}",
                remedy=remedy,
                node=self.node,
            )
            raise run_state.stop(self.run_id, cause) from error
        return blocks

    def weight(self, element: tuple[int, Iterable[Any]]) -> int:
        return sum(one.weight if isinstance(one, Spilled) else weight(one)
                   for one in element[1] if one is not None)  # fmt: skip


class _Blocks:
    """All blocks, which can be iterated over several times; blocks in files are read each time.

    Parameters
    ----------
    check
        Called for each block; it may raise.
    """

    def __init__(self, found: Iterable[Any], check: Callable[[], None]) -> None:
        self._found, self._check = found, check

    def __iter__(self) -> Iterator[Block]:
        for one in self._found:
            self._check()
            if one is not None:
                yield one.read() if isinstance(one, Spilled) else one


def _transforms(step: BoundStep, pcoll: Any) -> Arms:
    return _written(step, pcoll, _Rows(step.node.name, step.run_id, step.select))


def _in_files(step: BoundStep, pcoll: Any) -> Arms:
    folder = run_state.folder(step.run_id, "write")
    return _written(step, pcoll, _RowsInFiles(step.node.name, step.run_id, step.select, folder))


def _written(step: BoundStep, pcoll: Any, first: _Rows) -> Arms:
    node = step.node
    rows = pcoll | f"{node.name}: rows" >> beam.ParDo(first)
    # This input always exists, so that a file is written even without elements.
    none = pcoll.pipeline | f"{node.name}: always" >> beam.Create([(0, None)])
    rows.element_type = none.element_type = KV[int, Element]
    whole = (rows, none) | f"{node.name}: all" >> beam.Flatten()
    whole = whole | f"{node.name}: together" >> beam.GroupByKey()
    last = _Write(node.name, step.run_id, node["path"], step.above)
    return {None: apply(node.name, whole, last)}


LOWERING = Lowering(
    transforms=_transforms, entered=lambda node, decision: (_Rows.step, _Write.step)
)
LEAN = replace(LOWERING, transforms=_in_files)
