"""Takes a value apart, down to plain data, and puts a digest of all of it together."""

from __future__ import annotations

import copyreg
import marshal
import pickle
import struct
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

from mmnotebook.graph.digests import arrays, classes, frames, functions, origin
from mmnotebook.graph.digests.impure import Impure
from mmnotebook.graph.digests.tokens import hashed, packed
from mmnotebook.graph.digests.unknowable import Unknowable, noun
from mmnotebook.graph.names import is_a

Handler = Callable[["Walk", Any], bytes]

_FLAT = {int, str, bytes, bool, type(None)}
_NAN = float("nan")
_NO_REACH = 1 << 62
_ADDRESS = "_stop_words_id"  # scikit-learn's vectorizers keep where their stop words were
_IN_MEMORY = {("_io", "BytesIO"), ("_io", "StringIO")}


def digest(value: Any) -> str:
    """What a value is, as 32 hex digits: the same for equal values in every process.

    Types count: 1, 1.0, True and "1" all differ, and so do 0.0 and -0.0; nan equals nan. The
    order of a dict counts, that of a set does not. Arrays, tensors and frames count by their
    numbers, functions and classes by their code and what it reads, those of installed packages by
    their name and the package's version, everything else by what pickle would store.

    Parameters
    ----------
    value
        Any object.

    Raises
    ------
    Unknowable
        When there is something in it that cannot be taken apart (a lock, an open file, a
        generator), or code whose result depends on more than what it is given.
    """
    walk = Walk()
    try:
        token = walk.token(value)
    except RecursionError:
        raise Unknowable("it is nested too deeply") from None
    walk.settle()
    return hashed(token).hex()


class Walk:
    """One walk through a value.

    A token is a few bytes that say where they end; tokens of equal values are equal. What has been
    seen keeps its token. In a cycle an object refers back to one that is still open by how many
    were opened since, so that the token does not depend on where the cycle was met; objects that
    belong to a cycle stay open until the first of them is closed.
    """

    def __init__(self) -> None:
        # Both keep their objects alive: an id is used again as soon as its object is gone.
        self._known: dict[Any, tuple[bytes, Any]] = {}
        self._open: dict[Any, tuple[int, Any]] = {}
        self._reach = _NO_REACH
        self._handlers: dict[type, Handler] = {}
        self._users: list[tuple[str, str]] = []
        self._suspects: list[tuple[str, Unknowable]] = []
        self._heads: dict[Any, bytes] = {}
        self.named: set[str] = set()
        self.building = False

    def token(self, value: Any) -> bytes:
        """The token of any value."""
        kind = type(value)
        if kind in _FLAT:
            return packed(marshal.dumps(value, 2))
        if kind is float:
            return packed(b"f" + struct.pack("<d", _NAN if value != value else value))
        handler = self._handlers.get(kind)
        if handler is None:
            handler = self._handlers[kind] = _handler(value)
        return self.once(id(value), value, handler)

    def tokens(self, *values: Any) -> bytes:
        return b"".join(map(self.token, values))

    def head(self, *parts: Any) -> bytes:
        """The token of what many values of a walk have in common: hashable, and not big."""
        if parts not in self._heads:
            self._heads[parts] = b"".join(
                self.token(part if isinstance(part, tuple) else str(part)) for part in parts
            )
        return self._heads[parts]

    def once(self, key: Any, value: Any, take_apart: Handler) -> bytes:
        """The token of a value that may be met again, or be a part of itself."""
        if key in self._known:
            return self._known[key][0]
        if key in self._open:
            place = self._open[key][0]
            self._reach = min(self._reach, place)
            return packed(b"^" + (len(self._open) - place).to_bytes(8, "big"))
        place, outer = len(self._open), self._reach
        self._open[key] = place, value
        self._reach = _NO_REACH
        token = packed(take_apart(self, value))
        if self._reach >= place:
            self._forget(place, len(self._known))
            self._known[key] = token, value
            self._reach = outer
        else:
            self._reach = min(outer, self._reach)
        return token

    def _forget(self, opened: int, known: int) -> None:
        while len(self._open) > opened:
            self._open.popitem()
        while len(self._known) > known:
            self._known.popitem()

    def unordered(self, values: Iterable[Any]) -> bytes:
        """Tokens in an order of their own; what one element has seen is nothing to the next."""
        marks = len(self._open), len(self._known)
        tokens = []
        for value in values:
            tokens.append(self.token(value))
            self._forget(*marks)
        return b"".join(sorted(tokens))

    @contextmanager
    def used_by(self, name: str, verb: str) -> Iterator[None]:
        """Names the function, and what it does with what is met inside, for the reasons."""
        self._users.append((name, verb))
        try:
            yield
        finally:
            self._users.pop()

    @contextmanager
    def making(self, is_model: bool) -> Iterator[None]:
        """Inside, does code make a model? The weights that it draws are there to be replaced."""
        outer, self.building = self.building, is_model
        try:
            yield
        finally:
            self.building = outer

    def unknowable(self, value: Any) -> Unknowable:
        """The refusal of something that cannot be taken apart."""
        verb = self._users[-1][1] if self._users else "holds"
        return self.refusal(f"{verb} {noun(value)}, which cannot be taken apart")

    def refusal(self, does: str, who: str | None = None) -> Unknowable:
        """The refusal of what a function does; None is the one that is being read."""
        who = who or (self._users[-1][0] if self._users else "it")
        first = self._users[0][0] if self._users else who
        return Unknowable(f"{who} {does}" if first == who else f"{first} calls {who}, which {does}")

    @cached_property
    def impure(self) -> Impure:
        return Impure()

    def suspected(self, name: str, value: Any, certain: bool) -> bytes:
        """The token of a method; one that is impure counts only when something calls it."""
        marks, reach = (len(self._open), len(self._known)), self._reach
        try:
            return self.token(value)
        except Unknowable as reason:
            if certain:
                raise
            self._forget(*marks)
            self._reach = reach
            self._suspects.append((name, reason))
            return packed(b"suspect")

    def settle(self) -> None:
        """Raise Unknowable for an impure method that some code of the value names."""
        for name, reason in self._suspects:
            if name in self.named:
                raise reason


def flat(values: Any) -> bytes | None:
    """A sequence of plain values in one go, None for any other; floats have one nan only."""
    kinds = set(map(type, values))
    if not kinds <= _FLAT:
        if not kinds <= _FLAT | {float}:
            return None
        values = [_NAN if value != value else value for value in values]
    # Version 2 writes neither references nor which strings are interned.
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
    return kind.__name__.encode() + state + walk.unordered(values)


def raw(walk: Walk, value: Any) -> bytes:
    """Memory: a memoryview, or what pickle would keep out of its stream."""
    view = memoryview(value)
    return b"raw" + walk.tokens(type(value), view.format, view.shape) + hashed(view.tobytes())


def thing(walk: Walk, value: Any) -> bytes:
    """Any other object, as pickle would take it apart."""
    kind = type(value)
    try:
        reduce = copyreg.dispatch_table.get(kind)
        made = value.__reduce_ex__(5) if reduce is None else reduce(value)
        if isinstance(made, str):
            home = getattr(value, "__module__", None)
            return b"named" + walk.tokens(made, home, origin.library(home))
        function, args, state, items, pairs, setter = (*made, None, None, None, None)[:6]
        items = None if items is None else list(items)
        pairs = None if pairs is None else dict(pairs)
    except RecursionError:
        raise
    except Exception as error:
        raise walk.unknowable(value) from error
    if function is copyreg.__newobj__ and args[0] is kind:  # type: ignore[attr-defined]
        args = args[1:]
    elif function is kind:
        function = None
    if isinstance(state, dict) and _ADDRESS in state:
        state = {name: part for name, part in state.items() if name != _ADDRESS}
    head = classes.kind(walk, kind) + walk.tokens(function, args, state, setter)
    return b"object" + head + walk.tokens(items, pairs)


def refuse(walk: Walk, value: Any) -> bytes:
    raise walk.unknowable(value)


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
}


def _handler(value: Any) -> Handler:
    """How values of this type are taken apart."""
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
