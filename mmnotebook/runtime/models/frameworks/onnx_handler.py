"""Beam's ONNX handler, for batches of anything and graphs with several inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from apache_beam.ml.inference.onnx_inference import OnnxModelHandlerNumpy

from mmnotebook.graph.models import ModelSpec
from mmnotebook.runtime.blocks.columns import Column
from mmnotebook.runtime.blocks.packing import concat
from mmnotebook.runtime.models import outputs
from mmnotebook.runtime.models.frameworks import arrays, onnx_session

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
    """Feeds the graph in its own number types.

    A graph with one output gives that, one with several a record by output name, or the one
    that `method` names. A graph exported for exactly one example is called once per example.
    """

    takes_columns = True

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(str(spec.path))
        self._device, self._kept = spec.device, dict(spec.params)
        self._wanted = None if spec.method is None else [spec.method]

    def load_model(self) -> Any:
        # By path: Beam reads the file itself, and then does not find external weights.
        return onnx_session.opened(self._model_uri, self._device, self._kept)

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        pass  # further inputs of the graph, the same for every batch

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Sequence[Any]:
        fixed = dict(inference_args or {})
        slots = [slot for slot in model.get_inputs() if slot.name not in fixed]
        if len(slots) + len(fixed) > len(model.get_inputs()):
            names = [slot.name for slot in model.get_inputs()]
            unknown = next(name for name in fixed if name not in names)
            raise ValueError(
                f"inference_args: the graph has no input {unknown!r}; it has {', '.join(names)}"
            )
        given = arrays.inputs(batch, [slot.name for slot in slots])
        feeds = {slot.name: _fitted(given[slot.name], slot) for slot in slots}
        if len(batch) > 1 and all(slot.shape[:1] == [1] for slot in slots):
            single = [
                self._run(model, {k: v[i : i + 1] for k, v in feeds.items()} | fixed, 1)
                for i in range(len(batch))
            ]
            return concat(single)
        return self._run(model, feeds | fixed, len(batch))

    def _run(self, model: Any, feeds: dict[str, Any], count: int) -> Column:
        names = self._wanted or [output.name for output in model.get_outputs()]
        made = model.run(names, feeds)
        if len(names) == 1:
            return outputs.rows(made[0], count)
        return outputs.rows(dict(zip(names, made, strict=True)), count)


def _fitted(array: arrays.Array, slot: Any) -> arrays.Array:
    """The array in the number type and with the dimensions of an input."""
    if array.ndim == 1 and len(slot.shape) == 2:
        array = array.reshape(-1, 1)
    wanted = _TYPES.get(slot.type)
    return np.ascontiguousarray(array if wanted is None else array.astype(wanted, copy=False))
