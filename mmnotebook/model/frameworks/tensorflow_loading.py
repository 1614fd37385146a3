"""Loading of TensorFlow models, and the function to call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmnotebook.errors import ModelError, nearest
from mmnotebook.graph.models import ModelSpec


def load(spec: ModelSpec) -> Any:
    """Load the model of a spec from its file or folder."""
    import tensorflow as tf

    if spec.form == "weights":
        model = spec.target(**spec.params)
        model.load_weights(spec.path)
        return model
    if spec.form == "saved_model":
        return tf.saved_model.load(spec.path)
    return tf.keras.models.load_model(spec.path, compile=False)


def called(name: str, model: Any, method: str | None) -> Callable[..., Any]:
    """Return the callable for a batch: a method, a signature of a SavedModel, or the model.

    Raises
    ------
    ModelError
        If the model has no such method or signature.
    """
    signatures = getattr(model, "signatures", {})
    if method is None:
        if callable(model):
            return model  # type: ignore[no-any-return]
        method = "serving_default"
    found = signatures[method] if method in signatures else getattr(model, method, None)
    if not callable(found):
        close = nearest(method, [*signatures, "predict"])
        raise ModelError(
            f"cannot register {name!r}: it has no method or signature {method!r}; its signatures: "
            f"{', '.join(signatures) or 'none'}" + (f"; did you mean {close!r}?" if close else ""),
            remedy="save it with a signature: tf.saved_model.save(module, folder, "
            "signatures=module.f.get_concrete_function(...))",
        )
    return found  # type: ignore[no-any-return]
