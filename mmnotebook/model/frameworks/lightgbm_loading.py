"""Loading of LightGBM models from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.model.frameworks import pickles


def columns(model: Any) -> list[str] | None:
    """Return the names of the columns on which a model was fitted; None if they had no names."""
    booster = model if is_a(model, {("lightgbm", "Booster")}) else model.booster_
    names = list(booster.feature_name())
    return None if names == [f"Column_{place}" for place in range(len(names))] else names


def load(spec: ModelSpec) -> Any:
    """Load the model of a spec from its file."""
    import lightgbm

    if spec.form == "pickle":
        return pickles.read(Path(str(spec.path)), "pickle")
    return lightgbm.Booster(model_file=str(spec.path))
