"""Beam: any ModelHandler."""

from __future__ import annotations

import hashlib
from typing import Any

from mmnotebook.elements import pickling
from mmnotebook.errors import ModelError
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.model import framework
from mmnotebook.model.framework import Framework, Options

_KEYED = {("apache_beam", "KeyedModelHandler"), ("apache_beam", "MaybeKeyedModelHandler")}


def claims(target: Any) -> bool:
    """Handlers, those that wrap others included."""
    return is_a(target, {("apache_beam", "ModelHandler")})


def store(name: str, target: Any, options: Options) -> ModelSpec:
    """The spec of a handler, which holds a copy of it."""
    if not claims(target):
        raise framework.not_mine(name, target, FRAMEWORK)
    kind = type(target).__name__
    inner = target
    while inner is not None:
        _refuse_wrapper(name, inner)
        # Beam's .with_preprocess_fn() and its like wrap one handler in another.
        inner = getattr(inner, "_base", None)
    try:
        content = pickling.dumps(target)
    except Exception as error:
        raise framework.unpicklable(name, target, error) from error
    fingerprint = hashlib.blake2b(content, digest_size=16).hexdigest()
    # A copy, so that what the user later changes in theirs does not change what runs.
    return ModelSpec(
        name, "beam", "handler", kind, None, fingerprint, target=pickling.loads(content)
    )


def handler(spec: ModelSpec) -> Any:
    """The registered handler itself."""
    return spec.target


def _refuse_wrapper(name: str, wrapper: Any) -> None:
    if is_a(wrapper, _KEYED):
        raise ModelError(
            f"cannot register a {type(wrapper).__name__} as {name!r}: "
            "elements carry their key already",
            remedy="register the handler that it wraps",
        )
    if wrapper.should_skip_batching():
        raise ModelError(
            f"cannot register {name!r}: .with_no_batching() takes batches for elements",
            remedy="register the handler without it; batch_size=1 gives it one element at a time",
        )
    if wrapper.batch_elements_kwargs().get("length_fn") is not None:
        raise ModelError(
            f"cannot register {name!r}: batches by length (batch_length_fn) are not made here",
            remedy="register the handler without it, or give it batch_size=1",
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
