"""Beam: any ModelHandler."""

from __future__ import annotations

import hashlib
from typing import Any

from mmnotebook.compat.beam import wrapped
from mmnotebook.elements import pickling
from mmnotebook.errors import ModelError
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.model import framework
from mmnotebook.model.framework import Framework, Options

_KEYED = {("apache_beam", "KeyedModelHandler"), ("apache_beam", "MaybeKeyedModelHandler")}


def claims(target: Any) -> bool:
    """Return whether a target is a Beam ModelHandler, with or without an inner handler."""
    return is_a(target, {("apache_beam", "ModelHandler")})


def store(name: str, target: Any, options: Options) -> ModelSpec:
    """Return a spec that contains a copy of the handler."""
    if not claims(target):
        raise framework.not_mine(name, target, FRAMEWORK)
    kind = type(target).__name__
    inner = target
    while inner is not None:
        _refuse_wrapper(name, inner)
        # with_preprocess_fn() and similar methods wrap one handler in another.
        inner = wrapped(inner)
    try:
        content = pickling.dumps(target)
    except Exception as error:
        raise framework.unpicklable(name, target, error) from error
    fingerprint = hashlib.blake2b(content, digest_size=16).hexdigest()
    # Store a copy, so that later changes to the handler do not affect runs.
    return ModelSpec(
        name, "beam", "handler", kind, None, fingerprint, target=pickling.loads(content)
    )


def handler(spec: ModelSpec) -> Any:
    """Return the registered handler itself."""
    return spec.target


def _refuse_wrapper(name: str, wrapper: Any) -> None:
    if is_a(wrapper, _KEYED):
        raise ModelError(
            f"cannot register a {type(wrapper).__name__} as {name!r}: elements already have a key",
            remedy="register the handler that it wraps",
        )
    if wrapper.should_skip_batching():
        raise ModelError(
            f"cannot register {name!r}: .with_no_batching() treats batches as elements",
            remedy="register the handler without it; batch_size=1 passes one element at a time",
        )
    if wrapper.batch_elements_kwargs().get("length_fn") is not None:
        raise ModelError(
            f"cannot register {name!r}: batching by length (batch_length_fn) is not supported",
            remedy="register the handler without it, or with batch_size=1",
        )


FRAMEWORK = Framework(
    name="beam",
    words="a Beam ModelHandler",
    modules=("apache_beam",),
    install="pip install mmnotebook",
    claims=claims,
    store=store,
    handler=handler,
    own_batches=("handler",),
)
