"""Recomputation of a few elements of a node, in this thread, without a pipeline.

The step of the node processes one small block. Nothing is counted, warnings are not shown, and the
function is a copy, as in a run, so its state does not change. Nothing is loaded: only models that
are already loaded are used, and a function that imports a new library ends the recomputation.
"""

from __future__ import annotations

import contextlib
import copy
import io
import pickle
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mmnotebook.beam.dofns.tracking import Tracker
from mmnotebook.beam.inference import inference
from mmnotebook.beam.inference.handlers import SpecHandler, base_handler
from mmnotebook.beam.lowering import step
from mmnotebook.beam.prepare import Prepared
from mmnotebook.elements import coders, pickling
from mmnotebook.elements.block import Block
from mmnotebook.graph.graph import Node
from mmnotebook.model import knowledge
from mmnotebook.model.loaded.models import Lease, loaded_models
from mmnotebook.model.loaded.sockets import Watch
from mmnotebook.running.samples import SampleOutcome, collect
from mmnotebook.state import run_state
from mmnotebook.state.run_state import RunState, Stopped


def can(node: Node) -> bool:
    """Return whether elements of a node can be computed alone, outside of a pipeline."""
    alone = node.step.family in ("function", "combining")
    return node.step.runs_one_model or (alone and step.of_kind(node.step).is_alone)


class Impossible(Exception):
    """The current output of the node cannot be computed here."""


class Remote(Impossible):
    """The node uses the network, so it must not be recomputed outside of a pipeline."""


def computed(
    node: Node, prepared: Prepared, keys: Mapping[str, str | None], block: Block, run: RunState
) -> dict[str, SampleOutcome]:
    """Compute the outputs of a node for some elements; return them by the ids of the elements.

    Parameters
    ----------
    keys
        The key under which each loaded model is kept, by model name.
    run
        The current run; its cancellation also cancels the recomputation.

    Raises
    ------
    Remote
        If the node used the network.
    Impossible
        If a model is not loaded, a library is not imported, or an element had an error that
        another attempt may not have.
    """
    with _beside(run, node.name) as run_id, Watch() as watch:
        if node.step.runs_one_model:
            blocks, passing = _predicted(node, prepared, keys, block, run_id)
        else:
            with _no_new_library():
                blocks, passing = _called(node, prepared, block, run_id)
    if watch.connected:
        raise Remote
    if passing:
        raise Impossible
    found = {one: SampleOutcome() for one in block.ids}
    collect(node, map(_as_stored, blocks), found)
    return found


def loaded(node: Node, prepared: Prepared, keys: Mapping[str, str | None]) -> Lease | None:
    """Return a lease of a node's loaded model if each of its outputs depends on one element alone.

    Return None if the model is not loaded, or if an output may depend on other elements.
    """
    spec = prepared.model(node)
    key = keys.get(spec.name)
    if key is None or spec.reset is not None or node["watch"]:
        return None
    lease = loaded_models.get_loaded(key)
    if lease is None or _is_independent(base_handler(spec)):
        return lease
    lease.release()
    return None


def _is_independent(base: SpecHandler) -> bool:
    """Return whether a model is known to be local, with outputs that depend on one element each."""
    known = knowledge.of(base.identity)
    placed = known.layout is not None or not base.spec.batched
    same = known.invariant and known.repeatable and not known.changes
    return bool(known.started and placed and same and not known.remote and not base.is_remote)


def _called(
    node: Node, prepared: Prepared, block: Block, run_id: str
) -> tuple[list[Block], set[str]]:
    select = node.inputs[0].select
    for name in node.functions:
        pickling.keep_classes(prepared.functions[name])
    made = prepared.bound(node, select, run_id)
    function = copy.copy(step.of_kind(node.step).function(made))
    function.setup()
    return list(function.process(block)), function.track.passing


def _predicted(
    node: Node, prepared: Prepared, keys: Mapping[str, str | None], block: Block, run_id: str
) -> tuple[list[Block], set[str]]:
    lease = loaded(node, prepared, keys)
    if lease is None:
        raise Impossible
    spec = prepared.model(node)
    select = node.inputs[0].select
    handler = inference.BlockHandler(node.name, spec, base_handler(spec), select, run_id, None)
    track = Tracker(node.name, run_id)
    with lease:
        return handler.predictions(track, [block], lease), track.passing


def _as_stored(block: Block) -> Block:
    """Return a block in the form in which the cache returns it."""
    buffer = io.BytesIO()
    coders.dump(block, buffer)
    made: Block = pickle.loads(buffer.getbuffer())
    return made


@dataclass
class _Beside(RunState):
    """The state of a run whose counts and warnings are not shown; it stops when `other` stops."""

    other: RunState | None = None

    def check(self) -> None:
        super().check()
        if self.other is not None:
            self.other.check()

    def check_interrupt(self) -> None:
        super().check_interrupt()
        if self.other is not None:
            self.other.check_interrupt()


@contextlib.contextmanager
def _beside(run: RunState, node: str) -> Iterator[str]:
    """Start a separate run for one node and yield its id; the new run stops when `run` stops."""
    beside = _Beside(uuid.uuid4().hex, {node: run_state.Tally()}, other=run)
    run_state.start(beside)
    try:
        yield beside.run_id
    finally:
        run_state.end(beside.run_id)


class _Import(Stopped):
    """Raised when a function imports a library that is not yet imported."""


class _Refusing:
    """A module finder that raises an error if the thread that created it imports a new library."""

    def __init__(self) -> None:
        self.thread, self.refused = threading.get_ident(), False

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        library = name.partition(".")[0]
        if threading.get_ident() != self.thread or library in sys.modules:
            return
        if library not in sys.stdlib_module_names:
            self.refused = True
            raise _Import(name)


@contextlib.contextmanager
def _no_new_library() -> Iterator[None]:
    """Raise `Impossible` if the code in this block needs to import a new library."""
    refusing = _Refusing()
    sys.meta_path.insert(0, refusing)
    try:
        yield
    except _Import:
        pass
    finally:
        sys.meta_path.remove(refusing)
    if refusing.refused:  # also if the function caught the error
        raise Impossible
