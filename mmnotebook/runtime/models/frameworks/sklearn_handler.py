"""Beam's scikit-learn handler, for whole columns of examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apache_beam.ml.inference.sklearn_inference import ModelFileType, SklearnModelHandlerNumpy

from mmnotebook.graph.models import ModelSpec
from mmnotebook.runtime.models import adapters


class SklearnHandler(SklearnModelHandlerNumpy):
    """Loads the estimator that `register` was given, with pickle or joblib."""

    takes_columns = True

    def __init__(self, spec: ModelSpec) -> None:
        form = ModelFileType.JOBLIB if spec.form == "joblib" else ModelFileType.PICKLE
        super().__init__(str(spec.path), form)
        self._method = spec.method or "predict"

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Sequence[Any]:
        return adapters.sklearn_inference(model, batch, inference_args, self._method)
