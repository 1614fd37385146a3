"""Keras' internals. This module does not import Keras."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def layers(model: Any) -> Iterable[Any]:
    """Return a model and all layers in it, at any depth.

    Relies on `keras/src/layers/layer.py`.
    """
    found: Iterable[Any] = model._flatten_layers()
    return found
