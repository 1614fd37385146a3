"""Tokens of plain values, containers and other objects, and the handler of each type."""

from __future__ import annotations

import copyreg
import gc
import marshal
import pickle
import types
import weakref
from collections.abc import Callable, Mapping, Set
from contextvars import ContextVar
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from mmnotebook.compat.sklearn import STOP_WORDS_PLACE
from mmnotebook.compat.torch import HOOKS
from mmnotebook.fingerprint import (
    arrays,
    classes,
    codes,
    declared,
    frames,
    functions,
    impure,
    modules,
    origin,
)
from mmnotebook.fingerprint.bytecode import MISSING
from mmnotebook.fingerprint.tokens import hashed, packed
from mmnotebook.graph.names import is_a

if TYPE_CHECKING:
    from mmnotebook.fingerprint.walk import Walk

Handler = Callable[["Walk", Any], bytes]

FLAT = {int, str, bytes, bool, type(None)}
NAN = float("nan")
_IN_MEMORY = {("_io", "BytesIO"), ("_io", "StringIO")}


def flat(values: Any) -> bytes | None:
    """Return the bytes of a sequence of plain values, else None; all nans are equal."""
    kinds = set(map(type, values))
    if not kinds <= FLAT:
        if not kinds <= FLAT | {float}:
            return None
        values = [NAN if value != value else value for value in values]
    # Version 2 of marshal writes no references, and no marks for interned strings.
    return b"flat" + marshal.dumps(values if type(values) is list else list(values), 2)


def sequence(walk: Walk, values: Any) -> bytes:
    plain = flat(values)
    if plain is None:
        plain = b"each" + b"".join(map(walk.token, values))
    return type(values).__name__.encode() + plain


def mapping(walk: Walk, values: Mapping[Any, Any]) -> bytes:
    keys = packed(sequence(walk, tuple(values.keys())))
    return b"dict" + keys + packed(sequence(walk, tuple(values.values())))


def collection(walk: Walk, values: Set[Any]) -> bytes:
    kind = type(values)
    state = (
        b"" if kind in (set, frozenset) else walk.tokens(kind, getattr(values, "__dict__", None))
    )
    in_order = codes.ordered(values) if walk.code_met else b""
    return kind.__name__.encode() + state + walk.unordered(values) + packed(in_order)


def raw(walk: Walk, value: Any) -> bytes:
    """Return the token of memory: a memoryview, bytearray or out-of-band buffer of pickle."""
    view = memoryview(value)
    return b"raw" + walk.tokens(type(value), view.format, view.shape) + hashed(view.tobytes())


def thing(walk: Walk, value: Any) -> bytes:
    """Return the token of any other object, from the data that pickle would store."""
    kind = type(value)
    if walk.stating and impure.is_generator(value):
        # The user declared that the state of the generator does not count.
        return b"generator" + classes.kind(walk, kind)
    try:
        reduce = copyreg.dispatch_table.get(kind)
        made = value.__reduce_ex__(5) if reduce is None else reduce(value)
        if isinstance(made, str):
            return _named(walk, value, made)
        function, args, state, items, pairs, setter = (*made, None, None, None, None)[:6]
        items = None if items is None else list(items)
        pairs = None if pairs is None else dict(pairs)
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001 - it is code of the value's class
        return walk.unknowable(value)
    if function is copyreg.__newobj__ and args[0] is kind:  # type: ignore[attr-defined]
        args = args[1:]
    elif function is kind:
        function = None
    if isinstance(state, dict) and STOP_WORDS_PLACE in state:
        state = {name: part for name, part in state.items() if name != STOP_WORDS_PLACE}
    if is_a(value, {("torch", "Module")}):
        state = _renumbered(state)
    walk.code_met |= classes.runs(kind)
    head = classes.kind(walk, kind) + walk.tokens(function, args, state, setter)
    return b"object" + head + walk.tokens(items, pairs) + _not_pickled(walk, value)


def _renumbered(state: Any) -> Any:
    """Renumber the hooks in the state of a PyTorch module: their numbers depend on the process."""
    if not isinstance(state, dict):
        return state
    hooks = {key: held for key, held in state.items() if HOOKS in key and isinstance(held, dict)}
    numbers = sorted({number for held in hooks.values() for number in held})
    ranks = {number: rank for rank, number in enumerate(numbers)}
    return state | {
        key: {ranks[number]: one for number, one in held.items()} for key, held in hooks.items()
    }


def _named(walk: Walk, value: Any, name: str) -> bytes:
    """Return the token of an object that pickle stores by name; for user objects, with contents."""
    home = origin.home(value, name)
    source = origin.library(home)
    head = b"named" + classes.kind(walk, type(value)) + walk.tokens(name, home)
    if source is not None and home is not None:
        return head + walk.source(source, home)
    held = getattr(value, "__dict__", None) or gc.get_referents(value)
    return head + walk.tokens(*(held.items() if isinstance(held, dict) else held))


def _not_pickled(walk: Walk, value: Any) -> bytes:
    """Return the token of attributes that a class does not pickle but that code may read."""
    if not walk.in_code or not classes.pickles_itself(type(value)):
        return b""
    parts = (
        walk.token(name) + (walk.attempt(held) or b"")
        for name, held in sorted(getattr(value, "__dict__", {}).items())
    )
    return packed(b"".join(parts))


def context(walk: Walk, value: ContextVar[Any]) -> bytes:
    """Return the token of a context variable with its current value."""
    try:
        now = value.get()
    except LookupError:
        now = MISSING
    return b"context" + walk.token(value.name) + walk.held(now)


def refuse(walk: Walk, value: Any) -> bytes:
    return walk.unknowable(value)


_EXACT: dict[type, Handler] = {
    **dict.fromkeys((list, tuple), sequence),
    **dict.fromkeys((dict, types.MappingProxyType), mapping),
    complex: lambda walk, value: b"complex" + walk.tokens(value.real, value.imag),
    property: lambda walk, value: b"property" + walk.tokens(value.fget, value.fset, value.fdel),
    cached_property: lambda walk, value: b"cached" + walk.token(value.func),
    partial: lambda walk, value: (
        b"partial" + walk.tokens(value.func, value.args, value.keywords, vars(value))
    ),
    **dict.fromkeys((memoryview, bytearray, pickle.PickleBuffer), raw),
    **functions.HANDLERS,
    **modules.HANDLERS,
    ContextVar: context,
    weakref.ReferenceType: lambda walk, value: b"reference" + walk.token(value()),
    **declared.HANDLERS,
}


def handler_of(value: Any) -> Handler:
    """Return the function that computes the token of a value, chosen by the value's type."""
    kind = type(value)
    if kind in _EXACT:
        return _EXACT[kind]
    if isinstance(value, type):
        return classes.class_
    if isinstance(value, (set, frozenset)):
        return collection
    for types_, handler in (*arrays.HANDLERS, *frames.HANDLERS):
        if is_a(value, types_):
            return handler
    used_up = hasattr(kind, "__next__") and classes.is_library(kind)
    if (used_up and not is_a(value, _IN_MEMORY)) or is_a(value, {("threading", "Thread")}):
        return refuse
    return thing
