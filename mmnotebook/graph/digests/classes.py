"""Classes: the user's by what is defined in them, a library's by its name and version."""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any

from mmnotebook.graph.digests import origin

if TYPE_CHECKING:
    from mmnotebook.graph.digests.walk import Walk

_LEFT_OUT = {
    *("__dict__", "__weakref__", "__module__", "__doc__", "__qualname__", "_abc_impl"),
    *("__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__"),
    *("__firstlineno__", "__static_attributes__", "__annotations_cache__"),
}
_MAKERS = {"__init__", "__new__", "__post_init__", "__init_subclass__"}
_METHODS = (
    types.FunctionType,
    staticmethod,
    classmethod,
    property,
    functools.cached_property,
)
_CALLED = {"predict", "predict_proba", "transform", "decision_function"}
"""Methods of the user's that libraries call without a class of theirs naming them."""


def is_library(value: type) -> bool:
    return origin.library(value.__module__) is not None


def class_(walk: Walk, value: type) -> bytes:
    """A class that some code names, and so may make objects of."""
    return _class(walk, value, made=False)


def kind(walk: Walk, value: type) -> bytes:
    """The token of the class of an object: how objects are made no longer matters."""

    def made(walk: Walk, value: type) -> bytes:
        return _class(walk, value, made=True)

    return walk.once((id(value), "kind"), value, made)


def _class(walk: Walk, value: type, made: bool) -> bytes:
    source = origin.library(value.__module__)
    if source is not None:
        return b"class" + walk.tokens(source, value.__module__, value.__qualname__)
    body = b"own class" + walk.tokens(value.__qualname__, type(value))
    for base in value.__bases__:
        body += kind(walk, base) if made else walk.token(base)
    left_out = _LEFT_OUT | _MAKERS if made else _LEFT_OUT
    # What makes objects comes last: it may use the rest, and be allowed more.
    for name, member in sorted(vars(value).items(), key=lambda item: item[0] in _MAKERS):
        if name not in left_out:
            with walk.making(name in _MAKERS and _is_model(value)):
                body += walk.token(name) + _member(walk, value, name, member)
    return body


def _member(walk: Walk, value: type, name: str, member: Any) -> bytes:
    if not isinstance(member, _METHODS):
        return walk.token(member)
    certain = name in _MAKERS or _is_called(value, name)
    return walk.suspected(name, member, certain)


def _is_model(value: type) -> bool:
    return any(
        base.__name__ == "Module" and base.__module__ == "torch.nn.modules.module"
        for base in value.__mro__
    )


def _is_called(value: type, name: str) -> bool:
    """Is a method called though no code of the user's names it?"""
    if name in _CALLED or (name.startswith("__") and name.endswith("__")):
        return True
    bases: tuple[Any, ...] = value.__mro__[1:]
    return any(is_library(base) and name in vars(base) for base in bases)
