"""Beam's handler for Vertex AI, with plain JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from apache_beam.ml.inference.vertex_ai_inference import VertexAIModelHandlerJSON

from mmnotebook.graph.models import ModelSpec
from mmnotebook.results.values import plain


class VertexHandler(VertexAIModelHandlerJSON):
    """A handler that sends arrays and tensors as lists, and throttles and retries like Beam's."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(endpoint_id=spec.origin, **spec.params)

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        pass  # the request's parameters

    def request(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Any]:
        results = super().request([_json(example) for example in batch], model, inference_args)
        return [result.inference for result in results]


def _json(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _json(part) for key, part in value.items()}
    return [_json(part) for part in value] if isinstance(value, (list, tuple)) else value
