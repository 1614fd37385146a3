"""The walk through a value down to plain data, and digests of values."""

from __future__ import annotations

import marshal
import struct
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from mmnotebook.errors import one_line
from mmnotebook.fingerprint import classes, functions, impure, notes, origin, patches, settings
from mmnotebook.fingerprint.bytecode import MISSING, Reading
from mmnotebook.fingerprint.notes import Notes
from mmnotebook.fingerprint.tokens import hashed, packed
from mmnotebook.fingerprint.unknowable import Unknowable, noun
from mmnotebook.fingerprint.values import FLAT, NAN, Handler, handler_of

_NO_REACH = 1 << 62


def digest(value: Any) -> str:
    """Return the content identity of a value: 32 hex digits, equal for equal values everywhere.

    Types count: 1, 1.0, True and "1" all differ, and so do 0.0 and -0.0; nan equals nan. The order
    of a dict counts, that of a set does not. The digest of an array, tensor or frame is computed
    from its numbers; that of a function or class from its code, the values that the code reads and
    the settings that it may read; that of a function or class of an installed package from its name
    and the files of the package; that of any other object from the data that pickle would store. A
    function counts as a function that is called: its docstring and the names of its variables count
    only if some code may read them.

    Parameters
    ----------
    value
        Any object.

    Raises
    ------
    Unknowable
        If a part of the value cannot be fingerprinted (a lock, an open file, a generator), or the
        result of its code depends on more than the argument.
    """
    return _digest(lambda walk: walk.called(value))


@dataclass
class Deferred:
    """The effects that must be observed when the code in some digests runs.

    Attributes
    ----------
    may
        The effects of `impure.OBSERVED` that the code may have.
    codes
        The code objects of the user in these digests.
    """

    may: set[str] = field(default_factory=set)
    codes: set[types.CodeType] = field(default_factory=set)


_deferred: ContextVar[Deferred | None] = ContextVar("mmnotebook_deferred", default=None)


@contextmanager
def deferring() -> Iterator[Deferred]:
    """Inside this block, effects that can be observed at run time do not prevent a fingerprint."""
    deferred = Deferred()
    token = _deferred.set(deferred)
    try:
        yield deferred
    finally:
        _deferred.reset(token)


def digest_of_classes(values: Iterable[Any]) -> str:
    """Return the digest of classes of existing objects, or of functions.

    Raises
    ------
    Unknowable
        Under the same conditions as `digest`, but not because of code that only creates objects.
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
        The libraries in `settings.LIBRARIES` whose settings count. Settings outside of
        `settings.LIBRARIES` always count.

    Raises
    ------
    Unknowable
        If a setting cannot be fingerprinted.
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
    that occurs again has the same token. An object is open while the walk reads its parts. If the
    walk reaches an open object again, there is a cycle, and the token is the number of objects that
    were opened since then. So the token does not depend on the object at which the walk enters the
    cycle. Objects of a cycle stay open until the first of them is closed.
    """

    def __init__(self) -> None:
        # Both dicts keep the objects alive, since ids of deleted objects are reused.
        self._known: dict[Any, tuple[bytes, Any, Notes]] = {}
        self._open: dict[Any, tuple[int, Any, Notes]] = {}
        self._reach = _NO_REACH
        self._handlers: dict[type, Handler] = {}
        self._users: list[tuple[str, str]] = []
        self._heads: dict[Any, bytes] = {}
        self._given: dict[str, set[bytes]] = {}
        self._metadata: dict[str, list[Callable[[], bytes]]] = {}
        self._reads_metadata = False
        self._passed_on: set[str] = set()
        self._modules: set[str] = set()
        self.said: Notes = []
        self.keywords: set[str] = set()
        self.code_met = False
        self.codes: set[types.CodeType] = set()
        self.stating = False

    def token(self, value: Any) -> bytes:
        """Return the token of any value."""
        kind = type(value)
        if kind in FLAT:
            return packed(marshal.dumps(value, 2))
        if kind is float:
            return packed(b"f" + struct.pack("<d", NAN if value != value else value))
        handler = self._handlers.get(kind)
        if handler is None:
            handler = self._handlers[kind] = handler_of(value)
        return self.once(id(value), value, handler)

    def tokens(self, *values: Any) -> bytes:
        return b"".join(map(self.token, values))

    def head(self, *parts: Any) -> bytes:
        """Return the token of small, hashable parts that many values share."""
        if parts not in self._heads:
            self._heads[parts] = b"".join(
                self.token(part if isinstance(part, tuple) else str(part)) for part in parts
            )
        return self._heads[parts]

    def once(self, key: Any, value: Any, take_apart: Handler) -> bytes:
        """Return the token of a value that may occur several times, or contain itself."""
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
        """Return the sorted tokens of values; no token depends on the order of the values."""
        marks = len(self._open), len(self._known)
        tokens = []
        for value in values:
            tokens.append(self.token(value))
            self._forget(*marks)
        return b"".join(sorted(tokens))

    @contextmanager
    def used_by(self, name: str, verb: str) -> Iterator[None]:
        """Inside this block, name this function and use this verb in messages about values."""
        self._users.append((name, verb))
        try:
            yield
        finally:
            self._users.pop()

    @contextmanager
    def making(self, is_model: bool) -> Iterator[None]:
        """Collect the notes of code that creates an object.

        If the object is a model that the walk reached without code, `Making` allows random weights.
        """
        around, self.said = self.said, []
        yield
        lenient = is_model and not self._users
        around.append(notes.Making(self.said) if lenient else self.said)
        self.said = around

    def called(self, value: Any) -> bytes:
        """Return the token of a function, method, property or class that code only calls."""
        return functions.called(self, value)

    def used(self, value: Any, read: Reading) -> bytes:
        """Return the token of a value that code reads; it depends on the use of the value."""
        return functions.used(self, value, read)

    def member(self, names: frozenset[str], value: Any, called: bool = False) -> bytes:
        """Return the token of a class member; its notes count only if code uses one of `names`.

        If `names` is empty, the notes always count.
        """
        around, self.said = self.said, []
        token = self.called(value) if called else self.token(value)
        if self.said:
            around.append(notes.MemberNotes(names, self.said) if names else self.said)
        self.said = around
        return token

    @property
    def in_code(self) -> bool:
        """Whether code refers to the current value, so that it may use the object in any way."""
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
        """Return the token of a value, or a fixed token for `MISSING`."""
        return packed(b"missing") if value is MISSING else self.token(value)

    def source(self, text: str, *modules: str) -> bytes:
        """Return the token of a library; its settings and the user's patches of it count too."""
        for module in modules:
            edited = "" if module in self._modules else origin.edited(module)
            if edited:
                self.refuse("", f"uses {edited}, whose file changed after it was imported")
        self._modules.update(modules)
        return self.token(text)

    def uses(self, read: Reading, keywords: frozenset[str]) -> None:
        """Record the names that code uses, and the keywords of its calls."""
        self.said.append(notes.UsedNames(read.names))
        self.keywords |= keywords
        self._reads_metadata |= read.reads_metadata
        self._passed_on |= read.passed_on

    def metadata(self, name: str, token: Callable[[], bytes]) -> None:
        """Record metadata of the function `name`, which counts if code may read it."""
        self._metadata.setdefault(name, []).append(token)

    def given(self, name: str, token: bytes) -> None:
        """Record a token that counts if code passes an argument with this keyword."""
        self._given.setdefault(name, set()).add(self.token(name) + token)

    def rest(self) -> bytes:
        """Return the token of metadata, patches and settings, which are known only at the end."""
        if not self.code_met:
            return b""
        known = self._metadata
        names = [*known] if self._reads_metadata else sorted(self._passed_on.intersection(known))
        body = b"".join(sorted({token() for name in names for token in known[name]}))
        every = "*" in self.keywords
        for name, tokens in sorted(self._given.items()):
            body += b"".join(sorted(tokens)) if every or name in self.keywords else b""
        patched = self._patches()
        libraries = {name.partition(".")[0] for name in self._modules}
        return packed(body) + patched + self.token(settings.changed(libraries))

    def _patches(self) -> bytes:
        """Return the token of the user's patches in the libraries of this walk."""
        body, done = b"", set[str]()
        while waiting := sorted(patches.around(self._modules) - done):
            done.update(waiting)
            for name, value in (one for module in waiting for one in patches.found(module)):
                with self.used_by(name, "holds"):
                    body += self.tokens(name, value)
        return packed(body)

    def unknowable(self, value: Any) -> bytes:
        """Record that a value cannot be fingerprinted, and return its token."""
        verb = self._users[-1][1] if self._users else "holds"
        return self.refuse("", f"{verb} {noun(value)}, which cannot be fingerprinted")

    def refuse(self, does: str, words: str, alone: bool = False) -> bytes:
        """Record why the current code has no fingerprint; `alone`: `words` names the code."""
        who = self._users[-1][0] if self._users else "it"
        first = self._users[0][0] if self._users else who
        if not alone:
            words = f"{who} {words}" if first == who else f"{first} calls {who}, which {words}"
        self.said.append(notes.Refusal(does, words))
        return packed(b"refused")
