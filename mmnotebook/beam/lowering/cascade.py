"""The cascade: a small model, and a big model for elements with a low confidence."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from apache_beam.ml.inference.base import PredictionResult, RunInference

from mmnotebook.beam.dofns.inferences import inferences
from mmnotebook.beam.dofns.node_fn import NodeFn
from mmnotebook.beam.dofns.tracking import Tracker, weight
from mmnotebook.beam.inference.handlers import base_handler
from mmnotebook.beam.inference.inference import BlockHandler
from mmnotebook.beam.lowering import confidence
from mmnotebook.beam.lowering.combine import Array
from mmnotebook.beam.lowering.model import batches
from mmnotebook.beam.lowering.step import Arms, BoundStep, Lowering
from mmnotebook.elements.block import BYTES, ROWS, Block
from mmnotebook.elements.columns import Column, Tuples
from mmnotebook.elements.elements import Select
from mmnotebook.elements.packing import pack
from mmnotebook.elements.user_code import ENDS_RUN, storable
from mmnotebook.graph.graph import Node
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model.outputs import argmax
from mmnotebook.state import places

SMALL = "small"
STEPS = (SMALL, NodeFn.step)
"""The names of the steps that elements pass through in a cascade."""


class _First(Tracker):
    """Tracks the small model: counts the node's input, and confident predictions as output."""

    def count_outputs(self, count: int) -> None:
        """Do nothing, because it is not known yet which outputs are confident."""

    def count_confident(self, count: int) -> None:
        """Count elements with a confident prediction of the small model."""
        super().count_outputs(count)


class _Second(Tracker):
    """Tracks the big model, whose input was already counted."""

    def count_inputs(self, count: int) -> None:
        """Do nothing, because the small model counted these elements."""


class SmallHandler(BlockHandler):
    """Calls the small model; returns a block of confident predictions and a block of other values.

    The first block has the model's name in its `models`; the second has no `models`.
    """

    def __init__(
        self,
        node: Node,
        spec: ModelSpec,
        base: Any,
        select: Select,
        run_id: str,
        keys: Mapping[str, str | None],
        score: Callable[[Any], Any] | None,
    ) -> None:
        # The confidence is computed from the raw output.
        raw = replace(spec, output=None)
        key = keys.get(spec.name)
        super().__init__(node.name, raw, base, None, run_id, key)
        self.flowing, self.output, self.score = select, spec.output, score
        self.below = float(node["below"])

    def run_inference(
        self, batch: Sequence[Block], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Block]:
        if not batch:
            return []
        track = _First(self.node, self.run_id, SMALL)
        flowing = [track.picked(block, self.flowing) for block in batch]
        # If the small model has an `input`, its example is not the whole value, which the big model
        # needs. So each row keeps its position.
        placed = [replace(one, rows=range(len(one))) for one in flowing]
        made = self.predictions(track, placed, model, inference_args)
        given = [
            part
            for block, raw in zip(flowing, made, strict=True)
            for part in self._divided(track, block, raw)
        ]
        track.publish()
        track.flow.given += sum(map(weight, given))
        track.flow.taken += sum(map(weight, made))
        return given

    def _divided(self, track: _First, flowing: Block, made: Block) -> Iterator[Block]:
        """Yield a block of confident predictions and all failures, and a block of other values."""
        outputs = inferences(made.values)
        errors: dict[int, BaseException] = {}
        with places.within(track.run, self.node, self.spec.name):
            sureness = self._confidences(outputs, errors)
            sure = _places(sureness >= self.below)
            final = self._final(outputs.take(sure), sure, errors)
        sure = [place for place in sure if place not in errors]
        track.count_confident(len(sure))
        kept = made.take(sure)
        failed = [track.fail(made.ids[place], error) for place, error in errors.items()]
        yield replace(
            kept,
            values=_with(kept.values, final),
            models=[self.spec.name] * len(kept),
            rows=None,
            failed=[*made.failed, *failed],
        )
        unsure = _places(sureness < self.below)
        if unsure:
            yield flowing.take(made.take(unsure).rows or ()).with_choices()

    def _confidences(self, outputs: Column, errors: dict[int, BaseException]) -> Array:
        """Return each output's confidence; if it is missing, NaN, and add an error to `errors`."""
        if self.score is None:
            found = confidence.of_column(outputs)
            for place in _places(np.isnan(found)):
                errors[place] = confidence.missing(self.spec.name, outputs[place])
            return found
        found = np.full(len(outputs), np.nan)
        for place, output in enumerate(outputs):
            try:
                found[place] = confidence.scored(self.score, output)
            except ENDS_RUN:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever the user's function raises
                errors[place] = error
        return found

    def _final(
        self, outputs: Column, places: Sequence[int], errors: dict[int, BaseException]
    ) -> Column:
        """Apply the registered `output=` of the model to its raw outputs."""
        if self.output is None:
            return outputs
        last = argmax if self.output == "argmax" else self.output
        made, good = [], []
        for place, output in zip(places, outputs, strict=True):
            try:
                made.append(last(output))
                good.append(place)
            except ENDS_RUN:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever the user's function raises
                errors[place] = error
        return storable(pack(made), good, errors)[1]


def _places(chosen: Array) -> list[int]:
    return [int(place) for place in np.flatnonzero(chosen)]


def _with(predictions: Column, outputs: Column) -> Column:
    """Return the predictions with `outputs` as their inferences."""
    if not isinstance(predictions, Tuples):
        return predictions
    example, _, model = predictions.columns
    return Tuples(PredictionResult, (example, outputs, model))


class BigHandler(BlockHandler):
    """Calls the big model for values without a confident prediction; passes predictions through."""

    def run_inference(
        self, batch: Sequence[Block], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Block]:
        if not batch:
            return []
        track = _Second(self.node, self.run_id)
        unsure = [block for block in batch if block.models is None]
        made = self.predictions(track, unsure, model, inference_args) if unsure else []
        made = [block.with_choices(models=[self.spec.name] * len(block)) for block in made]
        made += [block for block in batch if block.models is not None]
        track.publish()
        track.flow.given += sum(map(weight, made))
        track.flow.taken += sum(map(weight, made))
        return made

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        whole = dict(super().batch_elements_kwargs())
        size_of = whole["element_size_fn"]
        return {**whole, "element_size_fn": functools.partial(_size, size_of=size_of)}


def _size(block: Block, size_of: Callable[[Block], int]) -> int:
    """Return a block's size; for predictions that pass through, only memory counts."""
    passes = block.models is not None
    return max(1, block.nbytes * ROWS // BYTES) if passes else size_of(block)


def _transforms(step: BoundStep, pcoll: Any) -> Arms:
    """Apply the small model, and the big model where the confidence is too low."""
    node, small, big = step.node, step.model("small"), step.model("big")
    score = step.function_or_none("score")
    first = SmallHandler(
        node, small, base_handler(small), step.select, step.run_id, step.keys, score
    )
    key = step.keys.get(big.name)
    second = BigHandler(node.name, big, base_handler(big), None, step.run_id, key)
    divided = RunInference(first).with_output_types(Block)
    whole = RunInference(second).with_output_types(Block)
    return {None: pcoll | f"{node.name}: {SMALL}" >> divided | node.name >> whole}


def _explain(step: BoundStep) -> str:
    small, big = step.model("small"), step.model("big")
    below = f"{big.name} where its confidence is below {step.node['below']}"
    return f"{small.name} for every element, {below}; {batches(small)}; {batches(big)}"


LOWERING = Lowering(transforms=_transforms, entered=lambda node, decision: STEPS, explain=_explain)
