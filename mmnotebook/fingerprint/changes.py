"""Detection of code that changes the content of global variables: `counts[key] += 1`.

The code is not run. A scan follows the values of variables over the stack of the interpreter, in
the order of the instructions. Where branches meet, it forgets the stack: it may miss a change, but
it reports none that the code does not contain.
"""

from __future__ import annotations

import collections.abc as abc
import dis
import sys
import types
from typing import Any, NamedTuple

from mmnotebook.fingerprint import bytecode, codes, origin

_METHODS = {
    abc.MutableMapping: {"clear", "pop", "popitem", "setdefault", "update"},
    abc.MutableSequence: {
        *("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"),
        *("appendleft", "extendleft", "popleft", "rotate"),
    },
    abc.MutableSet: {
        *("add", "clear", "discard", "pop", "remove", "update"),
        *("difference_update", "intersection_update", "symmetric_difference_update"),
    },
}
_CONTAINER_AT = {
    "STORE_SUBSCR": 2,
    "DELETE_SUBSCR": 2,
    "STORE_SLICE": 3,
    "STORE_ATTR": 1,
    "DELETE_ATTR": 1,
}
"""Where the changed object is on the stack, counted from the top."""
_ENDS = ("RETURN_", "RAISE_", "RERAISE", "JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_ABSOLUTE")
_NULL_ON_TOP = sys.version_info >= (3, 13)


class Outer(NamedTuple):
    """A value that belongs to a variable outside of the function.

    Attributes
    ----------
    name
        The variable.
    value
        The value of the variable itself.
    is_whole
        Whether this is the value itself, not an attribute or an item of it.
    """

    name: str
    value: Any
    is_whole: bool = True


def changed(function: types.FunctionType, own_state: bool = False) -> list[str]:
    """Return the names of the variables outside of a function that its code changes.

    A variable counts if the code assigns it, an item or an attribute of it, or calls a method that
    changes a list, a dict or a set.

    Parameters
    ----------
    own_state
        Whether the first parameter counts too, as the `self` of an object that is called.

    Examples
    --------
    >>> counts = {}
    >>> def count(x):
    ...     counts[x] = counts.get(x, 0) + 1
    ...     return counts[x]
    >>> changed(count)
    ['counts']
    """
    found: dict[str, None] = {}
    assigned = bytecode.read(function).changes
    if assigned is not None:
        found[assigned[0]] = None
    outside = {**function.__globals__, **bytecode.cells(function)}
    for code in codes.inside(function.__code__):
        scan = _Scan(outside, code)
        if own_state and code is function.__code__ and code.co_argcount:
            first = code.co_varnames[0]
            scan.variables[first] = Outer(first, None)
        found.update(dict.fromkeys(scan.run()))
    return list(found)


class _Scan:
    def __init__(self, outside: dict[str, Any], code: types.CodeType) -> None:
        self._outside, self._code = outside, code
        self._stack: list[Outer | None] = []
        self._found: list[str] = []
        self._is_slice = False  # whether the last instruction created one
        self.variables: dict[str, Outer | None] = {}

    def run(self) -> list[str]:
        for one in dis.get_instructions(self._code):
            if one.is_jump_target:
                self._stack = []
            self._look(one)
            if not (self._load(one) or self._store(one) or self._move(one)):
                self._other(one)
            if one.opname.startswith(_ENDS):
                self._stack = []
            self._is_slice = one.opname == "BUILD_SLICE" or isinstance(one.argval, slice)
        return self._found

    def _at(self, place: int) -> Outer | None:
        return self._stack[-place] if 0 < place <= len(self._stack) else None

    def _pop(self, count: int = 1) -> Outer | None:
        """Remove values; return the last one, which was the deepest."""
        last = self._at(count)
        del self._stack[max(0, len(self._stack) - count) :]
        return last

    def _look(self, one: dis.Instruction) -> None:
        """Record the variable that an instruction changes, if any."""
        held = self._at(_CONTAINER_AT.get(one.opname, 0)) if one.opname in _CONTAINER_AT else None
        if held is None and _is_method(one):
            held = self._at(1)
            if held is not None and not _changes(held, one.argval):
                return
        if held is not None and not _is_of_library(held.value):
            self._found.append(held.name)

    def _load(self, one: dis.Instruction) -> bool:
        name = one.opname
        if name in ("LOAD_GLOBAL", "LOAD_NAME"):
            held = self._global(one.argval)
            has_null = dis.stack_effect(one.opcode, one.arg) == 2
            both = [held, None] if _NULL_ON_TOP else [None, held]
            self._stack += both if has_null else [held]
        elif name in ("LOAD_DEREF", "LOAD_CLASSDEREF"):
            is_outer = one.argval in self._code.co_freevars
            self._stack.append(self._global(one.argval) if is_outer else None)
        elif name.startswith("LOAD_FAST"):
            names = one.argval if isinstance(one.argval, tuple) else (one.argval,)
            self._stack += [self.variables.get(each) for each in names]
        elif name in ("LOAD_ATTR", "LOAD_METHOD"):
            held = self._pop()
            part = None if held is None else held._replace(is_whole=False)
            self._stack += [None, None] if _is_method(one) else [part]
        elif name == "BINARY_SUBSCR" or (name == "BINARY_OP" and one.argrepr == "[]"):
            held = None if self._is_slice else self._at(2)
            self._pop(2)
            self._stack.append(None if held is None else held._replace(is_whole=False))
        else:
            return False
        return True

    def _store(self, one: dis.Instruction) -> bool:
        if not one.opname.startswith("STORE_FAST"):
            return False
        names = one.argval if isinstance(one.argval, tuple) else (one.argval,)
        loads = one.opname.endswith("LOAD_FAST")
        for name in names[:1] if loads else names:
            self.variables[name] = self._pop()
        if loads:
            self._stack.append(self.variables.get(names[1]))
        return True

    def _move(self, one: dis.Instruction) -> bool:
        """Copy or exchange values; Python 3.10 has other instructions for this."""
        name, count = one.opname, one.arg or 0
        if name == "COPY":
            self._stack.append(self._at(count))
        elif name == "SWAP" and count <= len(self._stack):
            self._stack[-1], self._stack[-count] = self._stack[-count], self._stack[-1]
        elif name == "DUP_TOP":
            self._stack.append(self._at(1))
        elif name == "DUP_TOP_TWO":
            self._stack += [self._at(2), self._at(1)]
        elif name in ("ROT_TWO", "ROT_THREE", "ROT_FOUR"):
            depth = {"ROT_TWO": 2, "ROT_THREE": 3, "ROT_FOUR": 4}[name]
            top = self._pop()
            self._stack.insert(max(0, len(self._stack) - depth + 1), top)
        else:
            return False
        return True

    def _other(self, one: dis.Instruction) -> None:
        """Forget what any other instruction removes, adds or replaces."""
        argument = one.arg if one.opcode >= dis.HAVE_ARGUMENT else None
        try:
            effect = dis.stack_effect(one.opcode, argument, jump=False)
        except ValueError:
            self._stack = []
            return
        if effect > 0:
            self._stack += [None] * effect
        elif effect < 0:
            self._pop(-effect)
        replaces = effect < 0 or one.opname.startswith("CALL")
        if replaces and self._stack and one.opname != "POP_TOP":
            self._stack[-1] = None

    def _global(self, name: str) -> Outer | None:
        return Outer(name, self._outside[name]) if name in self._outside else None


def _is_method(one: dis.Instruction) -> bool:
    """Return whether an instruction loads a method that is called."""
    if one.opname == "LOAD_METHOD":
        return True
    if one.opname != "LOAD_ATTR":
        return False
    return dis.stack_effect(one.opcode, one.arg) == 1


def _changes(held: Outer, method: str) -> bool:
    """Return whether a method of a value changes the value."""
    if not held.is_whole:
        return method in ("append", "appendleft", "extend")
    return any(method in names for kind, names in _METHODS.items() if isinstance(held.value, kind))


def _is_of_library(value: Any) -> bool:
    """Return whether a value is a module of a library, whose settings each process has anyway."""
    return isinstance(value, types.ModuleType) and origin.library_of(value) is not None
