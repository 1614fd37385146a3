"""Fingerprints of user classes, by definition, and of library classes, by name and version."""

from __future__ import annotations

import functools
import re
import types
from typing import TYPE_CHECKING, Any

from mmnotebook.compat.python import ABSTRACT, registered
from mmnotebook.fingerprint import origin
from mmnotebook.fingerprint.bytecode import REMAKES
from mmnotebook.fingerprint.codes import CALLED

if TYPE_CHECKING:
    from mmnotebook.fingerprint.walk import Walk

_LEFT_OUT = {
    *("__dict__", "__weakref__", ABSTRACT, "__firstlineno__", "__static_attributes__"),
    *("__annotations_cache__", "__annotate__", "__slotnames__"),
}
_MAKERS = {"__init__", "__new__", "__post_init__", "__init_subclass__"}
_PICKLING = {"__getstate__", "__reduce__", "__reduce_ex__", "__getnewargs__", "__getnewargs_ex__"}
_METHODS = (
    types.FunctionType,
    staticmethod,
    classmethod,
    property,
    functools.cached_property,
)
_CALLED = {"predict", "predict_proba", "transform", "decision_function"}
"""Methods of user classes that libraries call, even if no library class defines them."""
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def is_library(value: type) -> bool:
    return origin.library(value.__module__) is not None


def class_(walk: Walk, value: type) -> bytes:
    """Return the token of a class that code may use in any way."""
    return _class(walk, value, made=False, called=False)


def called(walk: Walk, value: type) -> bytes:
    """Return the token of a class that code only calls, or reads attributes of."""
    if type(value) is not type and not is_library(value):
        return walk.token(value)  # the metaclass may use the class in any way

    def only_called(walk: Walk, value: type) -> bytes:
        return _class(walk, value, made=False, called=True)

    return walk.once((id(value), CALLED), value, only_called)


def kind(walk: Walk, value: type) -> bytes:
    """Return the token of the class of an existing object.

    Effects of methods that create objects count only if other code may create objects of the class.
    """

    def made(walk: Walk, value: type) -> bytes:
        return _class(walk, value, made=True, called=True)

    return walk.once((id(value), "kind"), value, made)


def _class(walk: Walk, value: type, made: bool, called: bool) -> bytes:
    source = origin.library(value.__module__)
    if source is not None:
        return b"class" + _library(walk, value, source)
    walk.code_met = True
    body = b"own class" + walk.tokens(value.__qualname__, value.__module__, type(value))
    for base in value.__bases__:
        body += kind(walk, base) if made else walk.called(base)
    # Methods that create objects come last: they may use the other methods, and some effects are
    # allowed only in them.
    for name, held in sorted(vars(value).items(), key=lambda item: item[0] in _MAKERS):
        if name not in _LEFT_OUT:
            body += walk.token(name)
            if name in _MAKERS:
                body += _maker(walk, value, held, made, called)
            else:
                body += _held(walk, value, name, held, called)
    return body + _registered(walk, value)


def _library(walk: Walk, value: type, source: str) -> bytes:
    modules = (base.__module__ for base in value.__mro__)
    return walk.source(source, *modules) + walk.tokens(value.__module__, value.__qualname__)


def _held(walk: Walk, value: type, name: str, held: Any, called: bool) -> bytes:
    """Return the token of an attribute of a class."""
    if name == "__doc__" and isinstance(held, str):
        # The docstring of a dataclass may contain addresses of its defaults.
        return walk.token(_ADDRESS.sub("", held))
    if isinstance(held, _METHODS):
        names = () if _is_called(value, name) else (name,)
        return walk.member(frozenset(names), held, called)
    if name == "__annotations__":
        return walk.member(frozenset({name, "get_type_hints"}), held)
    return walk.token(held)


def _maker(walk: Walk, value: type, held: Any, made: bool, called: bool) -> bytes:
    """Return the token of a method that creates objects, such as `__init__`."""
    names: frozenset[str] = frozenset()
    if made:
        by_class = (key for one in value.__mro__ for key in _of_class(one))
        names = frozenset((REMAKES, *by_class))
    with walk.making(_is_model(value)):
        return walk.member(names, held, called)


def _of_class(value: type) -> list[str]:
    """List the class methods that a user class defines."""
    if is_library(value):
        return []
    return [name for name, held in vars(value).items() if isinstance(held, classmethod)]


def runs(value: type) -> bool:
    """Return whether objects of a class are callable, or have a method such as `predict`."""
    return any(hasattr(value, name) for name in ("__call__", *_CALLED))


def pickles_itself(value: type) -> bool:
    """Return whether a user class, or one of its base classes, customizes pickling."""
    bases = (base for base in value.__mro__ if base is not object)
    return not is_library(value) and any(not _PICKLING.isdisjoint(vars(base)) for base in bases)


def _is_model(value: type) -> bool:
    return any(
        base.__name__ == "Module" and base.__module__ == "torch.nn.modules.module"
        for base in value.__mro__
    )


def _is_called(value: type, name: str) -> bool:
    """Return whether a method may be called although no code of the user contains its name."""
    if name in _CALLED or (name.startswith("__") and name.endswith("__")):
        return True
    bases: tuple[Any, ...] = value.__mro__[1:]
    return any(is_library(base) and name in vars(base) for base in bases)


def _registered(walk: Walk, value: type) -> bytes:
    """Return the token of the classes that are registered with an abstract class."""
    if ABSTRACT not in vars(value):
        return b""
    return walk.unordered(registered(value))
