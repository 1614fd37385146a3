"""CatBoost's internals. Nothing here imports it."""

from __future__ import annotations

from typing import Any


def serialized(model: Any) -> bytes:
    """Return a model as it is in its file, to which CatBoost's public way leads alone.

    Leans on `catboost/core.py`.
    """
    content: bytes = model._serialize_model()
    return content
