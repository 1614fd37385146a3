"""CatBoost's internals. This module does not import CatBoost."""

from __future__ import annotations

from typing import Any


def serialized(model: Any) -> bytes:
    """Return a model in its file format; CatBoost's public functions can only write files.

    Relies on `catboost/core.py`.
    """
    content: bytes = model._serialize_model()
    return content
