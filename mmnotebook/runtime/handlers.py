"""From a `ModelSpec` to the Beam handler that loads and runs the model."""

from __future__ import annotations

from typing import Any

from mmnotebook.graph.models import ModelSpec


def base_handler(spec: ModelSpec) -> Any:
    """The handler of the model's framework."""
    if spec.framework == "torch":
        from mmnotebook.runtime.models.torch_handler import TorchHandler

        return TorchHandler(spec)
    if spec.framework == "sklearn":
        from mmnotebook.runtime.models.sklearn_handler import SklearnHandler

        return SklearnHandler(spec)
    return spec.target
