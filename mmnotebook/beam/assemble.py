"""Assembly of a prepared graph, or a part of it, into the transforms of a pipeline."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import apache_beam as beam

from mmnotebook.beam.dofns import windows
from mmnotebook.beam.dofns.reuse import Reuse
from mmnotebook.beam.lowering import gather, sources, step
from mmnotebook.beam.lowering.sources import Stored
from mmnotebook.beam.lowering.step import Arms
from mmnotebook.beam.prepare import Prepared
from mmnotebook.beam.streaming import windowed_blocks
from mmnotebook.beam.transforms import ids
from mmnotebook.beam.transforms.expansion import Expansion
from mmnotebook.elements import pickling
from mmnotebook.fingerprint.identity import scan_modules_once
from mmnotebook.graph.graph import Node


@scan_modules_once()
def assemble(
    prepared: Prepared,
    pipeline: beam.Pipeline,
    run_id: str,
    stored: Mapping[str, Stored],
    wanted: Collection[str],
    keys: Mapping[str, str | None] | None = None,
    reuses: Mapping[str, Reuse] | None = None,
    lean: bool = False,
) -> dict[str, beam.PCollection[Any]]:
    """Build the transforms of a prepared graph, or of a part of it.

    Parameters
    ----------
    stored
        The nodes whose blocks are read instead of computed.
    wanted
        The nodes whose blocks are returned; blocks of other nodes are read where needed.
    keys
        The key under which a loaded model is kept, by model name.
    reuses
        The stored outputs of single elements of nodes that are computed, by node name.
    lean
        True for a run in this process, which uses the second lowering of each step kind that has
        two.

    Returns
    -------
    dict
        The PCollection of blocks of each wanted node, by node name.
    """
    made = [node for node in prepared.graph.order() if node.name in wanted]
    for one in (*prepared.functions.values(), *prepared.models.values()):
        pickling.keep_classes(one)
    whole = _Assembly(prepared, pipeline, run_id, stored, made, keys or {}, reuses or {}, lean)
    return {node.name: whole.arms(node)[None] for node in made}


class _Assembly:
    """Builds the transforms of nodes on request, each after the transforms of its inputs."""

    def __init__(
        self,
        prepared: Prepared,
        pipeline: beam.Pipeline,
        run_id: str,
        stored: Mapping[str, Stored],
        made: Sequence[Node],
        keys: Mapping[str, str | None],
        reuses: Mapping[str, Reuse],
        lean: bool,
    ) -> None:
        self.prepared, self.pipeline, self.run_id = prepared, pipeline, run_id
        self.stored, self.made, self.keys, self.reuses = stored, made, keys, reuses
        self.lean = lean
        self._names = {node.name for node in made}
        self.most = prepared.most()
        recorded = {node: made.usual() for node, made in prepared.recordings.items()}
        self.windowings = windows.of_nodes(prepared.graph, recorded, _changed(prepared))
        self._arms: dict[str, Arms] = {}

    def arms(self, node: Node) -> Arms:
        """Return a node's outputs: read if they are stored or not wanted, otherwise computed."""
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
        pcoll, select = gather.gather(
            node, inputs, self.run_id, self.most.get(node.name), self.lean
        )
        reuse = self.reuses.get(node.name)
        made = self.prepared.bound(node, select, self.run_id, self.keys, reuse)
        return step.of_kind(node.step, self.lean).apply(made, pcoll)

    def _source(self, node: Node) -> Arms:
        carried = self.prepared.carried
        if node.name in self.prepared.pcollections:
            pcoll = self.prepared.pcollections[node.name]
            prefix = node["data"] if node.data else node.name
            blocks = ids.enter(node.name, pcoll, prefix, "", node["id"], carried, has_pairs=True)
            return {None: blocks}
        if node.name in self.prepared.transforms:
            transform = self.prepared.transforms[node.name]
            return windowed_blocks.read(node.name, self.pipeline, transform, node["id"], carried)
        plan = self.prepared.plans[node.name]
        return sources.read(node.name, self.pipeline, plan, self.run_id, carried)


def _changed(prepared: Prepared) -> dict[str, Any]:
    """Return the windowing of each node whose transform gives its elements other windows."""
    made = {n: one for n, one in prepared.decisions.items() if isinstance(one, Expansion)}
    return {name: windows.kept(one.windowing) for name, one in made.items() if one.windowing}
