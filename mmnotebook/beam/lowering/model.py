"""The lowering of a step that runs one model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mmnotebook.beam.inference import inference, waiting
from mmnotebook.beam.inference.handlers import base_handler
from mmnotebook.beam.lowering.step import Arms, BoundStep, Lowering
from mmnotebook.graph.models import ModelSpec


def _transforms(step: BoundStep, pcoll: Any) -> Arms:
    node = step.node
    watches = node["watch"] and not pcoll.is_bounded
    every = step.watch_every if watches else None
    return {None: inference.infer(node, pcoll, _handler(step), every)}


def _together(step: BoundStep, pcoll: Any) -> Arms:
    """Apply a model that waits so that it can be called together with others of the run."""
    is_batch = pcoll.is_bounded and pcoll.windowing.is_default()
    if not (step.model().remote and is_batch):
        return _transforms(step, pcoll)
    return {None: waiting.infer(step.node, pcoll, _handler(step))}


def _handler(step: BoundStep) -> inference.BlockHandler:
    spec = step.model()
    key = step.keys.get(spec.name)
    base = base_handler(spec)
    return inference.BlockHandler(
        step.node.name, spec, base, step.select, step.run_id, key, reuse=step.reuse
    )


def batches(spec: ModelSpec) -> str:
    """Describe the batches in which a model is called."""
    rows, size_of = inference.batching(spec, base_handler(spec))
    if rows == 1 and size_of is None:
        return f"{spec.name}, one element per call"
    unit = "elements" if size_of is None else "by the handler's own measure of size"
    return f"{spec.name} in batches of up to {rows:,} {unit}"


LOWERING = Lowering(transforms=_transforms, explain=lambda step: batches(step.model()))
TOGETHER = replace(LOWERING, transforms=_together)
"""The lowering for runs in this process, which calls the models that wait at the same time."""
