"""The lowering of a model per key to Beam's KeyedModelHandler.

Beam's handler serves every model from a TCP server in this process, on the local interface, and
writes the server's address to the folder for temporary files. This cannot be turned off; the
lowering "blocks" has no server. Beam's default password of the server is public, and everyone who
knows it can run code in this process, so it is replaced by a secret in a notebook. The models are
released when the run ends.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import (
    KeyedModelHandler,
    KeyModelMapping,
    ModelHandler,
    PredictionResult,
    RunInference,
)
from apache_beam.typehints import KV

from mmnotebook.beam.dofns.node_fn import NodeFn, apply
from mmnotebook.beam.dofns.tracking import Tracker
from mmnotebook.beam.inference.inference import BlockHandler
from mmnotebook.beam.keyed.handler import together
from mmnotebook.beam.keyed.keys import Routes
from mmnotebook.beam.keyed.lowering_choice import Decision
from mmnotebook.compat.beam import keep_password_secret, release_models
from mmnotebook.elements.block import ROWS, Block
from mmnotebook.elements.coders import Element
from mmnotebook.elements.columns import Cells, Column, Records, Selected
from mmnotebook.elements.elements import Key
from mmnotebook.elements.packing import concat, pack
from mmnotebook.graph.graph import Node
from mmnotebook.model.loaded.parameter_bytes import Weight, weigh
from mmnotebook.results.records import Failure
from mmnotebook.state import run_state

STEPS = ("beam",)
"""Steps inside Beam's handler are not counted, so such a node finishes when the run ends."""


class _Served:
    """A loaded model and its handler; other processes use only the methods of this class."""

    def __init__(self, base: Any) -> None:
        started = time.perf_counter()
        self._base, self._model = base, base.load_model()
        self._loaded = (uuid.uuid4().hex, time.perf_counter() - started, weigh(self._model))

    def loaded(self) -> tuple[str, float, Weight]:
        """Return an id of this load, its duration in seconds, and the model's size."""
        return self._loaded

    def outputs(self, given: Any, args: Any) -> Any:
        """Return the model's output for a batch."""
        return self._base.caller(self._model, args)(given)


class Serving:
    """Wraps a model's handler, so that Beam's server loads and calls the model."""

    def __init__(self, base: Any) -> None:
        self.base = base
        self.takes_columns = getattr(base, "takes_columns", False)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "base":
            raise AttributeError(name)
        return getattr(self.base, name)

    def load_model(self) -> _Served:
        return _Served(self.base)

    def caller(self, model: Any, inference_args: Any = None) -> Callable[[Any], Any]:
        """Return a function that returns the model's output for a batch."""
        return lambda batch: model.outputs(batch, inference_args)


class _Mapped(ModelHandler[Any, Any, Any]):
    """One model of the mapping; returns a prediction or a `Failure` for each (key, example)."""

    def __init__(self, member: BlockHandler) -> None:
        super().__init__()
        self.member = member
        member.meter.standard = None  # Beam's keyed handler counts
        self._seen: set[str] = set()

    def load_model(self) -> Any:
        with self.member.loading():
            return self.member.base.load_model()

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Iterable[tuple[Key, Any]]:
        track = Tracker(self.member.node, self.member.run_id)
        meter = self.member.meter
        name, seconds, weight = model.loaded()
        if name not in self._seen:
            self._seen.add(name)
            meter.loaded(seconds, weight)
        made = self.member.predictions(track, [_together(batch)], model, inference_args)
        track.publish()
        failed = [failure for part in made for failure in part.failed]
        good = [element for part in made for element in part.elements()]
        return [*good, *((Key(failure.id, failure.id), failure) for failure in failed)]

    def get_num_bytes(self, batch: Sequence[Any]) -> int:
        return 1  # Beam's metric is not used, and the default pickles every example

    def share_model_across_processes(self) -> bool:
        return True


def _apart(values: Column) -> Sequence[Any]:
    """Return the values; a record with dtypes, and selected fields, as a column with one row."""
    if isinstance(values, (Cells, Selected)) or (isinstance(values, Records) and values.dtypes):
        return [values.part(place, place + 1) for place in range(len(values))]
    return values.rows()


def _together(batch: Sequence[tuple[Key, Any]]) -> Block:
    """Merge pairs of a key and a value from `_apart` into a block."""
    if not all(isinstance(value, (Cells, Records, Selected)) for _, value in batch):
        return Block.of(batch)
    block = Block.of([(key, None) for key, _ in batch])
    return replace(block, values=concat([value for _, value in batch]))


class _Keyed(KeyedModelHandler[Any, Any, Any, Any]):
    """Beam's keyed handler; it also applies settings of its models that Beam's class ignores."""

    def __init__(
        self,
        mappings: list[KeyModelMapping[Any, Any, Any, Any]],
        limit: int | None,
        members: Mapping[str, BlockHandler],
        rows: int,
        run_id: str,
    ) -> None:
        super().__init__(mappings, max_models_per_worker_hint=limit)
        self.members, self.rows, self.run_id = members, rows, run_id

    def load_model(self) -> Any:
        manager = super().load_model()
        if (run := run_state.find(self.run_id)) is not None:
            run.leases.append(_Models(manager))
        return manager

    def get_num_bytes(self, batch: Sequence[Any]) -> int:
        return 1

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        return {"min_batch_size": self.rows, "max_batch_size": self.rows}

    def get_resource_hints(self) -> dict[str, Any]:
        return together(self.members)

    def set_environment_vars(self) -> None:
        for member in self.members.values():
            member.set_environment_vars()


class _Models:
    """Releases the models that Beam would otherwise keep until the process ends."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager

    def release(self) -> None:
        """Release the models."""
        release_models(self._manager)


class _Elements(NodeFn):
    """Yields each element of a block as (Beam's key of its model, (key, value))."""

    enters = leaves = False
    step = "elements"

    def __init__(self, node: str, run_id: str, names: Mapping[str, str], other: str) -> None:
        super().__init__(node, run_id)
        self.names, self.other = names, other

    def blocks(self, block: Block) -> Iterator[Any]:
        if block.failed:
            yield beam.pvalue.TaggedOutput("failed", Block([], pack([]), failed=block.failed))
        for key, value in zip(block.keys(), _apart(block.values), strict=True):
            chosen = str(key.key)
            yield (chosen if chosen in self.names else self.other), (key, value)


class _Blocks(NodeFn):
    """Merges outputs and failures of single elements into blocks."""

    enters = leaves = False
    step = "beam"

    def blocks(self, batch: Sequence[tuple[str, tuple[Key, Any]]]) -> Iterable[Block]:
        outcomes = [outcome for _, outcome in batch]
        failed = [made for _, made in outcomes if isinstance(made, Failure)]
        return [Block.of([o for o in outcomes if isinstance(o[1], PredictionResult)], failed)]


def infer(
    node: Node,
    blocks: Any,
    members: Mapping[str, BlockHandler],
    limit: int | None,
    run_id: str,
    decision: Decision,
) -> Any:
    """Apply the models to blocks in which each element has a key."""
    if run_id:
        keep_password_secret()
    routes = Routes.of(node)
    other = "any other key"
    while other in routes.models:
        other += "…"
    step = _Elements(node.name, run_id, routes.models, other)
    outputs = blocks | f"{node.name}: single elements" >> beam.ParDo(step).with_outputs(
        "failed", main="main"
    )
    elements, failed = outputs["main"], outputs["failed"]
    elements.element_type, failed.element_type = KV[str, Element], Block
    if decision.grouped:
        elements = _grouped(node, elements, {**routes.models, other: node["default"]})
    handler = _Keyed(_mappings(routes, other, members), limit, members, decision.rows, run_id)
    made = elements | node.name >> RunInference(handler).with_output_types(KV[str, Element])
    packed = made | f"{node.name}: rows" >> beam.BatchElements(ROWS, ROWS)
    whole = apply(f"{node.name}: blocks", packed, _Blocks(node.name, run_id))
    both = (whole, failed) | f"{node.name}: all" >> beam.Flatten()
    both.element_type = Block
    return both


def _mappings(
    routes: Routes, other: str, members: Mapping[str, BlockHandler]
) -> list[KeyModelMapping[Any, Any, Any, Any]]:
    """Return the keys of each model; the default model has one key for all unmapped keys."""
    keys: dict[str, list[str]] = {name: [] for name in members}
    for key, name in routes.models.items():
        keys[name].append(key)
    if routes.default is not None:
        keys[routes.default].append(other)
    # An outer keyed handler keeps each element's own key and id, which the model does not see.
    return [KeyModelMapping(keys[name], _Mapped(member)) for name, member in members.items()]


def _grouped(node: Node, elements: Any, names: Mapping[str, str | None]) -> Any:
    """Group the elements by their model."""
    named = elements | f"{node.name}: model" >> beam.Map(lambda pair: (names[pair[0]], pair))
    named.element_type = KV[str, Element]
    groups = named | f"{node.name}: by model" >> beam.GroupByKey()
    each = groups | f"{node.name}: apart" >> beam.FlatMap(lambda group: group[1])
    each.element_type = KV[str, Element]
    return each
