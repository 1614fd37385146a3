"""Fingerprints of user functions, from their code, and of library functions, from the version.

The fingerprint of a user function includes the values that its code reads. The metadata of a
function (name, docstring and annotations) counts if code uses the function in another way than
calling it. If code only calls the function, its metadata counts if any code may read the metadata
of functions.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mmnotebook.fingerprint import (
    bytecode,
    classes,
    codes,
    declared,
    impure,
    modules,
    origin,
    patches,
)
from mmnotebook.fingerprint.bytecode import MISSING, Link, Reading
from mmnotebook.fingerprint.codes import CALLED, KEPT, READ
from mmnotebook.fingerprint.impure import KERNEL
from mmnotebook.fingerprint.tokens import packed

if TYPE_CHECKING:
    from mmnotebook.fingerprint.walk import Walk

_OF_ITSELF = {"__hash__", "__eq__", "__repr__"}
"""Methods that may use the hash or address of their object."""
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_LEFT_OUT = {"_type_hints", "__wrapped__"}
"""Attributes that are not compared: the type hints that Beam adds, and the wrapped function, which
is included separately.
"""
_LRU = type(functools.lru_cache(len))


def function(walk: Walk, value: types.FunctionType) -> bytes:
    """Return the token of a Python function that code may use in any way."""
    return _function(walk, value, called=False)


def called(walk: Walk, value: Any) -> bytes:
    """Return the token of a function, method, property or class that code only calls."""
    kind = type(value)
    if kind is types.FunctionType:
        return walk.once((id(value), CALLED), value, _called)
    if kind is types.MethodType:
        with walk.used_by(getattr(value.__func__, "__qualname__", "it"), "uses"):
            owner = walk.token(value.__self__)
        return packed(b"method" + called(walk, value.__func__) + owner)
    if kind is functools.partial:
        walk.keywords.update(value.keywords)
        held = walk.tokens(value.args, value.keywords, vars(value))
        return packed(b"partial" + called(walk, value.func) + held)
    if kind is property:
        parts = (_attribute_function(walk, part) for part in (value.fget, value.fset, value.fdel))
        return packed(b"property" + b"".join(parts))
    if kind is functools.cached_property:
        return packed(b"cached" + _attribute_function(walk, value.func))
    if kind is _LRU:
        return packed(
            b"lru" + walk.token(value.cache_parameters()) + called(walk, value.__wrapped__)
        )
    if kind in (staticmethod, classmethod):
        return packed(kind.__name__.encode() + called(walk, value.__func__))
    if isinstance(value, type):
        return classes.called(walk, value)
    return walk.token(value)


def _called(walk: Walk, value: types.FunctionType) -> bytes:
    return _function(walk, value, called=True)


def _attribute_function(walk: Walk, value: Any) -> bytes:
    """Return the token of a function that a property or cached property calls.

    The name of the function does not count, since code cannot read it.
    """
    if type(value) is not types.FunctionType:
        return called(walk, value)

    def unnamed(walk: Walk, value: types.FunctionType) -> bytes:
        return _function(walk, value, called=True, name="")

    return walk.once((id(value), "behind"), value, unnamed)


def _function(
    walk: Walk, value: types.FunctionType, called: bool, name: str | None = None
) -> bytes:
    walk.code_met = True
    source = origin.library(value.__globals__.get("__name__"))
    if source is None:
        walk.codes.update(codes.inside(value.__code__))
        name = value.__name__ if name is None else name
        with declared.stating(walk, value):
            return _user_function(walk, value) + _metadata(walk, value, called, name)
    if _is_public(value):
        _check_pure(walk, value)
        return _library_function(walk, value, source)
    # For example, the wrapper that a library's decorator returns: the library defines its code, but
    # its closure contains values of the user.
    stated = {key: one for key, one in vars(value).items() if not _is_cache(one)}
    inside = walk.tokens(value.__defaults__, value.__kwdefaults__, stated)
    cells = (one for one in bytecode.cells(value).values() if not _is_cache(one))
    held = b"".join(map(walk.held, cells))
    home = walk.source(source, value.__globals__["__name__"])
    return b"wrapper" + home + codes.body(value.__code__) + inside + held


def _is_cache(value: Any) -> bool:
    """Return whether a value is a cache with weak keys, as in functools.singledispatch."""
    owner = getattr(value, "__self__", value)
    return isinstance(owner, WeakKeyDictionary)


def _is_public(value: Any) -> bool:
    """Return whether the module of a function contains it under its qualified name."""
    found: Any = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = bytecode.member(found, name)
    return getattr(found, "__func__", found) is value


def _library_function(walk: Walk, value: Any, source: str) -> bytes:
    home = walk.source(source, value.__globals__["__name__"])
    return b"library" + home + walk.tokens(value.__module__, value.__qualname__)


def _check_pure(walk: Walk, value: Any) -> None:
    does, words = impure.now().of_value(value)
    if does:
        walk.refuse(does, words)


def _metadata(walk: Walk, value: types.FunctionType, called: bool, name: str) -> bytes:
    """Return the token of a function's metadata; b"" if code only calls the function.

    The metadata is also recorded in the walk: it counts later if other code may read it.
    """
    code = value.__code__
    names = codes.parameters(code)
    named = value.__name__, value.__qualname__, value.__module__
    token = walk.tokens(*named, names, value.__doc__)

    def whole() -> bytes:
        return token + walk.tokens(code.co_varnames, _annotations(value))

    walk.metadata(name, whole)
    if not called:
        return token + walk.member(frozenset({"__annotations__"}), _annotations(value))
    where = codes.body(code)
    for place, parameter in enumerate(names):
        walk.given(parameter, where + bytes((place & 255,)))
    return b""


def _annotations(value: Any) -> Any:
    try:
        return value.__annotations__
    except Exception:  # noqa: BLE001 - since Python 3.14, the access runs user code
        return MISSING


def _user_function(walk: Walk, value: types.FunctionType) -> bytes:
    code, name = value.__code__, value.__qualname__.rpartition("<locals>.")[2]
    read = bytecode.read(value)
    walk.uses(read, codes.keywords(code))
    with walk.used_by(name, "uses"):
        _check(walk, read, name, value.__name__)
    body = b"function" + walk.token(_PYTHON) + codes.body(code)
    if read.reads_variables:
        body += walk.tokens(*(one.co_varnames for one in codes.inside(code)))
    body += walk.tokens(*((one.co_name, codes.doc(one)) for one in read.nested))
    with walk.used_by(name, "uses"):
        for default in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
            _check_pure(walk, default)
        attributes = {key: held for key, held in vars(value).items() if key not in _LEFT_OUT}
        body += walk.tokens(value.__defaults__, value.__kwdefaults__, attributes)
        if "__wrapped__" in vars(value):
            body += called(walk, vars(value)["__wrapped__"])
        body += _read(walk, read)
    with walk.used_by(name, "closes over"):
        for key, found in codes.in_order(code, bytecode.cells(value)):
            is_own_class = key == "__class__" and isinstance(found, type)
            body += classes.kind(walk, found) if is_own_class else used(walk, found, read)
    return body


def _read(walk: Walk, read: Reading) -> bytes:
    """Return the tokens of the values that code reads from outside."""
    body = b""
    for key, found in sorted(read.globals.items()):
        body += walk.token(key) + used(walk, found, read)
    for key, found in sorted(read.modules.items()):
        body += walk.token(key) + _imported(walk, key, found, read)
    for place, found in patches.of_elements(read.loose):
        body += walk.token(place) + walk.token(found)
    return body + b"".join(_linked(walk, link, read) for link in read.links)


def _linked(walk: Walk, link: Link, read: Reading) -> bytes:
    """Return the token of a value that code reads from a library's module or from a class."""
    found, parent = link.value, link.parent
    if found is MISSING or isinstance(found, types.ModuleType):
        return b""
    if isinstance(parent, type):
        passed_on = isinstance(found, types.FunctionType) and not read.only(found, CALLED, KEPT)
        return walk.token(found) if passed_on else b""
    if not isinstance(parent, types.ModuleType) or parent.__name__ == "builtins":
        return b""
    if origin.library_of(parent) is None:
        return b""
    if callable(found):
        return used(walk, found, read)
    if impure.now().of_value(found)[0]:
        return b""  # the code that reads it is refused; its token would include all modules
    # If an object of a library has no fingerprint (a stream, a lock), only the library's version
    # counts.
    return walk.attempt(found) or b""


def _check(walk: Walk, read: Reading, name: str, last: str) -> None:
    if read.changes is not None:
        what, kind = read.changes
        walk.refuse("", f"`{what}` is a {kind} that {name} itself changes", alone=True)
    ignored = {KERNEL} if last in _OF_ITSELF else set()
    for does, words in impure.now().of_code(read, ignored, is_method=name != last):
        walk.refuse(does, words)


def used(walk: Walk, found: Any, read: Reading) -> bytes:
    """Return the token of a value that code reads; it depends on how the code uses the value."""
    if isinstance(found, types.ModuleType):
        if read.only(found, READ, KEPT):
            return modules.named(walk, found, read)
        return walk.token(found)
    if isinstance(found, types.BuiltinFunctionType):
        return walk.once((id(found), "read"), found, _builtin)
    if isinstance(found, types.FunctionType):
        return _used_function(walk, found, read)
    if isinstance(found, type) and read.only(found, CALLED, READ, KEPT):
        return classes.called(walk, found)
    if isinstance(found, (types.MethodType, functools.partial, _LRU)) and read.only(found, CALLED):
        return called(walk, found)
    return walk.held(found)


def _used_function(walk: Walk, found: types.FunctionType, read: Reading) -> bytes:
    source = origin.library(found.__globals__.get("__name__"))
    if source is not None and _is_public(found):  # `_check` covers it with the code that reads it
        return packed(_library_function(walk, found, source))
    return called(walk, found) if read.only(found, CALLED, KEPT) else walk.token(found)


def _imported(walk: Walk, name: str, found: Any, read: Reading) -> bytes:
    if found is not MISSING:
        return used(walk, found, read)
    source = origin.not_loaded(name)
    if source is None:
        return walk.refuse("", f"imports {name}, which is not loaded yet")
    return walk.source(source, name)


def code(walk: Walk, value: types.CodeType) -> bytes:
    """Return the token of a code object that belongs to no function."""
    return b"code" + codes.body(value) + walk.tokens(value.co_names, value.co_varnames)


def builtin(walk: Walk, value: Any) -> bytes:
    """Return the token of a builtin function, or of a builtin method that is bound to an object."""
    _check_pure(walk, value)
    return _builtin(walk, value)


def _builtin(walk: Walk, value: Any) -> bytes:
    walk.code_met = True
    owner = value.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        home = value.__module__ or getattr(owner, "__name__", None)
        return b"builtin" + _version(walk, home, value) + walk.tokens(home, value.__qualname__)
    return b"bound" + walk.tokens(value.__name__, owner)


def _version(walk: Walk, home: str | None, value: Any) -> bytes:
    source = origin.library(home)
    if source is None and home is not None and home in sys.modules:
        return walk.unknowable(value)
    return walk.source(source or "", home or "")


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
    types.CodeType: code,
    types.MethodWrapperType: builtin,
    _LRU: cached,
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
