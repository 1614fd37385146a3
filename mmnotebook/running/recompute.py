"""Recomputation of a few elements of a node, in this thread, without a pipeline.

The node's own step is given one small block. Nothing is counted, warnings are not shown, and the
state of a function changes in a copy, as in a run. No model is loaded for it: a model takes part
only while it is loaded. Nor is a library imported: a function that is about to import one ends it.
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
from mmnotebook.beam.lowering import functions
from mmnotebook.beam.lowering.combine import COMBINE
from mmnotebook.beam.prepare import Prepared
from mmnotebook.elements import coders, pickling
from mmnotebook.elements.block import Block
from mmnotebook.graph.graph import Node
from mmnotebook.model import knowledge
from mmnotebook.model.loaded.models import Lease, loaded_models
from mmnotebook.model.loaded.watching import watching
from mmnotebook.running.samples import SampleOutcome, collect
from mmnotebook.state import live
from mmnotebook.state.live import Live, Stopped


def can(node: Node) -> bool:
    """Can elements of a node be computed alone, outside of a pipeline?"""
    return node.kind == "model" or node.step.family in ("function", "combining")


class Impossible(Exception):
    """Nothing is known of what the node gives now."""


class Remote(Impossible):
    """The node was seen to use the network: it is not to be computed again beside a run."""


def computed(
    node: Node, prepared: Prepared, keys: Mapping[str, str | None], block: Block, run: Live
) -> dict[str, SampleOutcome]:
    """What a node makes of some elements now, by their ids.

    Parameters
    ----------
    keys
        By model name, the identity under which a loaded model stays loaded.
    run
        The run that this is a part of; when it is stopped, this is.

    Raises
    ------
    Remote
        When it used the network.
    Impossible
        When a model is not loaded, a library is not imported, or an element met what another try
        may not meet.
    """
    with _beside(run, node.name) as run_id, watching() as watch:
        if node.kind == "model":
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
    """The model of a node, where it is loaded and an element's output depends on that alone."""
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
    """Is a model known to answer here, and the same whatever else it is asked?"""
    known = knowledge.of(base.identity)
    placed = known.layout is not None or not base.spec.batched
    same = known.invariant and known.repeatable and not known.changes
    return bool(known.started and placed and same and not known.remote and not base.is_remote)


def _called(
    node: Node, prepared: Prepared, block: Block, run_id: str
) -> tuple[list[Block], set[str]]:
    select = node.inputs[0].select
    if node.kind in COMBINE:
        step = functions.combiner(node, COMBINE[node.kind], run_id)
    else:
        function = prepared.functions[node["function"]]
        pickling.keep_classes(function)
        step = copy.copy(functions.caller(node, select, function, run_id))
    step.setup()
    return list(step.process(block)), step.track.passing


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
    """A block as it would be read from the cache."""
    buffer = io.BytesIO()
    coders.dump(block, buffer)
    made: Block = pickle.loads(buffer.getbuffer())
    return made


@dataclass
class _Beside(Live):
    """A run whose counts and warnings nobody sees; it ends with another."""

    other: Live | None = None

    def check(self) -> None:
        super().check()
        if self.other is not None:
            self.other.check()


@contextlib.contextmanager
def _beside(run: Live, node: str) -> Iterator[str]:
    """The id of a run for one node, which ends with another run and is not counted in it."""
    beside = _Beside(uuid.uuid4().hex, {node: live.Tally()}, other=run)
    live.start(beside)
    try:
        yield beside.run_id
    finally:
        live.end(beside.run_id)


class _Import(Stopped):
    """A library would have been imported."""


class _Refusing:
    """Among the finders of modules: in one thread none is found of a library that is not there."""

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
    """Raise `Impossible` when a library would be imported in this thread."""
    refusing = _Refusing()
    sys.meta_path.insert(0, refusing)
    try:
        yield
    except _Import:
        pass
    finally:
        sys.meta_path.remove(refusing)
    if refusing.refused:  # also where the function made do without it
        raise Impossible
