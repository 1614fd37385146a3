"""What a registered model is, by its content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmnotebook.graph.fingerprint import Identity, digest
from mmnotebook.graph.models import ModelSpec
from mmnotebook.runtime import referring
from mmnotebook.runtime.knowing import known
from mmnotebook.runtime.models import standing


def of(spec: ModelSpec) -> Identity:
    """Of the model as it is registered: what it predicts, and in which batches."""
    batches = (spec.batched, spec.batch_axis, spec.output_batch_axis, spec.collate, spec.reset)
    called = (*batches, spec.method, spec.preprocess, _sorted(spec.inference_args), spec.timeout)
    return _known(spec, (spec.batch_size, spec.input, spec.output, *called))


def of_loaded(spec: ModelSpec) -> Identity:
    """Of the loaded model: two specs with one identity can share it."""
    return _known(spec, ())


def now(spec: ModelSpec) -> Identity:
    """Of the model as it is registered, unless its files are not any more what they were."""
    path = standing.changed(spec)
    return of(spec) if path is None else Identity(None, f"{path} changed")


def _known(spec: ModelSpec, called: tuple[Any, ...]) -> Identity:
    return Identity(None, spec.unknown) if spec.unknown else known(_digest, spec, called)


def _digest(spec: ModelSpec, called: tuple[Any, ...]) -> str:
    return digest((*_loaded(spec), *called, referring.content(spec.references)))


def _loaded(spec: ModelSpec) -> tuple[Any, ...]:
    named = (spec.framework, spec.form, spec.fingerprint, spec.device)
    read = tuple(content for _, content in spec.files)
    made = (spec.target, _sorted(spec.params), _sorted(spec.extra), _sorted(spec.env_vars))
    return (*named, read, *made, spec.large_model or spec.model_copies is not None)


def _sorted(values: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(sorted(values.items()))
