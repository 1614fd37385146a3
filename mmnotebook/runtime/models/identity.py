"""What a registered model is, by its content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmnotebook.graph.digests import settings
from mmnotebook.graph.fingerprint import Identity, Unknowable, digest
from mmnotebook.graph.models import ModelSpec


def of(spec: ModelSpec) -> Identity:
    """Of the model as it is registered: what it predicts, and in which batches."""
    batches = (spec.batched, spec.batch_axis, spec.output_batch_axis, spec.collate, spec.reset)
    called = (*batches, spec.method, spec.preprocess, _sorted(spec.inference_args), spec.timeout)
    batch = (spec.batch_size, spec.default_batch)
    return _known((*_loaded(spec), *batch, spec.input, spec.output, *called))


def of_loaded(spec: ModelSpec) -> Identity:
    """Of the loaded model: two specs with one identity can share it."""
    return _known(_loaded(spec))


def _loaded(spec: ModelSpec) -> tuple[Any, ...]:
    named = (spec.framework, spec.form, spec.fingerprint, spec.device)
    made = (spec.target, _sorted(spec.params), _sorted(spec.extra), _sorted(spec.env_vars))
    shared = spec.large_model or spec.model_copies is not None
    return (*named, *made, shared, _settings(spec))


def _settings(spec: ModelSpec) -> list[tuple[str, Any]]:
    """The settings that it may read as it loads or predicts; those that code names count there."""
    libraries = settings.LIBRARIES if spec.framework == "python" else {spec.framework}
    return settings.changed(set(libraries))


def _sorted(values: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(sorted(values.items()))


def _known(value: Any) -> Identity:
    try:
        return Identity(digest(value))
    except Unknowable as reason:
        return Identity(None, str(reason))
