"""Patches of libraries by the user: replaced functions and methods, converters, hooks.

A library is identified by its files, which do not contain patches. Patches are searched for in the
modules of the library, in their classes, and in the objects in both: containers, abstract classes
with registered classes, and objects such as accessors. Each of these places is searched once, and
searched again only if its values have changed.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mmnotebook.compat.python import ABSTRACT, registered
from mmnotebook.fingerprint import arrays, frames, origin

Found = list[tuple[str, Any]]
"""The objects of the user in a library, with the names of their places."""

_WRAPPED: dict[type, Callable[[Any], Any]] = {
    **dict.fromkeys((types.MethodType, staticmethod, classmethod), lambda one: one.__func__),
    **dict.fromkeys((functools.partial, functools.cached_property), lambda one: one.func),
    property: lambda one: one.fget,
}
_ELEMENTS = [one for types_, _ in (*arrays.HANDLERS, *frames.HANDLERS) for one in types_]
_CONTAINERS = (dict, list, set)
_PLAIN, _HOLDS, _CODE = "plain", "holds", "code"
_sorts: dict[type, str] = {}


class _Pass(threading.local):
    """The patches found in this `scan_modules_once` block, by module; None outside a block."""

    found: dict[str, Found] | None = None


_pass = _Pass()


@contextlib.contextmanager
def scan_modules_once() -> Iterator[None]:
    """Search each module only once inside this block, in which no code of the user may run."""
    if _pass.found is not None:
        yield
        return
    _pass.found = {}
    try:
        yield
    finally:
        _pass.found = None


def found(name: str) -> Found:
    """Return the patches of the user in a module of a library, in a fixed order."""
    known = _pass.found
    if known is None:
        return _found_now(name)
    if name not in known:
        known[name] = _found_now(name)
    return known[name]


def _found_now(name: str) -> Found:
    look = _looker_of(name)
    return [] if look is None else look.look()


def _looker_of(name: str) -> _Looker | None:
    module = sys.modules.get(name)
    return _looker(name, module) if isinstance(module, types.ModuleType) else None


def around(modules: set[str]) -> set[str]:
    """Return the given modules, the modules that they use, and their packages and requirements."""
    parts = (look for name in modules if "." in name and (look := _looker_of(name)) is not None)
    used = (look.modules for look in parts)
    return modules.union(*map(origin.packages, modules), *used)


def of_elements(names: Iterable[str]) -> Found:
    """Return the user's objects that are stored under these names on array and frame classes."""
    bases = _element_classes(tuple(id(sys.modules.get(home)) for home, _ in _ELEMENTS))
    held = (
        (f"{base.__module__}.{base.__qualname__}.{name}", vars(base)[name])
        for name in sorted(names)
        for base in bases
        if name in vars(base)
    )
    return [one for name, value in held for one in _of_value(name, value)]


@functools.lru_cache(maxsize=1)
def _element_classes(_: tuple[int, ...]) -> list[type]:
    """Return the loaded classes of arrays, tensors and frames, with their base classes."""
    loaded = [(sys.modules[home], name) for home, name in _ELEMENTS if home in sys.modules]
    classes = (getattr(module, name, object) for module, name in loaded)
    return list(dict.fromkeys(base for one in classes for base in one.__mro__))


def _of_value(name: str, value: Any) -> Found:
    if _sort(type(value)) == _HOLDS:
        return _Place(name, value).own
    return [(name, value)] if is_users(value) else []


def _is_own(value: Any) -> bool:
    return _sort(type(value)) == _CODE and is_users(value)


def is_users(value: Any) -> bool:
    """Return whether a value is a function or class of the user, or an object of such a class."""
    kind = type(value)
    if kind in _WRAPPED:
        return is_users(_WRAPPED[kind](value))
    if kind is types.FunctionType:
        return origin.is_users(value.__globals__.get("__name__"))
    return origin.is_users((value if issubclass(kind, type) else kind).__module__)


def _sort(kind: type) -> str:
    """Return whether values of a type may be user code (_CODE) or contain it (_HOLDS)."""
    sort = _sorts.get(kind)
    if sort is None:
        sort = _sorts[kind] = _new_sort(kind)
    return sort


def _new_sort(kind: type) -> str:
    if kind is types.FunctionType or kind in _WRAPPED or issubclass(kind, type):
        return _CODE
    if issubclass(kind, types.ModuleType):
        return _PLAIN
    if origin.is_users(kind.__module__):
        return _CODE
    return _HOLDS if issubclass(kind, _CONTAINERS) or kind.__dictoffset__ else _PLAIN


class _Place:
    """A module, class, container or object of a library, and its values.

    Attributes
    ----------
    own
        The objects of the user in the place, each with its name.
    """

    def __init__(self, name: str, holder: Any) -> None:
        self.name, self.holder = name, holder
        self._values = _values(holder)
        self._mark, values = self._now()
        # Keep these objects alive, so that no new object can have the id of one of them.
        self._kept: list[Any] = []
        self.own: Found = []
        if any(_sort(kind) == _CODE for kind in set(map(type, values))):
            self._kept = [value for value in values if _sort(type(value)) == _CODE]
            self.own = [(self.named(key), one) for key, one in self.items() if _is_own(one)]

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Yield (key, value) for all values of the place; values without keys have the key 0."""
        keys = _mapping(self.holder) if _is_named(self.holder) else itertools.repeat(0)
        return zip(keys, list(self._values()), strict=False)

    def named(self, key: Any) -> str:
        """Return the name of the value with this key."""
        return f"{self.name}.{key}" if isinstance(key, str) else self.name

    @property
    def changed(self) -> bool:
        """Whether the place contains other objects than when it was searched."""
        return self._now()[0] != self._mark

    def _now(self) -> tuple[int, list[Any]]:
        values = list(self._values())
        return hash((*map(type, values), *map(id, values))), values


def _values(holder: Any) -> Callable[[], Iterable[Any]]:
    """Return a function that returns the values of a place, without running its code."""
    if type(holder) is _Registered:
        return holder.classes
    if issubclass(type(holder), (list, set)):
        return lambda: holder
    return _mapping(holder).values  # type: ignore[no-any-return]


def _mapping(holder: Any) -> Any:
    if issubclass(type(holder), dict):
        return holder
    if issubclass(type(holder), (type, types.ModuleType)):
        return vars(holder)
    try:
        return object.__getattribute__(holder, "__dict__")
    except AttributeError:
        return {}


def _is_named(holder: Any) -> bool:
    return not issubclass(type(holder), (list, set, _Registered))


class _Registered:
    """A place with the classes that are registered with an abstract class."""

    def __init__(self, abstract: type) -> None:
        self._abstract = abstract

    def classes(self) -> list[type]:
        return registered(self._abstract)


@functools.lru_cache(maxsize=8192)
def _looker(name: str, module: types.ModuleType) -> _Looker:
    return _Looker(name, module)


class _Looker:
    """The search for patches in a module, its classes, and the objects in both.

    Attributes
    ----------
    modules
        The names of the modules of the same package that the module uses.
    """

    def __init__(self, name: str, module: types.ModuleType) -> None:
        self._name, self._module = name, module
        self._places: dict[int, _Place] = {}
        self.found: Found = []
        self._renew(set())

    def look(self) -> Found:
        """Return the objects of the user in the module."""
        changed = {key for key, place in self._places.items() if place.changed}
        if changed:
            self._renew(changed)
        return self.found

    def _renew(self, changed: set[int]) -> None:
        known, self._places = self._places, {}
        waiting: Found = [(self._name, self._module)]
        for name, holder in waiting:
            key = id(holder)
            if key not in self._places:
                there = key in known and key not in changed
                place = self._places[key] = known[key] if there else _Place(name, holder)
                if issubclass(type(holder), (type, types.ModuleType)):
                    waiting += self._inside(place)
        held = (one for one in vars(self._module).values() if type(one) is types.ModuleType)
        package = self._name.partition(".")[0]
        self.modules = {one.__name__ for one in held if one.__name__.partition(".")[0] == package}
        own = (one for place in self._places.values() for one in place.own)
        self.found = sorted(own, key=lambda one: one[0])

    def _has(self, value: type) -> bool:
        """Return whether a class is defined in the module or, for a top-level package, below it."""
        home = str(value.__module__)
        return home == self._name or home.partition(".")[0] == self._name

    def _inside(self, place: _Place) -> Iterator[tuple[str, Any]]:
        """Yield the places inside a module or class."""
        for key, value in place.items():
            sort = _sort(type(value))
            if sort == _CODE and issubclass(type(value), type):
                if self._has(value):
                    name = f"{value.__module__}.{value.__qualname__}"
                    yield name, value
                    if ABSTRACT in vars(value):
                        yield f"{name} registered", _Registered(value)
            elif sort == _HOLDS and not str(key).startswith("__"):
                yield place.named(key), value
