"""Beam's ONNX handler, extended to any batch and to several inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from apache_beam.ml.inference.onnx_inference import OnnxModelHandlerNumpy

from mmnotebook.compat.beam import model_uri
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import inputs
from mmnotebook.model.frameworks import arrays, onnx_session
from mmnotebook.model.layouts import Each

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int16)": np.int16,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(uint16)": np.uint16,
    "tensor(uint32)": np.uint32,
    "tensor(uint64)": np.uint64,
    "tensor(bool)": np.bool_,
}


class OnnxHandler(OnnxModelHandlerNumpy):
    """A handler that calls the graph with inputs converted to its number types.

    It returns the output that `method` names, or the only output of the graph, or a record of all
    outputs by name. A graph without a batch axis, or exported for exactly one example, is called
    once per example.
    """

    takes_columns = True

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(str(spec.path))
        self._spec = spec
        self._device, self._kept = spec.device, dict(spec.params)
        self._wanted = None if spec.method is None else [spec.method]

    def load_model(self) -> Any:
        # Pass the path: Beam passes the content of the file, without its external weights.
        return onnx_session.opened(model_uri(self), self._device, self._kept)

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        pass  # further inputs of the graph, the same for every batch

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Any:
        fixed = dict(inference_args or {})
        slots = [slot for slot in model.get_inputs() if slot.name not in fixed]
        if len(slots) + len(fixed) > len(model.get_inputs()):
            names = [slot.name for slot in model.get_inputs()]
            unknown = next(name for name in fixed if name not in names)
            raise ValueError(
                f"inference_args: the graph has no input {unknown!r}; it has {', '.join(names)}"
            )
        names = [slot.name for slot in slots]
        given = inputs.arranged(batch, self._spec, lambda part: arrays.inputs(part, names))
        if not isinstance(given, dict):
            given = {names[0]: given}
        if not self._spec.batched or inputs.is_collated(batch):
            return self._run(model, {s.name: _typed(given[s.name], s) for s in slots} | fixed)
        if all(_lacks_axis(slot, given[slot.name]) for slot in slots):
            return Each(
                self._run(model, {s.name: _typed(given[s.name][i], s) for s in slots} | fixed)
                for i in range(len(batch))
            )
        feeds = {slot.name: _fitted(given[slot.name], slot) for slot in slots}
        if all(slot.shape[:1] == [1] for slot in slots):
            outputs = {output.name: output.shape[:1] == [1] for output in model.get_outputs()}
            return Each(
                self._run(model, {k: v[i : i + 1] for k, v in feeds.items()} | fixed, outputs)
                for i in range(len(batch))
            )
        return self._run(model, feeds | fixed)

    def _run(
        self, model: Any, feeds: dict[str, Any], of_one: Mapping[str, bool] | None = None
    ) -> Any:
        """Run the graph; remove the batch axis of each output for which `of_one` is True."""
        names = self._wanted or [output.name for output in model.get_outputs()]
        made = dict(zip(names, model.run(names, feeds), strict=True))
        if of_one is not None:
            made = {name: part[0] if of_one[name] else part for name, part in made.items()}
        return made if len(made) > 1 else next(iter(made.values()))


def _lacks_axis(slot: Any, array: arrays.Array) -> bool:
    """Return whether a graph input takes a single example, without a batch axis."""
    return len(slot.shape or ()) == array.ndim - 1 > 0


def _fitted(array: arrays.Array, slot: Any) -> arrays.Array:
    """Convert an array to the number type and the dimensions of an input."""
    column = array.ndim == 1 and len(slot.shape) == 2
    return _typed(array.reshape(-1, 1) if column else array, slot)


def _typed(array: Any, slot: Any) -> arrays.Array:
    """Convert an array to the number type of an input."""
    wanted, given = _TYPES.get(slot.type), np.asarray(array)
    if wanted is not None:
        given = arrays.held(given, wanted, f"the input {slot.name!r} takes {slot.type}")
    return np.ascontiguousarray(given)
