"""Detection of functions that modify state, such as a global list, between calls.

A run calls a copy of a notebook function, so its changes do not appear in the notebook.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

from mmnotebook.fingerprint import codes
from mmnotebook.fingerprint.identity import Unknowable, deferring, digest

_FIXED = (
    str, bytes, int, float, complex, type(None), type, types.ModuleType,
    types.BuiltinFunctionType, types.CodeType,
)  # fmt: skip
_BIG = 1 << 20
"""Larger arrays (in bytes) and collections (in items) are not compared."""


class KeptState:
    """The values outside a function that calls of the function can change.

    The values are compared after the first block of elements, and then at growing intervals.

    Examples
    --------
    >>> seen = []
    >>> def count(x):
    ...     seen.append(x)
    ...     return len(seen)
    >>> kept = KeptState(count)
    >>> _ = count(1)
    >>> kept.is_changed()
    True
    """

    def __init__(self, function: Any) -> None:
        self._values = list(_values(function, set()))
        self._before = self._digest()
        self._blocks, self._next = 0, 1

    def is_changed(self) -> bool:
        """Return whether a comparison is due and shows a change; call this after each block."""
        self._blocks += 1
        if self._before is None or self._blocks < self._next:
            return False
        self._next *= 2
        return self._digest() != self._before

    def _digest(self) -> str | None:
        """Return a digest of the values; None if there are none or one has no fingerprint."""
        if not self._values:
            return None
        try:
            with deferring():
                return digest(self._values)
        except Unknowable:
            return None


def _values(function: Any, seen: set[int]) -> Iterator[Any]:
    """Yield the mutable values to which a function and the functions that it calls refer."""
    if isinstance(function, types.MethodType):
        yield function.__self__
        function = function.__func__
    if not isinstance(function, types.FunctionType) or id(function) in seen:
        return
    seen.add(id(function))
    inside = codes.inside(function.__code__)
    names = dict.fromkeys(name for code in inside for name in code.co_names)
    found = [function.__globals__[name] for name in names if name in function.__globals__]
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # not assigned yet
            continue
    for value in [*found, *(function.__defaults__ or ())]:
        if isinstance(value, (types.FunctionType, types.MethodType)):
            yield from _values(value, seen)
        elif not isinstance(value, _FIXED) and _size(value) <= _BIG:
            yield value


def _size(value: Any) -> int:
    for name in ("nbytes", "__len__"):
        found = getattr(type(value), name, None)
        try:
            if found is not None:
                return int(value.nbytes if name == "nbytes" else len(value))
        except Exception:  # noqa: BLE001 - a property of a user's class may raise anything
            return _BIG + 1
    return 0
