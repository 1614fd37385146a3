"""Identities of registered models, by content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mmnotebook.fingerprint import identity
from mmnotebook.fingerprint.identity import Identity, Unknowable, deferring, digest_of_settings
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import frameworks, provenance
from mmnotebook.observing import pickle_references


def of(spec: ModelSpec) -> Identity:
    """Return the identity of a registered model, which determines its predictions."""
    batches = (spec.batch_size, spec.default_batch, spec.batched, spec.batch_axis)
    outputs = (spec.output_batch_axis, spec.output, spec.collate, spec.reset, spec.method)
    given = (spec.input, spec.preprocess, _sorted(spec.inference_args), spec.timeout)
    return _identity(spec, (*batches, *outputs, *given))


def of_loaded(spec: ModelSpec) -> Identity:
    """Return the identity of the loaded model; specs with equal identities can share the model."""
    return _identity(spec, ())


def now(spec: ModelSpec) -> Identity:
    """Return the identity of a registered model, without a digest if its files have changed."""
    path = provenance.changed(spec)
    return of(spec) if path is None else Identity(None, f"{path} changed")


def _identity(spec: ModelSpec, called: tuple[Any, ...]) -> Identity:
    """Return the identity of a model by its content or, if that is unknown, by its `version`."""
    found = Identity(None, spec.unknown) if spec.unknown else _known(spec, called)
    if spec.version is None:
        return found
    if found.digest is None:
        named = (spec.framework, spec.form, spec.origin, spec.device)
        found = identity.identity((*named, *called, spec.version))
    return replace(found, stated=True)


def _known(spec: ModelSpec, called: tuple[Any, ...]) -> Identity:
    named = (spec.framework, spec.form, spec.fingerprint, spec.device, spec.version)
    read = tuple(content for _, content in spec.files)
    made = (spec.target, _sorted(spec.params), _sorted(spec.extra), _sorted(spec.env_vars))
    shared = spec.large_model or spec.model_copies is not None
    libraries = {spec.framework, *(module.partition(".")[0] for module, _ in spec.references)}
    with deferring() as left:
        try:
            around = (pickle_references.content(spec.references), digest_of_settings(libraries))
        except Unknowable as reason:
            return Identity(None, str(reason))
    whole = (*named, read, *made, shared, *called, *around)
    code = frameworks.code_of(spec.framework)
    found = identity.identity(whole if code is None else (*whole, code))
    lefts = (
        [left] if spec.given is None or spec.given.state is None else [left, spec.given.state.left]
    )
    may, codes = (one.may for one in lefts), (one.codes for one in lefts)
    return replace(found, may=found.may.union(*may), codes=found.codes.union(*codes))


def _sorted(values: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(sorted(values.items()))
