"""The lowering of a step that runs one model."""

from __future__ import annotations

from typing import Any

from mmnotebook.beam.inference import inference
from mmnotebook.beam.inference.handlers import base_handler
from mmnotebook.beam.lowering.step import Arms, BoundStep, Lowering
from mmnotebook.graph.models import ModelSpec


def _transforms(step: BoundStep, pcoll: Any) -> Arms:
    node, spec = step.node, step.model()
    key = step.keys.get(spec.name)
    base = base_handler(spec)
    handler = inference.BlockHandler(
        node.name, spec, base, step.select, step.run_id, key, reuse=step.reuse
    )
    watches = node["watch"] and not pcoll.is_bounded
    every = step.watch_every if watches else None
    return {None: inference.infer(node, pcoll, handler, every)}


def batches(spec: ModelSpec) -> str:
    """Describe the batches in which a model is called."""
    rows, size_of = inference.batching(spec, base_handler(spec))
    if rows == 1 and size_of is None:
        return f"{spec.name}, one element per call"
    unit = "elements" if size_of is None else "by the handler's own measure of size"
    return f"{spec.name} in batches of up to {rows:,} {unit}"


LOWERING = Lowering(transforms=_transforms, explain=lambda step: batches(step.model()))
