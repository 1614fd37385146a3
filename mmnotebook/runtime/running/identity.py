"""The identities of a prepared graph's nodes: by them what was stored before is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmnotebook.graph import fingerprint
from mmnotebook.graph.fingerprint import Identity
from mmnotebook.graph.models import ModelSpec
from mmnotebook.runtime.data import identity
from mmnotebook.runtime.data.sources import Plan
from mmnotebook.runtime.knowing import known
from mmnotebook.runtime.models import identity as identity_of
from mmnotebook.runtime.preparing import Prepared
from mmnotebook.runtime.streaming.recorded import Recording


def nodes(prepared: Prepared) -> dict[str, Identity]:
    """By node name; of one that cannot be known, why."""
    data = {name: files(plan) for name, plan in prepared.plans.items()}
    data |= {name: known(identity.of_blocks, made) for name, made in prepared.objects.items()}
    data |= {name: known(Recording.digest, made) for name, made in prepared.recordings.items()}
    functions = {name: function(one) for name, one in prepared.functions.items()}
    models = {name: model(spec) for name, spec in prepared.models.items()}
    refreshed = {name: model(spec) for name, spec in prepared.refreshed.items()}
    return fingerprint.identities(prepared.graph, data, functions, models, refreshed)


def function(one: Callable[[Any], Any]) -> Identity:
    """Of a function: its code, what it closes over and the globals that it reads, as they are."""
    return known(fingerprint.digest, one)


def model(spec: ModelSpec) -> Identity:
    """Of a registered model: what it is and how it is called."""
    return identity_of.of(spec)


def model_now(spec: ModelSpec) -> Identity:
    """Of a registered model, with no digest when its files are not any more what they were."""
    return identity_of.now(spec)


def files(plan: Plan) -> Identity:
    """Of the elements in files: the files' content and names."""
    return known(identity.of_files, plan)


def models(prepared: Prepared) -> dict[str, str | None]:
    """The identity under which each loaded model stays warm; None for none.

    By the model's name, and by "node refreshed" for one of a newer file in that node.
    """
    newer = {f"{node} refreshed": spec for node, spec in prepared.refreshed.items()}
    used = {**prepared.models, **newer}
    return {name: identity_of.of_loaded(spec).digest for name, spec in used.items()}
