"""A Beam ModelHandler for TensorFlow.

Beam's TensorFlow handlers cannot be imported without `tensorflow_hub`, which installs a second
TensorFlow and a second Keras. Keras 3 cannot load the SavedModels for which they are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from apache_beam.ml.inference.base import ModelHandler

from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import inputs
from mmnotebook.model.frameworks import arrays
from mmnotebook.model.frameworks.tensorflow_loading import called, load


class TensorFlowHandler(ModelHandler[Any, Any, Any]):
    """A handler that calls the model with a tensor, or, for records, a dict of tensors by name."""

    takes_columns = True

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self._spec = spec

    def load_model(self) -> Any:
        with self._device():
            return load(self._spec)

    def _device(self) -> Any:
        gpu = self._spec.device == "GPU" and tf.config.list_logical_devices("GPU")
        return tf.device("/GPU:0" if gpu else "/CPU:0")

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        pass  # any argument is passed to the model's call

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Any:
        call = called(self._spec.name, model, self._spec.method)
        arguments = dict(inference_args or {})
        if call is model and isinstance(model, tf.keras.Model):
            arguments.setdefault("training", False)
        with self._device():
            names = self._spec.fields
            given = inputs.arranged(batch, self._spec, lambda part: arrays.stacked(part, names))
            return _as_arrays(self._call(call, given, arguments))

    def _call(self, call: Any, given: Any, arguments: dict[str, Any]) -> Any:
        _, wanted = getattr(call, "structured_input_signature", None) or ((), {})
        if wanted:  # the signature of a SavedModel takes named tensors of exactly these types
            given = given if isinstance(given, Mapping) else {next(iter(wanted)): given}
            tensors = {name: _exactly(name, given[name], spec) for name, spec in wanted.items()}
            return call(**tensors, **arguments)
        if isinstance(given, Mapping):
            return call({name: _tensor(part) for name, part in given.items()}, **arguments)
        return call(_tensor(given), **arguments)

    def get_metrics_namespace(self) -> str:
        return "BeamML_TF"


def _exactly(name: str, array: arrays.Array, wanted: Any) -> Any:
    """Return a tensor with the dtype of an input of a signature."""
    if not wanted.dtype.is_numpy_compatible or wanted.dtype == tf.string:
        return _tensor(array)
    takes = f"the input {name!r} takes {wanted.dtype.name}"
    array = arrays.held(array, wanted.dtype.as_numpy_dtype, takes)
    return tf.convert_to_tensor(arrays.own_memory(array))


def _tensor(array: arrays.Array) -> Any:
    if array.dtype == np.float64:
        array = array.astype(np.float32)  # the dtype of TensorFlow's layers
    return tf.convert_to_tensor(arrays.own_memory(array))


def _as_arrays(made: Any) -> Any:
    if isinstance(made, Mapping):
        parts = {name: _as_arrays(part) for name, part in made.items()}
        return next(iter(parts.values())) if len(parts) == 1 else parts
    if isinstance(made, (tuple, list)):
        return tuple(_as_arrays(part) for part in made)
    return np.asarray(made)
