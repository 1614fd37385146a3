"""Beam's scikit-learn handler, for whole columns of examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apache_beam.ml.inference.sklearn_inference import ModelFileType, SklearnModelHandlerNumpy

from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import inputs


class SklearnHandler(SklearnModelHandlerNumpy):
    """A handler that loads the registered estimator with pickle or joblib."""

    takes_columns = True

    def __init__(self, spec: ModelSpec) -> None:
        form = ModelFileType.JOBLIB if spec.form == "joblib" else ModelFileType.PICKLE
        super().__init__(str(spec.path), form)
        self._spec = spec

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        pass  # arguments of the method; Beam 2.70 refuses all

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Any:
        return sklearn_inference(model, batch, inference_args, self._spec)


def sklearn_inference(
    model: Any, batch: Sequence[Any], inference_args: dict[str, Any] | None, spec: ModelSpec
) -> Any:
    """Return the result of `predict`, or of another method, for a batch.

    Records are passed as a DataFrame, other values as an array with a row per example. An estimator
    that was fitted on named columns receives these names.
    """
    given = inputs.arranged(batch, spec, lambda part: inputs.sklearn_batch(model, part))
    return getattr(model, spec.method or "predict")(given, **(inference_args or {}))
