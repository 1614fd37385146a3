"""How many bytes the parameters take of models whose memory Python does not see."""

from __future__ import annotations

from typing import Any

from mmnotebook.graph.names import is_a


def bytes_of(model: Any) -> int | None:
    """Of a Keras model, a TensorFlow module, an XGBoost model or an ONNX session; None otherwise.

    Of a Keras model and a TensorFlow module, what their variables take; of XGBoost, what its
    trees take when they are written; of ONNX, what the graph's constants take.
    """
    if is_a(model, {("onnxruntime", "InferenceSession")}):
        return getattr(model, "parameter_bytes", None)
    if is_a(model, {("xgboost", "XGBModel")}):
        model = model.get_booster()
    if is_a(model, {("xgboost", "Booster")}):
        return len(model.save_raw("ubj"))
    if is_a(model, {("keras", "Layer"), ("tensorflow", "Module"), ("tensorflow", "AutoTrackable")}):
        return _variables(model)
    return None


def _variables(model: Any) -> int | None:
    found = getattr(model, "variables", None)
    if not found:
        return None
    sizes = {id(variable): int(variable.numpy().nbytes) for variable in found}
    return sum(sizes.values())
