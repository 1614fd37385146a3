"""Identities of a prepared graph's nodes, the keys of the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmnotebook.beam.prepare import Prepared
from mmnotebook.beam.streaming.recorded import Recording
from mmnotebook.fingerprint import identity as fingerprint
from mmnotebook.fingerprint.identity import Behind, Identity, Unknowable
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import identity as identity_of
from mmnotebook.sources import identity
from mmnotebook.sources.sources import SourcePlan


@fingerprint.one_look()
def behind(prepared: Prepared) -> Behind:
    """The identities of what stands behind the names in a graph, as they are now."""
    data = {name: files(plan) for name, plan in prepared.plans.items()}
    data |= {name: _known(identity.of_blocks, made) for name, made in prepared.objects.items()}
    data |= {name: _known(Recording.digest, made) for name, made in prepared.recordings.items()}
    return Behind(
        data,
        {name: function(one) for name, one in prepared.functions.items()},
        {name: model(spec) for name, spec in prepared.models.items()},
        {name: model(spec) for name, spec in prepared.refreshed.items()},
    )


def function(one: Callable[[Any], Any]) -> Identity:
    """Of a function: its code, what it closes over and the globals that it reads, as they are."""
    return fingerprint.identity(one)


def model(spec: ModelSpec) -> Identity:
    """Of a registered model: what it is and how it is called."""
    return identity_of.of(spec)


def model_now(spec: ModelSpec) -> Identity:
    """Of a registered model, with no digest when its files are not any more what they were."""
    return identity_of.now(spec)


def files(plan: SourcePlan) -> Identity:
    """Of the elements in files: the files' content and names."""
    return _known(identity.of_files, plan)


def _known(digest: Callable[[Any], str], value: Any) -> Identity:
    try:
        return Identity(digest(value))
    except Unknowable as reason:
        return Identity(None, str(reason))


@fingerprint.one_look()
def models(prepared: Prepared) -> dict[str, str | None]:
    """The identity under which each model stays loaded; None for none.

    By the model's name, and by "node refreshed" for one of a newer file in that node.
    """
    newer = {f"{node} refreshed": spec for node, spec in prepared.refreshed.items()}
    used = {**prepared.models, **newer}
    return {name: identity_of.of_loaded(spec).digest for name, spec in used.items()}
