"""What pickles of user code need beside what cloudpickle does.

- A function that evaluates texts needs the global variables that the texts name.
- A function of `functools.singledispatch` has a cache of weak references, and a
  `functools.cached_property` has a lock before Python 3.12; neither can be pickled.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

from mmnotebook.fingerprint import text_names

_DISPATCHES = functools.singledispatch(lambda value: value).__code__  # type: ignore[attr-defined]
_NAMES = ("__name__", "__qualname__", "__module__", "__doc__")
_OF_DISPATCH = ("register", "dispatch", "registry", "_clear_cache", "__wrapped__")
_LOCK = "lock"


def completed(value: Any, reduced: Any, can_pickle: Callable[[Any], bool]) -> Any:
    """Return what a pickler needs for a value, from what cloudpickle returned for it.

    Parameters
    ----------
    can_pickle
        Returns whether a global variable can be pickled. A variable that cannot be is left out.
    """
    if type(value) is functools.cached_property:
        return _cached_property(value)
    if type(value) is not types.FunctionType or not isinstance(reduced, tuple):
        return reduced
    if value.__code__ is _DISPATCHES:
        return _dispatch(value)
    for name, found in text_names.of(value).items():
        globals_ = reduced[2][1]["__globals__"]
        if name not in globals_ and can_pickle(found):
            globals_[name] = found
    return reduced


def _cached_property(value: functools.cached_property[Any]) -> tuple[Any, ...]:
    kept = {name: held for name, held in vars(value).items() if name not in ("func", _LOCK)}
    return functools.cached_property, (value.func,), kept


def _dispatch(value: Any) -> tuple[Any, ...]:
    names = {name: getattr(value, name) for name in _NAMES}
    kept = {name: held for name, held in vars(value).items() if name not in _OF_DISPATCH}
    state = dict(value.registry), names | kept
    return _new_dispatch, (value.__name__,), state, None, None, _fill_dispatch


def _new_dispatch(name: str) -> Any:
    """Create a function that dispatches; its implementations are set later: they may call it."""

    def placeholder(*_: Any) -> Any: ...

    placeholder.__name__ = name
    return functools.singledispatch(placeholder)


def _fill_dispatch(made: Any, state: tuple[dict[type, Any], dict[str, Any]]) -> None:
    registry, attributes = state
    for kind, implementation in registry.items():
        made.register(kind, implementation)
    made.__wrapped__ = registry[object]
    for name, held in attributes.items():
        setattr(made, name, held)
