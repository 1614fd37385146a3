"""The transforms of a keyed node: blocks or Beam's KeyedModelHandler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from apache_beam.ml.inference.base import RunInference

from mmnotebook.beam.dofns.node_fn import NodeFn, apply
from mmnotebook.beam.inference import handlers
from mmnotebook.beam.inference.inference import BlockHandler
from mmnotebook.beam.keyed import beam_lowering
from mmnotebook.beam.keyed.deciding import Decision
from mmnotebook.beam.keyed.handler import KeyedBlockHandler
from mmnotebook.beam.keyed.keys import ElementKeys, KeyFn, Routes, Together, grouped
from mmnotebook.beam.lowering.branches import Arms
from mmnotebook.elements.block import Block
from mmnotebook.elements.elements import Select
from mmnotebook.graph.graph import Node
from mmnotebook.graph.models import ModelSpec


def keyed(
    node: Node,
    pcoll: Any,
    select: Select,
    decision: Decision,
    specs: Mapping[str, ModelSpec],
    function: Callable[[Any], Any] | None,
    run_id: str,
    keys: Mapping[str, str | None],
) -> Arms:
    """The model per key.

    Parameters
    ----------
    decision
        How it is run.
    specs, keys
        By model name, what is registered, and under which identity it stays loaded.
    function
        What gives an element's key, None where a field does, or the elements are pairs.
    """
    count, most = len(node.models), node["max_models"]
    limit = most if most is not None and most < count else None
    in_beam, rows = decision.lowering == "beam", decision.rows
    apart = decision.grouped and not in_beam
    step = KeyFn(node, run_id, select, ElementKeys(node, function), rows, decision.grouped, apart)
    members = {
        name: _member(node, spec, run_id, keys.get(name), in_beam) for name, spec in specs.items()
    }
    blocks = grouped(node, pcoll, step) if apart else apply(f"{node.name}: key", pcoll, step)
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


def steps(decision: Decision) -> tuple[str, ...]:
    """The names of the steps through which elements come in a node, once they are gathered."""
    if decision.lowering == "beam":
        return beam_lowering.STEPS
    between = (Together.step,) if decision.grouped else ()
    return KeyFn.step, *between, NodeFn.step
