"""The handler of Python objects that predict a batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apache_beam.ml.inference.base import ModelHandler

from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import input_names, inputs
from mmnotebook.model.frameworks import pickles


class PythonHandler(ModelHandler[Any, Any, Any]):
    """A handler that calls `predict`, another method, or the object itself with a batch.

    Numbers, arrays, tensors and lists of numbers are passed as a NumPy array with a row per example
    (a list of arrays if their shapes differ), other values as a list, unchanged. The model returns
    one output per example.
    """

    takes_columns = True

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.path, self.form, self.spec = str(spec.path), spec.form, spec

    def load_model(self) -> Any:
        return pickles.read(Path(self.path), self.form)

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        pass  # arguments of the method; Beam 2.70 refuses all

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Any:
        named = self.spec.method or ("predict" if hasattr(model, "predict") else "__call__")
        names = input_names.of_estimator(model)
        given = inputs.arranged(batch, self.spec, lambda part: inputs.python_batch(part, names))
        return getattr(model, named)(given, **(inference_args or {}))
