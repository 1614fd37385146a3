"""The transforms of a keyed node: blocks or Beam's KeyedModelHandler."""

from __future__ import annotations

from typing import Any

from apache_beam.ml.inference.base import RunInference

from mmnotebook.beam.dofns.node_fn import NodeFn, apply
from mmnotebook.beam.inference import handlers
from mmnotebook.beam.inference.inference import BlockHandler
from mmnotebook.beam.keyed import beam_lowering, lowering_choice, pairs
from mmnotebook.beam.keyed.handler import KeyedBlockHandler
from mmnotebook.beam.keyed.keys import ElementKeys, KeyFn, Routes, Together, grouped
from mmnotebook.beam.keyed.lowering_choice import Decision
from mmnotebook.beam.lowering.step import Arms, BoundStep, Lowering
from mmnotebook.elements.block import Block
from mmnotebook.graph.graph import Node
from mmnotebook.graph.models import ModelSpec


def _transforms(step: BoundStep, pcoll: Any) -> Arms:
    """Run the model of each element's key."""
    node, decision, run_id = step.node, step.decision, step.run_id
    count, most = len(node.models), node["max_models"]
    limit = most if most is not None and most < count else None
    in_beam, rows = decision.lowering == "beam", decision.rows
    apart = decision.grouped and not in_beam
    keys = ElementKeys(node, step.function_or_none("by_function"))
    key_fn = KeyFn(node, run_id, step.select, keys, rows, decision.grouped, apart)
    members = {
        name: _member(node, step.models[name], run_id, step.keys.get(name), in_beam)
        for name in node.models
    }
    blocks = grouped(node, pcoll, key_fn) if apart else apply(f"{node.name}: key", pcoll, key_fn)
    if in_beam:
        return {None: beam_lowering.infer(node, blocks, members, limit, run_id, decision)}
    handler = KeyedBlockHandler(node.name, members, Routes.of(node), rows, limit, run_id)
    return {None: blocks | node.name >> RunInference(handler).with_output_types(Block)}


def _member(
    node: Node, spec: ModelSpec, run_id: str, key: str | None, served: bool
) -> BlockHandler:
    base = handlers.base_handler(spec)
    given = beam_lowering.Serving(base) if served else base
    return BlockHandler(node.name, spec, given, None, run_id, key, keeps_keys=True)


def _entered(node: Node, decision: Decision) -> tuple[str, ...]:
    if decision.lowering == "beam":
        return beam_lowering.STEPS
    between = (Together.step,) if decision.grouped else ()
    return KeyFn.step, *between, NodeFn.step


LOWERING = Lowering(
    transforms=_transforms,
    entered=_entered,
    decide=lowering_choice.decision,
    problems=pairs.problems,
    explain=lambda step: "; ".join(step.decision.why),
)
