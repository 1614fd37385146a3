"""A Beam ModelHandler for CatBoost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from apache_beam.ml.inference.base import ModelHandler

from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import inputs
from mmnotebook.model.frameworks import tables
from mmnotebook.model.frameworks.catboost_loading import columns, load


class CatBoostHandler(ModelHandler[Any, Any, Any]):
    """A handler that calls the model with rows of numbers and texts, or with named columns."""

    takes_columns = True

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self._spec = spec

    def load_model(self) -> Any:
        return load(self._spec)

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        pass  # arguments of predict

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Any:
        names, count = columns(model), len(model.feature_names_)
        given = inputs.arranged(batch, self._spec, lambda part: tables.of(part, names, count))
        made = getattr(model, self._spec.method or "predict")(given, **(inference_args or {}))
        return np.asarray(made)

    def get_metrics_namespace(self) -> str:
        return "BeamML_CatBoost"
