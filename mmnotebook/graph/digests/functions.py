"""Functions: the user's by their code and what it reads, a library's by its name and version."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mmnotebook.graph.digests import classes, origin, reading
from mmnotebook.graph.digests.impure import KERNEL, RANDOM
from mmnotebook.graph.digests.reading import MISSING, Reading
from mmnotebook.graph.digests.tokens import packed
from mmnotebook.graph.digests.unknowable import Unknowable

if TYPE_CHECKING:
    from mmnotebook.graph.digests.walk import Walk

_OF_ITSELF = {"__hash__", "__eq__", "__repr__"}
"""Methods that may well ask for the hash or the place of their object."""
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_CODE = [
    "co_code",
    "co_exceptiontable",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_flags",
]


def function(walk: Walk, value: types.FunctionType) -> bytes:
    """A Python function."""
    source = origin.library(value.__globals__.get("__name__"))
    if source is None:
        return _own(walk, value)
    if _is_public(value):
        _check_pure(walk, value)
        return _library_function(walk, value, source)
    # A decorator's wrapper, say: its own code is the library's, what it closes over need not be.
    inside = walk.tokens(value.__defaults__, value.__kwdefaults__, vars(value))
    held = b"".join(_held(walk, cell) for cell in reading.cells(value).values())
    return b"wrapper" + walk.tokens(source) + code(walk, value.__code__) + inside + held


def _is_public(value: Any) -> bool:
    """Is a function what its own name stands for?"""
    found: Any = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = reading.member(found, name)
    return getattr(found, "__func__", found) is value


def _library_function(walk: Walk, value: Any, source: str) -> bytes:
    return b"library" + walk.tokens(source, value.__module__, value.__qualname__)


def _check_pure(walk: Walk, value: Any) -> None:
    does = walk.impure.of_value(value)
    if does is not None:
        raise walk.refusal(does)


def _own(walk: Walk, value: types.FunctionType) -> bytes:
    name = value.__qualname__.rpartition("<locals>.")[2]
    read = reading.read(value)
    if not walk.building:
        walk.named |= read.attributes
    _check(walk, read, name, value.__name__)
    body = b"function" + walk.token(_PYTHON) + code(walk, value.__code__)
    with walk.used_by(name, "uses"):
        for default in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
            _check_pure(walk, default)
        # Beam leaves its type hints on every function that a pipeline was given.
        attributes = {key: held for key, held in vars(value).items() if key != "_type_hints"}
        body += walk.tokens(value.__defaults__, value.__kwdefaults__, attributes)
        for key, found in sorted(read.globals.items()):
            body += walk.token(key) + _outside(walk, found, read)
        for key, found in sorted(read.modules.items()):
            body += walk.token(key) + _imported(walk, key, found, read)
    with walk.used_by(name, "closes over"):
        for key, found in reading.cells(value).items():
            is_own_class = key == "__class__" and isinstance(found, type)
            body += classes.kind(walk, found) if is_own_class else _outside(walk, found, read)
    return body


def _check(walk: Walk, read: Reading, name: str, last: str) -> None:
    if read.changes is not None:
        what, kind = read.changes
        raise Unknowable(f"`{what}` is a {kind} that {name} itself changes")
    ignored = {KERNEL} if last in _OF_ITSELF else set()
    if walk.building:
        ignored.add(RANDOM)
    does = walk.impure.of_code(read, ignored, is_method=name != last)
    if does is not None:
        raise walk.refusal(does, name)


def _outside(walk: Walk, found: Any, read: Reading) -> bytes:
    """The token of what code finds under a name."""
    if isinstance(found, types.ModuleType):
        return module(walk, found, read.attributes)
    if isinstance(found, (types.FunctionType, types.BuiltinFunctionType)):
        return walk.once((id(found), "read"), found, _checked)
    return _held(walk, found)


def _checked(walk: Walk, value: Any) -> bytes:
    """A function that code reads, which has been checked with the rest of that code."""
    if isinstance(value, types.BuiltinFunctionType):
        return _builtin(walk, value)
    source = origin.library(value.__globals__.get("__name__"))
    if source is not None and _is_public(value):
        return _library_function(walk, value, source)
    return walk.token(value)


def _held(walk: Walk, found: Any) -> bytes:
    return packed(b"missing") if found is MISSING else walk.token(found)


def _imported(walk: Walk, name: str, found: Any, read: Reading) -> bytes:
    if found is not MISSING:
        return _outside(walk, found, read)
    source = origin.not_loaded(name)
    if source is None:
        raise walk.refusal(f"imports {name}, which is not loaded yet")
    return walk.token(source)


def module(walk: Walk, value: types.ModuleType, names: frozenset[str]) -> bytes:
    """A module as some code sees it: a library's by its version, the user's by what is named."""
    source = origin.library_of(value)
    if source is not None:
        return packed(b"module" + walk.tokens(source, value.__name__))

    def named(walk: Walk, value: types.ModuleType) -> bytes:
        inside = [name for name in sorted(names) if name in vars(value)]
        return b"module" + b"".join(
            walk.token(name)
            + (
                module(walk, found, names)
                if isinstance(found := vars(value)[name], types.ModuleType)
                else walk.token(found)
            )
            for name in inside
        )

    return walk.once((id(value), names), value, named)


def known_module(walk: Walk, value: types.ModuleType) -> bytes:
    """A module that stands where no code says what it needs of it."""
    if origin.library_of(value) is None:
        raise walk.unknowable(value)
    return module(walk, value, frozenset())


def code(walk: Walk, value: types.CodeType) -> bytes:
    """Code without its name, file and line numbers."""
    parts = walk.tokens(*(getattr(value, part, None) for part in _CODE))
    consts = (
        packed(code(walk, const)) if isinstance(const, types.CodeType) else walk.token(const)
        for const in value.co_consts
    )
    return b"code" + parts + b"".join(consts)


def builtin(walk: Walk, value: Any) -> bytes:
    """A compiled function, or a method of one object."""
    _check_pure(walk, value)
    return _builtin(walk, value)


def _builtin(walk: Walk, value: Any) -> bytes:
    owner = value.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        home = value.__module__ or getattr(owner, "__name__", None)
        return b"builtin" + walk.tokens(_version(walk, home, value), home, value.__qualname__)
    return b"bound" + walk.tokens(value.__name__, owner)


def _version(walk: Walk, home: str | None, value: Any) -> str:
    source = origin.library(home)
    if source is None and home is not None and home in sys.modules:
        raise walk.unknowable(value)
    return source or ""


def method(walk: Walk, value: types.MethodType) -> bytes:
    return b"method" + walk.tokens(value.__func__, value.__self__)


def descriptor(walk: Walk, value: Any) -> bytes:
    return b"descriptor" + classes.kind(walk, value.__objclass__) + walk.token(value.__name__)


def wrapped(kind: bytes) -> Callable[[Walk, Any], bytes]:
    return lambda walk, value: kind + walk.token(value.__func__)


def cached(walk: Walk, value: Any) -> bytes:
    return b"lru_cache" + walk.tokens(value.cache_parameters(), value.__wrapped__)


HANDLERS: dict[type, Callable[[Walk, Any], bytes]] = {
    types.FunctionType: function,
    types.BuiltinFunctionType: builtin,
    types.MethodType: method,
    types.ModuleType: known_module,
    types.CodeType: code,
    types.MethodWrapperType: builtin,
    type(functools.lru_cache(len)): cached,
    staticmethod: wrapped(b"static"),
    classmethod: wrapped(b"class"),
    **dict.fromkeys(
        (
            types.MethodDescriptorType,
            types.WrapperDescriptorType,
            types.ClassMethodDescriptorType,
            types.GetSetDescriptorType,
            types.MemberDescriptorType,
        ),
        descriptor,
    ),
}
