"""Beam's scikit-learn handler, for whole columns of examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apache_beam.ml.inference.sklearn_inference import ModelFileType, SklearnModelHandlerNumpy

from mmnotebook.graph.models import ModelSpec
from mmnotebook.runtime.blocks.columns import Column
from mmnotebook.runtime.models import inputs, outputs


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
        return sklearn_inference(model, batch, inference_args, self._method)


def sklearn_inference(
    model: Any,
    batch: Sequence[Any],
    inference_args: dict[str, Any] | None = None,
    method: str = "predict",
) -> Column:
    """What `predict`, or another method, gives for a batch: one prediction per example.

    Records become a DataFrame, anything else an array with a row per example; an estimator that
    was fitted on named columns is given those names.
    """
    given = inputs.sklearn_batch(model, batch)
    made = getattr(model, method)(given, **(inference_args or {}))
    # A vectorizer's or a transformer's outputs are often sparse.
    return outputs.rows(made.toarray() if hasattr(made, "toarray") else made, len(batch))
