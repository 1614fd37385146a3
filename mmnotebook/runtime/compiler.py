"""Graph -> {node name: PCollection}."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import apache_beam as beam

from mmnotebook.analysis.records import Failure
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.runtime import (
    branching,
    cascading,
    gathering,
    handlers,
    inference,
    reading,
    transforms,
)
from mmnotebook.runtime.blocks.block import Block
from mmnotebook.runtime.branching import Arms
from mmnotebook.runtime.coders import Element
from mmnotebook.runtime.combining import COMBINE
from mmnotebook.runtime.data import objects, storage
from mmnotebook.runtime.data.elements import Key
from mmnotebook.runtime.keyed.lowering import keyed
from mmnotebook.runtime.preparing import Prepared, prepare
from mmnotebook.runtime.reading import Stored
from mmnotebook.runtime.store import shards
from mmnotebook.runtime.streaming import entering, refreshing, windows


class Compiled(Mapping[str, "beam.PCollection[Any]"]):
    """The PCollection of every node by its name; `failed` holds all failures of the graph.

    A node's elements are (key, value) pairs: the key holds the element's id, the value is what the
    next step's function is given; for a model, Beam's `PredictionResult`.
    """

    def __init__(self, blocks: Mapping[str, beam.PCollection[Any]]) -> None:
        self._blocks = dict(blocks)
        self._elements: dict[str, beam.PCollection[Any]] = {}

    def __getitem__(self, name: str) -> beam.PCollection[Any]:
        # Nodes work on blocks; a node's single elements are made when they are asked for.
        if name not in self._elements:
            step = beam.FlatMap(_elements).with_output_types(Element)
            self._elements[name] = self._blocks[name] | f"{name}: elements" >> step
        return self._elements[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)

    @cached_property
    def failed(self) -> beam.PCollection[Any]:
        """A `Failure` for each element that failed in any node."""
        step = beam.FlatMap(_failures).with_output_types(Element)
        parts = [pcoll | f"{name}: failures" >> step for name, pcoll in self._blocks.items()]
        whole: beam.PCollection[Any] = parts | "failures: all" >> beam.Flatten()
        return whole


def _elements(block: Block) -> Iterator[tuple[Key, Any]]:
    return block.elements()


def _failures(block: Block) -> list[Failure]:
    return block.failed


def compile_graph(
    graph: Graph,
    pipeline: beam.Pipeline,
    *,
    limit: int | None = None,
    watch_every: float = refreshing.INTERVAL,
) -> Compiled:
    """Put a graph into a Beam pipeline, for any runner, batch or streaming.

    A source may be a Beam transform that reads, with or without an end. Every element keeps its
    window; its timestamp too, but for what RunInference batches and what is joined: these come
    out at the end of their window.

    Parameters
    ----------
    graph
        Names that are not bound in it are looked up in the notebook, models in the registry.
    pipeline
        Transforms are added to it, labelled by node name.
    limit
        The number of elements that are taken of each source; None takes all. Not for Beam
        transforms.
    watch_every
        Seconds from one look for newer files to the next, of a `model(m, watch=...)` in a stream.
        Where the source has an end, the newest file is taken once, here.

    Returns
    -------
    Compiled
        A mapping by node name of PCollections of (key, value).

    Raises
    ------
    GraphError, ModelError, RunError
        When the graph is not valid, a name stands for nothing, or a source cannot be read.
    """
    prepared = replace(prepare(graph, limit), watch_every=watch_every)
    stored = {name: _written(blocks) for name, blocks in prepared.objects.items()}
    return Compiled(assemble(prepared, pipeline, "", stored, prepared.graph.names))


def assemble(
    prepared: Prepared,
    pipeline: beam.Pipeline,
    run_id: str,
    stored: Mapping[str, Stored],
    wanted: Collection[str],
    keys: Mapping[str, str | None] | None = None,
) -> dict[str, beam.PCollection[Any]]:
    """The transforms of a prepared graph, or of a part of it.

    Parameters
    ----------
    stored
        The nodes whose blocks are read in place of being made.
    wanted
        The nodes whose blocks are wanted; those of other nodes are read where these need them.
    keys
        By model name, the identity under which a loaded model stays warm.

    Returns
    -------
    dict
        By wanted node's name, a PCollection of its blocks.
    """
    most = prepared.most()
    outputs: dict[str, Arms] = {}
    made = [node for node in prepared.graph.order() if node.name in wanted]
    for node in made:
        for wire in node.inputs:
            if wire.node not in outputs:
                outputs[wire.node] = _read(wire.node, made, prepared, pipeline, run_id, stored)
        outputs[node.name] = (
            _read(node.name, made, prepared, pipeline, run_id, stored)
            if node.name in stored
            else _made(node, outputs, prepared, pipeline, run_id, most, keys or {})
        )
    return {node.name: outputs[node.name][None] for node in made}


def _read(
    name: str,
    made: Sequence[Node],
    prepared: Prepared,
    pipeline: beam.Pipeline,
    run_id: str,
    stored: Mapping[str, Stored],
) -> Arms:
    wires = (wire for node in made for wire in node.inputs if wire.node == name)
    arms = dict.fromkeys(wire.port for wire in wires if wire.port)
    recorded = {node: made.usual() for node, made in prepared.recordings.items()}
    windowing = windows.of_nodes(prepared.graph, recorded)[name]
    arguments = (run_id, list(arms), prepared.carried, windowing)
    return reading.stored(name, pipeline, stored[name], *arguments)


def _made(
    node: Node,
    outputs: Mapping[str, Arms],
    prepared: Prepared,
    pipeline: beam.Pipeline,
    run_id: str,
    most: Mapping[str, int],
    keys: Mapping[str, str | None],
) -> Arms:
    if not node.inputs:
        if node.name in prepared.transforms:
            transform = prepared.transforms[node.name]
            return entering.read(node.name, pipeline, transform, node["id"], prepared.carried)
        plan = prepared.plans[node.name]
        return reading.read(node.name, pipeline, plan, run_id, prepared.carried)
    inputs = [outputs[wire.node][wire.port] for wire in node.inputs]
    inputs = windows.together(node, inputs)
    pcoll, select = gathering.gather(node, inputs, run_id, most.get(node.name))
    if node.kind == "model":
        spec = prepared.model(node)
        base = handlers.base_handler(spec)
        key = keys.get(f"{node.name} refreshed", keys.get(spec.name))
        handler = inference.BlockHandler(node.name, spec, base, select, run_id, key)
        every = prepared.watch_every if node["watch"] and not pcoll.is_bounded else None
        return {None: inference.infer(node, pcoll, handler, every)}
    if node.kind == "keyed":
        by = prepared.functions[node["by_function"]] if node["by_function"] else None
        specs = {name: prepared.models[name] for name in node.models}
        decision = prepared.keyed[node.name]
        return keyed(node, pcoll, select, decision, specs, by, run_id, keys)
    if node.kind == "cascade":
        score = prepared.functions[node["score"]] if node["score"] else None
        models = prepared.models
        return {None: cascading.cascade(node, pcoll, select, models, score, run_id, keys)}
    if node.kind == "split":
        by = prepared.functions[node["by_function"]] if node["by_function"] else None
        return branching.split(node, pcoll, select, by, run_id)
    if node.kind == "switch":
        return branching.switch(node, pcoll, select, _function(node, prepared), run_id)
    if node.kind in COMBINE:
        return transforms.combine(node, pcoll, COMBINE[node.kind], run_id)
    if node.kind == "write":
        return transforms.write(node, pcoll, select, run_id)
    return transforms.call(node, pcoll, select, _function(node, prepared), run_id)


def _function(node: Node, prepared: Prepared) -> Callable[[Any], Any]:
    return prepared.functions[node["function"]]


def _written(blocks: Sequence[Block]) -> Stored:
    """The elements of an object in private files of this process."""
    folder = storage.new_folder("source")
    try:
        infos = [
            shards.write(folder / f"{place:06d}.shard", [block], len(block))
            for place, block in enumerate(blocks)
        ]
    except Exception as error:
        raise objects.unstorable_element(error) from error
    return Stored(tuple((str(folder), info) for info in infos))
