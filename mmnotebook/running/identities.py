"""Identities of the data, functions and models of a prepared graph, for the keys of the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmnotebook.beam.lowering.step import of_kind
from mmnotebook.beam.prepare import Prepared
from mmnotebook.beam.streaming.recorded import Recording
from mmnotebook.fingerprint import identity as fingerprint
from mmnotebook.fingerprint.identity import Behind, Identity, Unknowable
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import identity as identity_of
from mmnotebook.sources import identity
from mmnotebook.sources.sources import SourcePlan


@fingerprint.scan_modules_once()
def behind(prepared: Prepared) -> Behind:
    """Return the current identities of the objects to which the names in a graph refer."""
    data = {name: files(plan) for name, plan in prepared.plans.items()}
    data |= {name: _known(Recording.digest, made) for name, made in prepared.recordings.items()}
    return _behind(prepared, data)


@fingerprint.scan_modules_once()
def reasons(prepared: Prepared) -> dict[str, str]:
    """Return why nodes are not cacheable, as far as is known before a run; "" if nothing is known.

    Files are not read, and Beam transforms are not recorded: their content is never the reason.
    """
    sources = {node.name for node in prepared.graph if not node.inputs}
    unread = {
        name: Identity(fingerprint.digest(name)) for name in sources - prepared.objects.keys()
    }
    known = _behind(prepared, unread)
    return {name: one.reason for name, one in fingerprint.identities(prepared.graph, known).items()}


def _behind(prepared: Prepared, data: dict[str, Identity]) -> Behind:
    others = {name: made for name, made in prepared.objects.items() if name not in data}
    return Behind(
        data | {name: _known(identity.of_blocks, made) for name, made in others.items()},
        {name: function(one) for name, one in prepared.functions.items()},
        {name: model(spec) for name, spec in prepared.models.items()},
        {name: model(spec) for name, spec in prepared.refreshed.items()},
        {name: step(codes) for name, codes in prepared.codes.items()},
        _uncacheable(prepared),
    )


def _uncacheable(prepared: Prepared) -> dict[str, str]:
    """Return why the outputs of nodes are not cacheable, as their lowerings decided, by node."""
    found = {}
    for name, decision in prepared.decisions.items():
        uncacheable = of_kind(prepared.graph[name].step).uncacheable
        if uncacheable is not None and (reason := uncacheable(decision)):
            found[name] = reason
    return found


def function(one: Callable[[Any], Any]) -> Identity:
    """Return the identity of a function: its code, its closure and the globals that it reads."""
    return fingerprint.identity(one)


def step(codes: tuple[Callable[..., Any], ...]) -> Identity:
    """Return the identity of a step kind of another package, from the code of its lowerings."""
    return fingerprint.identity(codes)


def model(spec: ModelSpec) -> Identity:
    """Return the identity of a registered model: its content, and how it is called."""
    return identity_of.of(spec)


def model_now(spec: ModelSpec) -> Identity:
    """Return the identity of a registered model, without a digest if its files have changed."""
    return identity_of.now(spec)


def files(plan: SourcePlan) -> Identity:
    """Return the identity of the elements in files: the files' content and names."""
    return _known(identity.of_files, plan)


def _known(digest: Callable[[Any], str], value: Any) -> Identity:
    try:
        return Identity(digest(value))
    except Unknowable as reason:
        return Identity(None, str(reason))


@fingerprint.scan_modules_once()
def models(prepared: Prepared) -> dict[str, str | None]:
    """Return the key under which each model stays loaded, by model name.

    The key is None for a model that does not stay loaded. The name "NODE refreshed" refers to
    the model from a newer file that replaces the registered model in that node.
    """
    newer = {f"{node} refreshed": spec for node, spec in prepared.refreshed.items()}
    used = {**prepared.models, **newer}
    return {name: identity_of.of_loaded(spec).digest for name, spec in used.items()}
