"""Loading of CatBoost models from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmnotebook.graph.models import ModelSpec


def columns(model: Any) -> list[str] | None:
    """Return the names of the columns on which a model was fitted; None if they had no names."""
    names = list(model.feature_names_)
    return None if names == [str(place) for place in range(len(names))] else names


def load(spec: ModelSpec) -> Any:
    """Load the model of a spec from its file; detect its class if the spec contains none."""
    import catboost

    path, form = str(spec.path), Path(str(spec.path)).suffix[1:].lower()
    form = form if form == "json" else "cbm"
    made_by = spec.target
    if made_by is None:
        classes = catboost.CatBoost().load_model(path, format=form).classes_
        made_by = catboost.CatBoostClassifier if len(classes) else catboost.CatBoostRegressor
    return made_by(**spec.params).load_model(path, format=form)
