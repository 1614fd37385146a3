"""From a `ModelSpec` to the Beam handler that loads and runs the model."""

from __future__ import annotations

from typing import Any

from apache_beam.ml.inference.base import KeyedModelHandler

from mmnotebook.graph.models import ModelSpec
from mmnotebook.runtime.metering import MeteredHandler
from mmnotebook.runtime.models import adapters


def handler(node: str, spec: ModelSpec, run_id: str) -> Any:
    """The handler for a node: keyed, so that ids pass; metered; then the framework's own."""
    base: Any
    if spec.framework == "torch":
        from mmnotebook.runtime.models.torch_handler import TorchHandler

        base = TorchHandler(spec)
    elif spec.framework == "sklearn":
        base = _sklearn(spec)
    else:
        base = _Batched(spec.target, spec.batch_size) if spec.batch_size else spec.target
    output = adapters.argmax if spec.output == "argmax" else spec.output
    return KeyedModelHandler(MeteredHandler(node, spec, base, output, run_id))


def _sklearn(spec: ModelSpec) -> Any:
    from apache_beam.ml.inference.sklearn_inference import ModelFileType, SklearnModelHandlerNumpy

    form = ModelFileType.JOBLIB if spec.form == "joblib" else ModelFileType.PICKLE
    return SklearnModelHandlerNumpy(
        str(spec.path),
        form,
        inference_fn=adapters.sklearn_inference,
        min_batch_size=spec.batch_size,
        max_batch_size=spec.batch_size,
    )


class _Batched:
    """A user's handler with a batch size of ours; everything else is its own."""

    def __init__(self, base: Any, batch_size: int) -> None:
        self._base, self._batch_size = base, batch_size

    def batch_elements_kwargs(self) -> dict[str, int]:
        own = dict(self._base.batch_elements_kwargs())
        return {**own, "min_batch_size": self._batch_size, "max_batch_size": self._batch_size}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_base":
            raise AttributeError(name)
        return getattr(self._base, name)
