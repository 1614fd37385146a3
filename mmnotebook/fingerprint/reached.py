"""What the code of a function uses: functions, values, modules and packages.

Only the code of the user is read; a library is one package, whatever its functions use.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mmnotebook.fingerprint import bytecode, impure, origin
from mmnotebook.fingerprint.bytecode import MISSING

_LRU = type(functools.lru_cache(len))
_OURS = __name__.partition(".")[0]


@dataclass
class Reached:
    """What a function uses, directly and through other functions of the user.

    Attributes
    ----------
    functions
        The functions of the user, the function itself included.
    values
        The values that functions of the notebook read, by the name of the variable. They become a
        part of the pipeline.
    modules
        The names of the user's modules, other than the notebook, that are imported.
    packages
        The import names of the packages of libraries, without Python's own.
    has_buffers
        Whether the code uses files in memory, such as `io.BytesIO`.
    """

    functions: list[types.FunctionType] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, None] = field(default_factory=dict)
    packages: dict[str, None] = field(default_factory=dict)
    has_buffers: bool = False


def reached(value: Any) -> Reached:
    """Return what a function, a method, a class or a callable object uses.

    Examples
    --------
    >>> import numpy as np
    >>> list(reached(np.mean).packages)
    ['numpy']
    """
    walk = _Walk()
    walk.add(value)
    while walk.waiting:
        walk.look(walk.waiting.pop())
    return walk.found


class _Walk:
    def __init__(self) -> None:
        self.found = Reached()
        self.waiting: list[Any] = []
        self._seen: dict[int, Any] = {}

    def add(self, value: Any) -> None:
        if id(value) not in self._seen:
            self._seen[id(value)] = value
            self.waiting.append(value)

    def look(self, value: Any) -> None:
        """Look at a value that code uses or calls."""
        if isinstance(value, types.ModuleType):
            self._module(value.__name__)
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, (types.MethodType, functools.partial, _LRU, staticmethod, property)):
            for part in _parts(value):
                self.add(part)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, types.BuiltinFunctionType):
            self._module(getattr(value, "__module__", None))
        else:
            self.add(type(value))

    def _module(self, name: Any) -> None:
        if not isinstance(name, str) or name == "__main__":
            return
        if origin.is_users(name):
            self.found.modules[name] = None
        elif (package := origin.package(name)) is not None and package != _OURS:
            self.found.packages[package] = None

    def _class(self, value: type) -> None:
        self._module(value.__module__)
        if origin.library(value.__module__) is None:
            for member in (*value.__bases__, *vars(value).values()):
                if isinstance(member, (type, types.FunctionType, staticmethod, property)):
                    self.add(member)

    def _function(self, value: types.FunctionType) -> None:
        self._module(value.__module__)
        if origin.library(value.__globals__.get("__name__")) is not None:
            return
        self.found.functions.append(value)
        read = bytecode.read(value)
        self.found.has_buffers |= any(impure.is_a_buffer(link.value) for link in read.links)
        is_sent = not origin.is_importable(value)
        for name, held in self._values(value, read):
            self.add(held)
            if is_sent and not isinstance(held, (types.ModuleType, types.FunctionType, type)):
                self.found.values[name] = held
        for name in read.modules:
            self._module(name)

    def _values(
        self, value: types.FunctionType, read: bytecode.Reading
    ) -> Iterator[tuple[str, Any]]:
        own = value.__globals__
        yield from ((name, held) for name, held in read.globals.items() if name in own)
        yield from bytecode.cells(value).items()
        code, defaults = value.__code__, value.__defaults__ or ()
        names = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
        yield from zip(names, defaults, strict=True)
        yield from (value.__kwdefaults__ or {}).items()
        for link in read.links:
            is_members = isinstance(link.parent, types.ModuleType) and link.value is not MISSING
            if is_members and link.parent.__name__ != "builtins":
                self.add(link.value)


def _parts(value: Any) -> Iterator[Any]:
    """Yield the functions and objects behind a method, a partial function or a wrapper."""
    for name in ("__self__", "__func__", "func", "__wrapped__", "fget", "fset"):
        part = getattr(value, name, None)
        if part is not None:
            yield part
    if isinstance(value, functools.partial):
        yield from value.args
        yield from value.keywords.values()
