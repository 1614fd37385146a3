"""The identities of a prepared graph's nodes: by them what was stored before is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmnotebook.graph import fingerprint
from mmnotebook.graph.fingerprint import Identity, Unknowable
from mmnotebook.graph.models import ModelSpec
from mmnotebook.runtime.data import identity
from mmnotebook.runtime.preparing import Prepared


def nodes(prepared: Prepared) -> dict[str, Identity]:
    """By node name; of one that cannot be known, why."""
    data = {name: Identity(identity.of_blocks(made)) for name, made in prepared.objects.items()}
    data.update({name: Identity(identity.of_files(plan)) for name, plan in prepared.plans.items()})
    functions = {name: function(one) for name, one in prepared.functions.items()}
    models = {name: _model(spec) for name, spec in prepared.models.items()}
    return fingerprint.identities(prepared.graph, data, functions, models)


def function(one: Callable[[Any], Any]) -> Identity:
    """Of a function: its code, what it closes over and the globals that it reads, as they are."""
    return _digest(one)


def models(prepared: Prepared) -> dict[str, str | None]:
    """By model name, the identity under which the loaded model stays warm; None for none."""
    return {name: _digest(_loaded(spec)).digest for name, spec in prepared.models.items()}


def _model(spec: ModelSpec) -> Identity:
    return _digest((*_loaded(spec), spec.batch_size, spec.input, spec.output))


def _loaded(spec: ModelSpec) -> tuple[Any, ...]:
    """What a loaded model depends on."""
    named = (spec.framework, spec.form, spec.fingerprint, spec.device)
    return (*named, spec.target, tuple(sorted(spec.params.items())))


def _digest(value: Any) -> Identity:
    try:
        return Identity(fingerprint.digest(value))
    except Unknowable as reason:
        return Identity(None, str(reason))
