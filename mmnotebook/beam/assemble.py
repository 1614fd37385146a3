"""Prepared graph -> the transforms of its nodes, or of a part of them, in a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import apache_beam as beam

from mmnotebook.beam.dofns import windows
from mmnotebook.beam.dofns.reuse import Reuse
from mmnotebook.beam.inference import inference
from mmnotebook.beam.inference.handlers import base_handler
from mmnotebook.beam.keyed.lowering import keyed
from mmnotebook.beam.lowering import branches, cascade, functions, gather, sources
from mmnotebook.beam.lowering.branches import Arms
from mmnotebook.beam.lowering.combine import COMBINE
from mmnotebook.beam.lowering.sources import Stored
from mmnotebook.beam.prepare import Prepared
from mmnotebook.beam.streaming import entering
from mmnotebook.elements import pickling
from mmnotebook.elements.elements import Select
from mmnotebook.fingerprint.identity import one_look
from mmnotebook.graph.graph import Node

Step = Callable[[Node, Any, Select], Arms]


@one_look()
def assemble(
    prepared: Prepared,
    pipeline: beam.Pipeline,
    run_id: str,
    stored: Mapping[str, Stored],
    wanted: Collection[str],
    keys: Mapping[str, str | None] | None = None,
    reuses: Mapping[str, Reuse] | None = None,
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
    reuses
        By node, what of it is known already, though it is made.

    Returns
    -------
    dict
        By wanted node's name, a PCollection of its blocks.
    """
    made = [node for node in prepared.graph.order() if node.name in wanted]
    for one in (*prepared.functions.values(), *prepared.models.values()):
        pickling.keep_classes(one)
    whole = _Assembly(prepared, pipeline, run_id, stored, made, keys or {}, reuses or {})
    return {node.name: whole.arms(node)[None] for node in made}


class _Assembly:
    """The transforms that have been made so far, by node; each asks for those above it."""

    def __init__(
        self,
        prepared: Prepared,
        pipeline: beam.Pipeline,
        run_id: str,
        stored: Mapping[str, Stored],
        made: Sequence[Node],
        keys: Mapping[str, str | None],
        reuses: Mapping[str, Reuse],
    ) -> None:
        self.prepared, self.pipeline, self.run_id = prepared, pipeline, run_id
        self.stored, self.made, self.keys, self.reuses = stored, made, keys, reuses
        self._names = {node.name for node in made}
        self.most = prepared.most()
        recorded = {node: made.usual() for node, made in prepared.recordings.items()}
        self.windowings = windows.of_nodes(prepared.graph, recorded)
        self._arms: dict[str, Arms] = {}
        combine: dict[str, Step] = dict.fromkeys(COMBINE, self._combine)
        self._steps: dict[str, Step] = {
            "model": self._model,
            "keyed": self._keyed,
            "cascade": self._cascade,
            "split": self._split,
            "switch": self._switch,
            "write": self._write,
            **combine,
        }

    def arms(self, node: Node) -> Arms:
        """A node's outputs: read where they are stored or not wanted, otherwise made."""
        if node.name not in self._arms:
            read = node.name in self.stored or node.name not in self._names
            self._arms[node.name] = self._read(node.name) if read else self._made(node)
        return self._arms[node.name]

    def _read(self, name: str) -> Arms:
        wires = (wire for node in self.made for wire in node.inputs if wire.node == name)
        arms = dict.fromkeys(wire.port for wire in wires if wire.port)
        arguments = (self.run_id, list(arms), self.prepared.carried, self.windowings[name])
        return sources.stored(name, self.pipeline, self.stored[name], *arguments)

    def _made(self, node: Node) -> Arms:
        if not node.inputs:
            return self._source(node)
        above = [self.arms(self.prepared.graph[wire.node])[wire.port] for wire in node.inputs]
        inputs = windows.together(node, above)
        pcoll, select = gather.gather(node, inputs, self.run_id, self.most.get(node.name))
        return self._steps.get(node.kind, self._call)(node, pcoll, select)

    def _source(self, node: Node) -> Arms:
        carried = self.prepared.carried
        if node.name in self.prepared.transforms:
            transform = self.prepared.transforms[node.name]
            return entering.read(node.name, self.pipeline, transform, node["id"], carried)
        plan = self.prepared.plans[node.name]
        return sources.read(node.name, self.pipeline, plan, self.run_id, carried)

    def _model(self, node: Node, pcoll: Any, select: Select) -> Arms:
        spec = self.prepared.model(node)
        key = self.keys.get(f"{node.name} refreshed", self.keys.get(spec.name))
        base = base_handler(spec)
        reuse = self.reuses.get(node.name)
        handler = inference.BlockHandler(
            node.name, spec, base, select, self.run_id, key, reuse=reuse
        )
        watches = node["watch"] and not pcoll.is_bounded
        every = self.prepared.watch_every if watches else None
        return {None: inference.infer(node, pcoll, handler, every)}

    def _keyed(self, node: Node, pcoll: Any, select: Select) -> Arms:
        specs = {name: self.prepared.models[name] for name in node.models}
        decision, by = self.prepared.keyed[node.name], self._function(node, "by_function")
        return keyed(node, pcoll, select, decision, specs, by, self.run_id, self.keys)

    def _cascade(self, node: Node, pcoll: Any, select: Select) -> Arms:
        models, score = self.prepared.models, self._function(node, "score")
        arguments = (models, score, self.run_id, self.keys)
        return {None: cascade.cascade(node, pcoll, select, *arguments)}

    def _split(self, node: Node, pcoll: Any, select: Select) -> Arms:
        by = self._function(node, "by_function")
        return branches.split(node, pcoll, select, by, self.run_id)

    def _switch(self, node: Node, pcoll: Any, select: Select) -> Arms:
        function = self.prepared.functions[node["function"]]
        return branches.switch(node, pcoll, select, function, self.run_id)

    def _combine(self, node: Node, pcoll: Any, select: Select) -> Arms:
        return functions.combine(node, pcoll, COMBINE[node.kind], self.run_id)

    def _write(self, node: Node, pcoll: Any, select: Select) -> Arms:
        above = [one.name for one in self.prepared.graph.upto(node.name) if one.name != node.name]
        return functions.write(node, pcoll, select, self.run_id, above)

    def _call(self, node: Node, pcoll: Any, select: Select) -> Arms:
        function = self.prepared.functions[node["function"]]
        reuse = self.reuses.get(node.name)
        return functions.call(node, pcoll, select, function, self.run_id, reuse)

    def _function(self, node: Node, param: str) -> Callable[[Any], Any] | None:
        """The function behind a parameter that may be left out."""
        return None if node[param] is None else self.prepared.functions[node[param]]
