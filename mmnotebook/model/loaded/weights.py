"""How many bytes the parameters take of models whose memory Python does not see."""

from __future__ import annotations

from typing import Any

from mmnotebook.graph.names import is_a
from mmnotebook.model.frameworks import onnx_session

_XGBOOST = {("xgboost", "XGBModel"), ("xgboost", "Booster")}
_LIGHTGBM = {("lightgbm", "LGBMModel"), ("lightgbm", "Booster")}
_CATBOOST = {("catboost", "CatBoost")}
_SESSION = {("onnxruntime", "InferenceSession")}
_TENSORFLOW = {("keras", "Layer"), ("tensorflow", "Module"), ("tensorflow", "AutoTrackable")}
_KNOWN = _XGBOOST | _LIGHTGBM | _CATBOOST | _SESSION | _TENSORFLOW


def is_known(model: Any) -> bool:
    """Is it of a framework that keeps its parameters outside of Python?"""
    return is_a(model, _KNOWN)


def bytes_of(model: Any) -> int | None:
    """Of a model that `is_known`; None where they cannot be known.

    Of a Keras model and a TensorFlow module, what their variables take; of XGBoost, LightGBM and
    CatBoost, what the trees take when they are written; of an ONNX session, what the graph's
    constants take.
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
        # Its public way is through a file.
        return len(model._serialize_model())
    return _variables(model)


def _variables(model: Any) -> int | None:
    found = getattr(model, "variables", None)
    if not found:
        return None
    sizes = {id(variable): int(variable.numpy().nbytes) for variable in found}
    return sum(sizes.values())
