"""XGBoost's internals. This module does not import XGBoost."""

from __future__ import annotations

import json
from typing import Any


def estimator(booster: Any) -> str | None:
    """Return the kind of estimator that saved a file, such as "classifier"; None for a Booster.

    Relies on `XGBModel.save_model` in `xgboost/sklearn.py`.
    """
    said = booster.attr("scikit_learn")
    kind: str | None = json.loads(said).get("_estimator_type") if said else None
    return kind
