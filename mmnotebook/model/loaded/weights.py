"""The size of parameters that are stored outside of Python."""

from __future__ import annotations

from typing import Any

from mmnotebook.compat.catboost import serialized
from mmnotebook.graph.names import is_a
from mmnotebook.model.frameworks import onnx_session

_XGBOOST = {("xgboost", "XGBModel"), ("xgboost", "Booster")}
_LIGHTGBM = {("lightgbm", "LGBMModel"), ("lightgbm", "Booster")}
_CATBOOST = {("catboost", "CatBoost")}
_SESSION = {("onnxruntime", "InferenceSession")}
_TENSORFLOW = {("keras", "Layer"), ("tensorflow", "Module"), ("tensorflow", "AutoTrackable")}
_KNOWN = _XGBOOST | _LIGHTGBM | _CATBOOST | _SESSION | _TENSORFLOW


def is_known(model: Any) -> bool:
    """Return whether a model's framework stores its parameters outside of Python."""
    return is_a(model, _KNOWN)


def bytes_of(model: Any) -> int | None:
    """Return the size of the parameters of a model for which `is_known` is true; None if unknown.

    For a Keras model or TensorFlow module, it is the size of the variables; for XGBoost, LightGBM
    and CatBoost, the size of the saved trees; for an ONNX session, the size of the constants of the
    graph.
    """
    if is_a(model, _SESSION):
        return onnx_session.parameter_bytes(model)
    if is_a(model, _XGBOOST):
        booster = model.get_booster() if hasattr(model, "get_booster") else model
        return len(booster.save_raw("ubj"))
    if is_a(model, _LIGHTGBM):
        booster = model.booster_ if hasattr(model, "booster_") else model
        return len(booster.model_to_string(num_iteration=-1).encode())
    if is_a(model, _CATBOOST):
        return len(serialized(model))
    return _variables(model)


def _variables(model: Any) -> int | None:
    found = getattr(model, "variables", None)
    if not found:
        return None
    sizes = {id(variable): int(variable.numpy().nbytes) for variable in found}
    return sum(sizes.values())
