"""The first argument in a call of a builtin, found in the caller's frame.

A profiler receives the builtin that is called, but not its arguments. The instructions before the
call show how each argument is loaded. If all arguments are plain names or constants, the value of
the first one is known.
"""

from __future__ import annotations

import dis
import functools
from types import CodeType, FrameType
from typing import Any, NamedTuple

UNKNOWN = object()
"""The value for an argument that cannot be determined."""
_SKIPPED = {"CACHE", "EXTENDED_ARG", "PRECALL", "PUSH_NULL", "NOP"}
_LOCAL = ("LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF")
_PLAIN = (*_LOCAL, "LOAD_CONST", "LOAD_GLOBAL", "LOAD_NAME")
_NAMED = ("CALL_KW", "CALL_FUNCTION_KW")


class Call(NamedTuple):
    """The number of arguments of a call, and the instruction that loads the first one."""

    number: int
    loads: str
    name: Any


def count(frame: FrameType) -> int | None:
    """Return the number of arguments in the current call of a frame; None if it is unknown."""
    call = _call(frame.f_code, frame.f_lasti)
    return None if call is None else call.number


def first(frame: FrameType) -> Any:
    """Return the first argument in the current call of a frame, or `UNKNOWN`."""
    call = _call(frame.f_code, frame.f_lasti)
    if call is None:
        return UNKNOWN
    if call.loads == "LOAD_CONST":
        return call.name
    if call.loads.startswith(_LOCAL):
        return frame.f_locals.get(call.name, UNKNOWN)
    if call.loads in ("LOAD_GLOBAL", "LOAD_NAME"):
        found = frame.f_locals.get(call.name, UNKNOWN) if call.loads == "LOAD_NAME" else UNKNOWN
        return frame.f_globals.get(call.name, UNKNOWN) if found is UNKNOWN else found
    return UNKNOWN


@functools.lru_cache(maxsize=1024)
def _call(code: CodeType, at: int) -> Call | None:
    found = [one for one in dis.get_instructions(code) if one.offset <= at]
    before = [one for one in found if one.opname not in _SKIPPED]
    call = before.pop() if before else None
    if call is None or not call.opname.startswith("CALL") or call.opname.endswith("_EX"):
        return None
    # The last instruction before the call loads the tuple of keyword names.
    if call.opname in _NAMED or (before and before[-1].opname == "KW_NAMES"):
        before.pop()
    number = call.arg or 0
    given = before[len(before) - number :] if number else []
    plain = all(one.opname.startswith(_PLAIN) for one in given)
    # After a conditional, as in f(a if c else b), it is unknown which value was loaded.
    first = given[0].offset if given else at
    joined = any(one.is_jump_target for one in found if one.offset >= first)
    if not given or len(given) < number or not plain or joined:
        return Call(number, "", None)
    return Call(number, given[0].opname, given[0].argval)
