"""A Beam ModelHandler for XGBoost.

Beam's XGBoost handlers cannot be imported without `datatable`, which does not support Python 3.12
and later. They also call the model once per element.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xgboost
from apache_beam.ml.inference.base import ModelHandler

from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import inputs
from mmnotebook.model.frameworks import arrays
from mmnotebook.model.frameworks.xgboost_loading import load


class XGBoostHandler(ModelHandler[Any, Any, Any]):
    """A handler that calls the model with rows of numbers, or with records as named columns."""

    takes_columns = True

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self._spec = spec

    def load_model(self) -> Any:
        model = load(self._spec)
        if self._spec.device == "GPU" and xgboost.build_info().get("USE_CUDA"):
            model.set_params(device="cuda") if self._spec.target else model.set_param(
                {"device": "cuda"}
            )
        return model

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        pass  # arguments of predict

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Any:
        called = getattr(model, self._spec.method or "predict")
        booster = model if isinstance(model, xgboost.Booster) else model.get_booster()
        names = booster.feature_names
        given: Any = inputs.arranged(batch, self._spec, lambda part: arrays.table(part, names))
        if given.shape[1] != booster.num_features():
            # A Booster would fill rows that are too short with missing values.
            raise ValueError(
                f"the model has {booster.num_features()} features, the example {given.shape[1]}"
            )
        if booster is model:
            given = xgboost.DMatrix(given, enable_categorical=True)
        return np.asarray(called(given, **(inference_args or {})))

    def get_metrics_namespace(self) -> str:
        return "BeamML_XGBoost"
