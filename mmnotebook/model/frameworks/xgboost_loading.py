"""Loading of XGBoost models from files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmnotebook.graph.models import ModelSpec


def load(spec: ModelSpec) -> Any:
    """Load the model of a spec from its file."""
    import xgboost

    params: Mapping[str, Any] = spec.params
    model = xgboost.Booster(params or None) if spec.target is None else spec.target(**params)
    model.load_model(str(spec.path))
    return model
