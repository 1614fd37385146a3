"""Inference with models that wait for another process: they are called at the same time.

A model that is registered with `remote=True` spends its time waiting, so a mirror of two of them
need not take twice as long as one. Their steps hold their inputs until the bundle ends, or until
one holds many elements. Then the models are called, each in a thread of its own, while the thread
of the run waits: no other code of the user runs at the same time. One model is never called by two
threads.
"""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.shared import Shared

from mmnotebook.beam.dofns.node_fn import PlainFn
from mmnotebook.beam.dofns.tracking import Tracker, weight
from mmnotebook.beam.inference.inference import BlockHandler
from mmnotebook.elements import pickling
from mmnotebook.elements.block import ROWS, Block
from mmnotebook.graph.graph import Node
from mmnotebook.state import caller, run_state

THREADS = 8
"""The maximum number of models that are called at the same time."""
_TICK = 0.1
"""Seconds between the moments at which a waiting run can be interrupted."""


@dataclass(eq=False)
class Held:
    """The inputs that a step holds, and the predictions that it has not passed on yet.

    Attributes
    ----------
    rows
        The number of elements in `batches`, including failed elements.
    batches
        Blocks that are predicted together, as from `beam.BatchElements`.
    made
        The predictions of each batch that was computed.
    """

    handler: BlockHandler
    box: Any
    rows: int = 0
    batches: list[list[Block]] = field(default_factory=list)
    made: list[tuple[Tracker, list[Block]]] = field(default_factory=list)

    def predict(self) -> None:
        """Call the model for all held batches, without publishing the counts of its meter."""
        self.handler.meter.is_elsewhere = True
        while self.batches:
            track = Tracker(self.handler.node, self.handler.run_id)
            made = self.handler.predictions(track, self.batches.pop(0), self.box)
            self.made.append((track, made))
        self.rows = 0


class _Here(threading.local):
    """What the steps of the bundle hold that this thread processes, or whose error ended a run."""

    def __init__(self) -> None:
        self.held: weakref.WeakSet[Held] = weakref.WeakSet()

    def of_run(self, run_id: str) -> list[Held]:
        """List what the steps of a run hold, by node."""
        found = [one for one in self.held if one.batches and one.handler.run_id == run_id]
        return sorted(found, key=lambda one: one.handler.node)


_HERE = _Here()


class WaitingFn(pickling.Sent, PlainFn):
    """Calls a model that waits, together with the other such models of the bundle."""

    def __init__(self, handler: BlockHandler) -> None:
        self.handler = handler
        self._shared = Shared()
        sizes = handler.batch_elements_kwargs()
        self._rows, self._size_of = sizes["max_batch_size"], sizes["element_size_fn"]

    def setup(self) -> None:
        self.handler.set_environment_vars()
        self._box = self._shared.acquire(self.handler.load_model)

    def start_bundle(self) -> None:
        self._held = Held(self.handler, self._box)
        self._size = self._rows
        _HERE.held.add(self._held)

    def process(self, block: Block) -> Iterator[Any]:
        # Checked first: the other steps have received the earlier blocks, but not yet this one.
        if self._held.rows >= ROWS:
            yield from self._predictions()
        self._held.rows += weight(block)
        size = self._size_of(block)
        if not self._held.batches or self._size + size > self._rows:
            self._held.batches.append([])
            self._size = 0
        self._held.batches[-1].append(block)
        self._size += size

    def finish_bundle(self) -> Iterator[Any]:
        yield from self._predictions()
        _HERE.held.discard(self._held)

    def _predictions(self) -> Iterator[Any]:
        """Yield the predictions for all held blocks, in their order."""
        if self._held.batches:
            together(_HERE.of_run(self.handler.run_id))
        made, self._held.made = self._held.made, []
        if not made:
            return
        self.handler.meter.is_elsewhere = False
        self.handler.meter.publish(run_state.find(self.handler.run_id))
        for track, blocks in made:
            track.publish()
            for block in blocks:
                track.flow.given += weight(block)
                yield GlobalWindows.windowed_value_at_end_of_window(block)
                track.flow.taken += weight(block)


def together(held: list[Held]) -> None:
    """Compute the predictions of several steps at the same time; raise the first error of a step.

    Steps that use one model are computed one after the other.
    """
    lines = _lines(held)
    if len(lines) == 1:
        _predict(lines[0])
        return
    work: queue.SimpleQueue[list[Held]] = queue.SimpleQueue()
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    for line in lines:
        work.put(line)
    for _ in range(min(THREADS, len(lines))):
        # The settings of this thread apply in the others. A thread does not keep Python from
        # exiting: after an interrupt, a call may last.
        run = caller.here().run
        threading.Thread(target=run, args=(_work, work, ended), daemon=True).start()
    errors = [error for _ in lines if (error := _next(ended)) is not None]
    # A step that was stopped was stopped by the error of another one.
    errors.sort(key=lambda error: isinstance(error, run_state.Stopped))
    if errors:
        raise errors[0]


def _lines(held: Iterable[Held]) -> list[list[Held]]:
    """Group the steps that use one model."""
    lines: list[list[Held]] = []
    for one in held:
        for line in lines:
            if any(_is_one_model(one, other) for other in line):
                line.append(one)
                break
        else:
            lines.append([one])
    return lines


def _is_one_model(one: Held, other: Held) -> bool:
    same = one.handler.base.identity == other.handler.base.identity
    return same or one.box.model is other.box.model


def _predict(line: Iterable[Held]) -> None:
    for held in line:
        held.predict()


def _work(
    work: queue.SimpleQueue[list[Held]], ended: queue.SimpleQueue[BaseException | None]
) -> None:
    """Compute the steps of a queue until it is empty."""
    while True:
        try:
            line = work.get_nowait()
        except queue.Empty:
            return
        try:
            _predict(line)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread of the run
            ended.put(error)
        else:
            ended.put(None)


def _next(ended: queue.SimpleQueue[BaseException | None]) -> BaseException | None:
    """Wait for the next step that ends."""
    while True:
        try:
            return ended.get(timeout=_TICK)  # an interrupt is raised between two waits
        except queue.Empty:
            continue


def infer(node: Node, pcoll: Any, handler: BlockHandler) -> Any:
    """Apply a model that waits to the blocks of a node, all of which are in the global window."""
    return pcoll | node.name >> beam.ParDo(WaitingFn(handler)).with_output_types(Block)
