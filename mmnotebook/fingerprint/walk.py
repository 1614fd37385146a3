"""The walk over a value down to plain data, and the digest of all of it."""

from __future__ import annotations

import copyreg
import gc
import marshal
import pickle
import struct
import types
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from mmnotebook.compat.sklearn import STOP_WORDS_PLACE
from mmnotebook.compat.torch import HOOKS
from mmnotebook.errors import one_line
from mmnotebook.fingerprint import (
    arrays,
    classes,
    codes,
    declared,
    frames,
    functions,
    impure,
    modules,
    notes,
    origin,
    patches,
    settings,
)
from mmnotebook.fingerprint.bytecode import MISSING, Reading
from mmnotebook.fingerprint.notes import Notes
from mmnotebook.fingerprint.tokens import hashed, packed
from mmnotebook.fingerprint.unknowable import Unknowable, noun
from mmnotebook.graph.names import is_a

Handler = Callable[["Walk", Any], bytes]

_FLAT = {int, str, bytes, bool, type(None)}
_NAN = float("nan")
_NO_REACH = 1 << 62
_IN_MEMORY = {("_io", "BytesIO"), ("_io", "StringIO")}


def digest(value: Any) -> str:
    """Return the content identity of a value: 32 hex digits, equal for equal values everywhere.

    Types count: 1, 1.0, True and "1" all differ, and so do 0.0 and -0.0; nan equals nan. The
    order of a dict counts, that of a set does not. Arrays, tensors and frames count by their
    numbers; functions and classes by their code, what it reads and the settings that it may
    read; those of installed packages by their name and the package's files; everything else by
    what pickle would store. The function is taken as one that is called: its docstring and the
    names of its variables count only where some code may read them.

    Parameters
    ----------
    value
        Any object.

    Raises
    ------
    Unknowable
        When something in it cannot be fingerprinted (a lock, an open file, a generator), or code
        whose result depends on more than its argument.
    """
    return _digest(lambda walk: walk.called(value))


@dataclass
class Deferred:
    """What remains to be observed when the code of some digests runs.

    Attributes
    ----------
    may
        What the code may do of `impure.OBSERVED`.
    codes
        The user's code.
    """

    may: set[str] = field(default_factory=set)
    codes: set[types.CodeType] = field(default_factory=set)


_deferred: ContextVar[Deferred | None] = ContextVar("mmnotebook_deferred", default=None)


@contextmanager
def deferring() -> Iterator[Deferred]:
    """Inside this block, effects that can be observed at run time do not rule out a fingerprint."""
    deferred = Deferred()
    token = _deferred.set(deferred)
    try:
        yield deferred
    finally:
        _deferred.reset(token)


def digest_of_classes(values: Iterable[Any]) -> str:
    """Return the digest of classes of existing objects, and of functions among them.

    Raises
    ------
    Unknowable
        As for `digest`, but not because of code that only creates objects.
    """

    def kinds(walk: Walk) -> bytes:
        walk.code_met = True
        return b"".join(
            classes.kind(walk, value) if isinstance(value, type) else walk.token(value)
            for value in values
        )

    return _digest(kinds)


def digest_of_settings(libraries: Iterable[str] = settings.LIBRARIES) -> str:
    """Return the digest of all settings that a call may read and that differ from the defaults.

    Parameters
    ----------
    libraries
        Those libraries to include whose settings concern only code that uses them.

    Raises
    ------
    Unknowable
        When a setting cannot be fingerprinted.
    """
    return _digest(lambda walk: walk.token(settings.changed(set(libraries))))


def _digest(take_apart: Callable[[Walk], bytes]) -> str:
    walk, deferred = Walk(), _deferred.get()
    try:
        token = take_apart(walk) + walk.rest()
    except RecursionError:
        raise Unknowable("it is nested too deeply") from None
    except Unknowable:
        raise
    except Exception as error:
        raise Unknowable(f"it cannot be fingerprinted: {one_line(error)}") from error
    for refusal in notes.refusals(walk.said):
        if deferred is None or refusal.does not in impure.OBSERVED:
            raise Unknowable(refusal.words)
        deferred.may.add(refusal.does)
    if deferred is not None:
        deferred.codes |= walk.codes
    return hashed(token).hex()


class Walk:
    """One walk through a value.

    A token is a few bytes that encode their own length; tokens of equal values are equal. An object
    that occurs again has the same token. In a cycle, an object is encoded by how many objects were
    opened since it was, so that the token does not depend on where the cycle was entered; objects
    of a cycle stay open until the first of them is closed.
    """

    def __init__(self) -> None:
        # Both keep their objects alive, since ids of dead objects are reused.
        self._known: dict[Any, tuple[bytes, Any, Notes]] = {}
        self._open: dict[Any, tuple[int, Any, Notes]] = {}
        self._reach = _NO_REACH
        self._handlers: dict[type, Handler] = {}
        self._users: list[tuple[str, str]] = []
        self._heads: dict[Any, bytes] = {}
        self._given: dict[str, set[bytes]] = {}
        self._asked: dict[str, list[Callable[[], bytes]]] = {}
        self._asks = False
        self._handed: set[str] = set()
        self._modules: set[str] = set()
        self.said: Notes = []
        self.keywords: set[str] = set()
        self.code_met = False
        self.codes: set[types.CodeType] = set()
        self.stating = False

    def token(self, value: Any) -> bytes:
        """Return the token of any value."""
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
        """Return the token of small, hashable parts that many values of a walk share."""
        if parts not in self._heads:
            self._heads[parts] = b"".join(
                self.token(part if isinstance(part, tuple) else str(part)) for part in parts
            )
        return self._heads[parts]

    def once(self, key: Any, value: Any, take_apart: Handler) -> bytes:
        """Return the token of a value that may occur again, or contain itself."""
        if key in self._known:
            token, _, said = self._known[key]
            self._say(said)
            return token
        if key in self._open:
            place, _, said = self._open[key]
            self._reach = min(self._reach, place)
            self.said.append(said)
            return packed(b"^" + (len(self._open) - place).to_bytes(8, "big"))
        place, outer, around = len(self._open), self._reach, self.said
        said = self.said = []
        self._open[key] = place, value, said
        self._reach = _NO_REACH
        token = packed(take_apart(self, value))
        if self._reach >= place:
            self._forget(place, len(self._known))
            self._known[key] = token, value, said
            self._reach = outer
        else:
            self._reach = min(outer, self._reach)
        self.said = around
        self._say(said)
        return token

    def _say(self, said: Notes) -> None:
        if said:
            self.said.append(said)

    def _forget(self, opened: int, known: int) -> None:
        while len(self._open) > opened:
            self._open.popitem()
        while len(self._known) > known:
            self._known.popitem()

    def unordered(self, values: Iterable[Any]) -> bytes:
        """Return the tokens of values in sorted order; each is computed on its own."""
        marks = len(self._open), len(self._known)
        tokens = []
        for value in values:
            tokens.append(self.token(value))
            self._forget(*marks)
        return b"".join(sorted(tokens))

    @contextmanager
    def used_by(self, name: str, verb: str) -> Iterator[None]:
        """Inside this block, name the function and its use of the values, for reasons."""
        self._users.append((name, verb))
        try:
            yield
        finally:
            self._users.pop()

    @contextmanager
    def making(self, is_model: bool) -> Iterator[None]:
        """Collect notes apart; be lenient where code creates a model outside of any function."""
        around, self.said = self.said, []
        yield
        lenient = is_model and not self._users
        around.append(notes.Making(self.said) if lenient else self.said)
        self.said = around

    def called(self, value: Any) -> bytes:
        """Return the token of a function, or an object that contains some, that is only called."""
        return functions.called(self, value)

    def used(self, value: Any, read: Reading) -> bytes:
        """Return the token of what code finds under a name, by how the code uses it."""
        return functions.used(self, value, read)

    def member(self, names: frozenset[str], value: Any, called: bool = False) -> bytes:
        """Return the token of what counts if code uses one of these names (no names: always)."""
        around, self.said = self.said, []
        token = self.called(value) if called else self.token(value)
        if self.said:
            around.append(notes.MemberNotes(names, self.said) if names else self.said)
        self.said = around
        return token

    @property
    def in_code(self) -> bool:
        """Whether the current value is reached by code, which has the object itself."""
        return bool(self._users)

    def attempt(self, value: Any) -> bytes | None:
        """Return the token of a value; None if it cannot be fingerprinted."""
        around, self.said = self.said, []
        token = self.token(value)
        said, self.said = self.said, around
        if any(notes.refusals(said)):
            return None
        self._say(said)
        return token

    def held(self, value: Any) -> bytes:
        """Return the token of a name's value, or of its absence."""
        return packed(b"missing") if value is MISSING else self.token(value)

    def source(self, text: str, *modules: str) -> bytes:
        """Return the token of a library; its settings, and the user's patches, then count too."""
        for module in modules:
            edited = "" if module in self._modules else origin.edited(module)
            if edited:
                self.refuse("", f"uses {edited}, whose file changed after it was imported")
        self._modules.update(modules)
        return self.token(text)

    def uses(self, read: Reading, keywords: frozenset[str]) -> None:
        """Note the names that code uses, and the keywords of its calls."""
        self.said.append(notes.UsedNames(read.names))
        self.keywords |= keywords
        self._asks |= read.asks
        self._handed |= read.handed

    def ask(self, name: str, say: Callable[[], bytes]) -> None:
        """Note a function's metadata; it counts if code asks for it or passes the function on."""
        self._asked.setdefault(name, []).append(say)

    def given(self, name: str, said: bytes) -> None:
        """Note what counts if code passes an argument by this keyword."""
        self._given.setdefault(name, set()).add(self.token(name) + said)

    def rest(self) -> bytes:
        """Return the token of what is known only at the end: requested metadata, and settings."""
        if not self.code_met:
            return b""
        asked = [*self._asked] if self._asks else sorted(self._handed.intersection(self._asked))
        told = b"".join(sorted({say() for name in asked for say in self._asked[name]}))
        every = "*" in self.keywords
        for name, said in sorted(self._given.items()):
            told += b"".join(sorted(said)) if every or name in self.keywords else b""
        put_in = self._put_in()
        libraries = {name.partition(".")[0] for name in self._modules}
        return packed(told) + put_in + self.token(settings.changed(libraries))

    def _put_in(self) -> bytes:
        """Return the token of the user's patches in the libraries of this walk."""
        body, done = b"", set[str]()
        while waiting := sorted(patches.around(self._modules) - done):
            done.update(waiting)
            for name, value in (one for module in waiting for one in patches.found(module)):
                with self.used_by(name, "holds"):
                    body += self.tokens(name, value)
        return packed(body)

    def unknowable(self, value: Any) -> bytes:
        """Refuse a value that cannot be fingerprinted, and return its token."""
        verb = self._users[-1][1] if self._users else "holds"
        return self.refuse("", f"{verb} {noun(value)}, which cannot be fingerprinted")

    def refuse(self, does: str, words: str, alone: bool = False) -> bytes:
        """Note why the current code is refused; `alone` if the words name the code themselves."""
        who = self._users[-1][0] if self._users else "it"
        first = self._users[0][0] if self._users else who
        if not alone:
            words = f"{who} {words}" if first == who else f"{first} calls {who}, which {words}"
        self.said.append(notes.Refusal(does, words))
        return packed(b"refused")


def flat(values: Any) -> bytes | None:
    """Return one token for a sequence of plain values, None for any other; all nans are equal."""
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
    in_order = codes.ordered(values) if walk.code_met else b""
    return kind.__name__.encode() + state + walk.unordered(values) + packed(in_order)


def raw(walk: Walk, value: Any) -> bytes:
    """Return the token of memory: a memoryview, or a buffer that pickle keeps out of its stream."""
    view = memoryview(value)
    return b"raw" + walk.tokens(type(value), view.format, view.shape) + hashed(view.tobytes())


def thing(walk: Walk, value: Any) -> bytes:
    """Return the token of any other object, by what pickle would store."""
    kind = type(value)
    if walk.stating and impure.is_generator(value):
        # Its state does not count: the user says so.
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
    """Renumber the hooks in a PyTorch module's state, which have numbers unique to the process."""
    if not isinstance(state, dict):
        return state
    hooks = {key: held for key, held in state.items() if HOOKS in key and isinstance(held, dict)}
    numbers = sorted({number for held in hooks.values() for number in held})
    ranks = {number: rank for rank, number in enumerate(numbers)}
    return state | {
        key: {ranks[number]: one for number, one in held.items()} for key, held in hooks.items()
    }


def _named(walk: Walk, value: Any, name: str) -> bytes:
    """Return the token of an object pickled by its name; of the user's, by what it refers to."""
    home = origin.home(value, name)
    source = origin.library(home)
    head = b"named" + classes.kind(walk, type(value)) + walk.tokens(name, home)
    if source is not None and home is not None:
        return head + walk.source(source, home)
    held = getattr(value, "__dict__", None) or gc.get_referents(value)
    return head + walk.tokens(*(held.items() if isinstance(held, dict) else held))


def _not_pickled(walk: Walk, value: Any) -> bytes:
    """Return the token of attributes that a class does not pickle, but code may read."""
    if not walk.in_code or not classes.pickles_itself(type(value)):
        return b""
    parts = (
        walk.token(name) + (walk.attempt(held) or b"")
        for name, held in sorted(getattr(value, "__dict__", {}).items())
    )
    return packed(b"".join(parts))


def context(walk: Walk, value: ContextVar[Any]) -> bytes:
    """Return the token of a context variable, with its current value."""
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


def _handler(value: Any) -> Handler:
    """Return the function that returns tokens of values of this type."""
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
