"""A Beam ModelHandler for sentence-transformers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from apache_beam.ml.inference.base import ModelHandler

from mmnotebook.errors import shown
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model.frameworks.sentence_transformers_loading import load, usual_method


class EncoderHandler(ModelHandler[Any, Any, Any]):
    """A handler that returns a vector per text, or a score per pair of texts (cross-encoders)."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self._spec = spec

    def load_model(self) -> Any:
        gpu = self._spec.device == "GPU" and torch.cuda.is_available()
        return load(self._spec, "cuda" if gpu else "cpu")

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        precision = (inference_args or {}).get("precision")
        if precision in ("int8", "uint8"):
            raise ValueError(
                f"precision={precision!r} uses the value range of each batch, so an element's "
                "embedding would depend on the others; allowed: 'float32', 'binary', 'ubinary'"
            )

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Any:
        method = self._spec.method or usual_method(model)
        call = getattr(model, method)
        arguments = {"batch_size": len(batch), "show_progress_bar": False}
        known = inspect.signature(call).parameters
        arguments = {name: value for name, value in arguments.items() if name in known}
        given = [_pair(one) for one in batch] if method == "predict" else list(batch)
        return call(given, **{**arguments, **(inference_args or {})})

    def get_metrics_namespace(self) -> str:
        return "BeamML_SentenceTransformers"


def _pair(example: Any) -> Any:
    """Return a pair of texts as a list; raise TypeError for any other example."""
    if isinstance(example, (str, bytes, Mapping)) or len(example) != 2:
        raise TypeError(
            f"a cross-encoder takes pairs of strings; the example is {shown(example)}; "
            'input=("question", "answer") creates pairs from two fields, in this order'
        )
    return example.tolist() if isinstance(example, np.ndarray) else list(example)
