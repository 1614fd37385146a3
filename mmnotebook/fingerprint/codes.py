"""Fingerprints of code objects, without names, line numbers and texts that no code reads."""

from __future__ import annotations

import dis
import functools
import inspect
import itertools
import marshal
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mmnotebook.fingerprint.tokens import hashed, packed

CALLED, READ, KEPT, HANDED = "called", "read", "kept", "handed"
"""What code does with a value: it calls the value, reads an attribute of the value, stores the
value in a local variable, or uses the value in another way, for example as an argument.
"""

_SILENT = {"EXTENDED_ARG", "CACHE", "PRECALL", "NOP", "RESUME", "NOT_TAKEN"}
_QUIET = {"PUSH_NULL", "KW_NAMES"}
_TAKES = ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM")
_KEEPS = ("STORE_FAST", "STORE_DEREF")
_SETS_UP_CELLS = {"LOAD_CLOSURE", "MAKE_CELL", "COPY_FREE_VARS"}
_SAID_BY_INSTRUCTIONS = 0x4 | 0x8 | 0x20 | 0x80 | 0x100 | 0x200  # *args, **kwargs, and generators
_DOCUMENTED = getattr(inspect, "CO_HAS_DOCSTRING", 0)
_NULL_IN_FLAG = sys.version_info >= (3, 11)
_ATTRIBUTE_FLAG = sys.version_info >= (3, 12)
_FLAGS = {
    "LOAD_GLOBAL": 1 if _NULL_IN_FLAG else 0,
    "LOAD_ATTR": 1 if _ATTRIBUTE_FLAG else 0,
    "LOAD_SUPER_ATTR": 3,
}
"""The mask of the bits in an instruction's argument that are not part of the index of a name."""
_NULL_FIRST = sys.version_info < (3, 13)


class Step(NamedTuple):
    """An instruction: its name, its argument, and the use of its value."""

    kind: str
    about: Any
    use: str


def inside(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield a code object and all code objects inside it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from inside(const)


def doc(code: types.CodeType) -> str | None:
    """Return the docstring of a function's code, or None."""
    first = code.co_consts[0] if code.co_consts else None
    said = isinstance(first, str) and (not _DOCUMENTED or code.co_flags & _DOCUMENTED)
    return first if said else None


def parameters(code: types.CodeType) -> tuple[str, ...]:
    """Return the names of all parameters, in order."""
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & 0x4) + bool(code.co_flags & 0x8)
    return code.co_varnames[:count]


@functools.lru_cache(maxsize=4096)
def steps(code: types.CodeType) -> tuple[Step, ...]:
    """Return the instructions of a code object, in order, without bookkeeping instructions."""
    found = [one for one in dis.get_instructions(code) if one.opname not in _SILENT]
    return tuple(
        Step(one.opname, one.argval, _use(found, place))
        for place, one in enumerate(found)
        if one.opname not in _QUIET
    )


def _use(found: Sequence[dis.Instruction], place: int) -> str:
    """Return how the code uses the value of an instruction; `HANDED` if this is unclear."""
    one = found[place]
    later = (two.opname for two in found[place + 1 :])
    following = next((name for name in later if name != "SET_FUNCTION_ATTRIBUTE"), "")
    if following in _TAKES:
        return READ
    if _is_called(found, place, following):
        return CALLED
    if following.startswith(_KEEPS):
        return KEPT
    between = one.opname.startswith("IMPORT_") and following in ("SWAP", "ROT_TWO", "POP_TOP")
    return READ if between else HANDED


def _is_called(found: Sequence[dis.Instruction], place: int, following: str) -> bool:
    """Return whether the code calls the value of an instruction; a NULL on the stack marks this."""
    one = found[place]
    if not _NULL_IN_FLAG:
        return one.opname == "LOAD_METHOD" or _is_called_later(found, place)
    if one.opname == "LOAD_METHOD" or not _NULL_FIRST:
        is_method = one.opname == "LOAD_ATTR" and (one.arg or 0) & 1
        is_global = one.opname == "LOAD_GLOBAL" and (one.arg or 0) & 1
        return bool(following == "PUSH_NULL" or is_method or is_global or _NULL_FIRST)
    if one.opname == "LOAD_ATTR" and _ATTRIBUTE_FLAG and (one.arg or 0) & 1:
        return True
    while place and found[place].opname == "LOAD_ATTR":
        place -= 1  # the NULL is before the name whose attributes are read
    if found[place].opname == "LOAD_GLOBAL" and _NULL_IN_FLAG and (found[place].arg or 0) & 1:
        return True
    return place > 0 and found[place - 1].opname == "PUSH_NULL"


def _is_called_later(found: Sequence[dis.Instruction], place: int) -> bool:
    """Return whether a later instruction calls the value; Python 3.10 does not mark calls."""
    depth = 1
    for one in found[place + 1 :]:
        effect = dis.stack_effect(one.opcode, one.arg, jump=False)
        if one.opname.startswith("CALL_FUNCTION"):
            below = depth + effect - 1
            if below <= 0:
                return below == 0
        elif (depth == 1 and effect < 1) or depth + effect < 1 or one.opname.startswith("JUMP_"):
            return False
        depth += effect
    return False


@functools.lru_cache(maxsize=4096)
def keywords(code: types.CodeType) -> frozenset[str]:
    """Return the keywords that code and its inner code may use in calls; "*" for any keyword."""
    names: set[str] = set()
    for one in inside(code):
        last: Any = None
        for step in dis.get_instructions(one):
            if step.opname == "KW_NAMES":
                names.update(one.co_consts[step.arg or 0])
            elif step.opname in ("CALL_FUNCTION_KW", "CALL_KW"):
                names.update(last)
            elif step.opname == "CALL_FUNCTION_EX" and (
                (step.arg or 0) & 1 or sys.version_info >= (3, 14)
            ):
                names.add("*")
            last = step.argval if isinstance(step.argval, tuple) else last
    return frozenset(names)


def body(code: types.CodeType) -> bytes:
    """Return a digest (16 bytes) of code, without names, docstrings and line numbers."""
    # Code objects that differ only in the order of a set are equal, so the cache key contains the
    # order.
    return _body(code, tuple(one for part in inside(code) for one in _sets(part.co_consts)))


@functools.lru_cache(maxsize=4096)
def _body(code: types.CodeType, _: tuple[bytes, ...]) -> bytes:
    return hashed(*_Body(code, None, itertools.count()).parts())


def _sets(values: tuple[Any, ...]) -> Iterator[bytes]:
    for value in values:
        if isinstance(value, frozenset):
            yield ordered(value)
        elif isinstance(value, tuple):
            yield from _sets(value)


class _Body:
    """The bytes of one code object; variables are numbered in the order of their first use."""

    def __init__(self, code: types.CodeType, outer: _Body | None, numbers: Iterator[int]) -> None:
        self._code, self._outer, self._next = code, outer, numbers
        self._numbers: dict[str, int] = {}
        self._variables = {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
        for name in parameters(code):
            self._number(name)

    def _number(self, name: str) -> int:
        if self._outer is not None and name in self._code.co_freevars:
            return self._outer._number(name)
        if name not in self._numbers:
            self._numbers[name] = next(self._next)
        return self._numbers[name]

    def parts(self) -> Iterator[bytes]:
        code = self._code
        counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount
        yield marshal.dumps((*counts, code.co_flags & _SAID_BY_INSTRUCTIONS), 2)
        found = _without_names([one for one in dis.get_instructions(code) if self._counts(one)])
        places = _places(found)
        for one in found:
            if _is_double(one):
                yield from self._two(one)
            else:
                yield packed(one.opname.encode() + self._argument(one, places))
        for entry in getattr(dis.Bytecode(code), "exception_entries", ()):
            ends = (_place(places, offset) for offset in (entry.start, entry.end, entry.target))
            yield packed(b"except" + marshal.dumps((*ends, entry.depth, entry.lasti), 2))

    def _two(self, one: dis.Instruction) -> Iterator[bytes]:
        """Yield the two instructions that the compiler joined; it does this only within a line."""
        first, second = one.opname.replace("_BORROW", "").split("_FAST_")
        for kind, name in zip((f"{first}_FAST", second), one.argval, strict=True):
            yield packed(kind.encode() + marshal.dumps([self._number(name)], 2))

    def _counts(self, one: dis.Instruction) -> bool:
        if one.opname in _SILENT or one.opname in _SETS_UP_CELLS:
            return False
        # Since Python 3.13 this instruction also loads a cell, for an inner function.
        cell = one.argval in (*self._code.co_cellvars, *self._code.co_freevars)
        return not (one.opname == "LOAD_FAST" and cell)

    def _argument(self, one: dis.Instruction, places: dict[int, int]) -> bytes:
        if one.arg is None:
            return b""
        if one.opcode in dis.hasjrel or one.opcode in dis.hasjabs:
            return marshal.dumps(_place(places, one.argval), 2)
        if one.opname == "KW_NAMES":
            return _const(self._code.co_consts[one.arg])
        if one.opcode in dis.hasconst:
            return self._const(one.argval)
        if one.opcode in dis.haslocal or one.opcode in dis.hasfree:
            return marshal.dumps([self._number(one.argval)], 2)
        if one.opcode in dis.hasname:
            return marshal.dumps((one.argval, one.arg & _FLAGS.get(one.opname, 0)), 2)
        return marshal.dumps(one.arg, 2)

    def _const(self, value: Any) -> bytes:
        if isinstance(value, types.CodeType):
            return b"code" + b"".join(_Body(value, self, self._next).parts())
        return _const(value)


def _const(value: Any) -> bytes:
    if isinstance(value, tuple):
        return packed(b"tuple" + b"".join(map(_const, value)))
    if isinstance(value, frozenset):
        in_order = sorted(map(_const, value))
        return packed(b"set" + b"".join(in_order) + ordered(value))
    if isinstance(value, slice):
        return packed(b"slice" + b"".join(map(_const, (value.start, value.stop, value.step))))
    return packed(marshal.dumps(value, 2))


def ordered(values: Any) -> bytes:
    """Return the numbers of a set in iteration order, as bytes; b"" if it has other values."""
    if not set(map(type, values)) <= {int, float, bool}:
        return b""
    return marshal.dumps(list(values), 2)


def _without_names(found: list[dis.Instruction]) -> list[dis.Instruction]:
    """Remove the instructions with which Python 3.10 loads the names of inner functions."""
    if _NULL_IN_FLAG:
        return found
    makes = [*(one.opname == "MAKE_FUNCTION" for one in found[1:]), False]
    return [one for one, is_name in zip(found, makes, strict=True) if not is_name]


def _is_double(one: dis.Instruction) -> bool:
    """Return whether the compiler joined two variable instructions in this one."""
    return isinstance(one.argval, tuple) and one.opname.count("_FAST") == 2


def _places(found: Sequence[dis.Instruction]) -> dict[int, int]:
    found_at: dict[int, int] = {}
    place = 0
    for one in found:
        found_at[one.offset] = place
        place += 2 if _is_double(one) else 1
    return found_at


def _place(places: dict[int, int], offset: int) -> int:
    """Return the position of the first instruction at or after an offset; -1 if there is none."""
    found = places.get(offset)
    if found is not None:
        return found
    return min((place for one, place in places.items() if one > offset), default=-1)


def in_order(code: types.CodeType, values: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return free variables in the order of their use, which does not depend on their names."""
    met = _order(code)
    return sorted(values.items(), key=lambda item: met.get(item[0], len(met)))


@functools.lru_cache(maxsize=4096)
def _order(code: types.CodeType) -> dict[str, int]:
    body = _Body(code, None, itertools.count())
    for _ in body.parts():
        pass
    return body._numbers
