"""The handler of any Python object that predicts a batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apache_beam.ml.inference.base import ModelHandler

from mmnotebook.graph.models import ModelSpec
from mmnotebook.runtime.models import inputs, naming, outputs
from mmnotebook.runtime.models.frameworks import pickles


class PythonHandler(ModelHandler[Any, Any, Any]):
    """Calls `predict`, or the object itself, with a batch.

    The batch is a numpy array with a row per example where the examples are numbers or arrays of
    one shape, and a list of the examples otherwise. It returns one output per example.
    """

    takes_columns = True

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.path, self.form, self.method = str(spec.path), spec.form, spec.method

    def load_model(self) -> Any:
        return pickles.read(Path(self.path), self.form)

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Sequence[Any]:
        named = self.method or ("predict" if hasattr(model, "predict") else "__call__")
        given = inputs.python_batch(batch, naming.of_estimator(model))
        return outputs.rows(getattr(model, named)(given, **(inference_args or {})), len(batch))
