"""A Beam ModelHandler for LightGBM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightgbm
from apache_beam.ml.inference.base import ModelHandler

from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import inputs
from mmnotebook.model.frameworks import tables
from mmnotebook.model.frameworks.lightgbm_loading import columns, load


class LightGBMHandler(ModelHandler[Any, Any, Any]):
    """A handler that calls the model with rows of numbers, or with records as named columns.

    LightGBM itself ignores the names of columns and uses their positions.
    """

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
        booster = model if isinstance(model, lightgbm.Booster) else model.booster_
        names, count = columns(model), booster.num_feature()
        given = inputs.arranged(batch, self._spec, lambda part: tables.of(part, names, count))
        if hasattr(given, "columns"):
            given = _categorical(given, booster)
        return getattr(model, self._spec.method or "predict")(given, **(inference_args or {}))

    def get_metrics_namespace(self) -> str:
        return "BeamML_LightGBM"


def _categorical(frame: Any, booster: Any) -> Any:
    """Convert columns to the pandas categories with which the model was fitted."""
    import pandas as pd

    wanted = len(booster.pandas_categorical or ())
    there = [isinstance(dtype, pd.CategoricalDtype) for dtype in frame.dtypes]
    if sum(there) == wanted:
        return frame
    infos = booster.dump_model(num_iteration=1)["feature_infos"]
    chosen = [
        name
        for name, known in zip(frame.columns, there, strict=True)
        if known or frame[name].dtype == object or infos.get(str(name), {}).get("values")
    ]
    return frame.astype(dict.fromkeys(chosen, "category")) if len(chosen) == wanted else frame
