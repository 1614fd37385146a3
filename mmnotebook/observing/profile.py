"""A profiler that detects calls of builtins: the clock, entropy, files and variables.

For the first elements of a node, a profiler is called at every function call, until the budget of
the node is used up. It is installed in threads that have no profiler, and removed afterwards.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from mmnotebook.compat.python import ALL_VARIABLES, FINDS, VARIABLE
from mmnotebook.compat.random import OWN_METHODS
from mmnotebook.compat.tensorflow import drawing
from mmnotebook.observing import arguments, current, origins, paths, states, system_queries
from mmnotebook.observing.current import Work
from mmnotebook.observing.origins import Origin, Whose
from mmnotebook.observing.system_queries import Kind

PATIENCE = 200_000
"""The maximum number of events beyond the budget until the first called function returns."""
PATIENCE_FOR_VALUES = 2_000_000
"""The maximum number of events beyond the budget until a function returns whose value decides.

A forest of scikit-learn needs about 500 events per tree, more in a process with many warning
filters; joblib draws a random name before.
"""
_PARTS = 100
"""The maximum number of arrays in a returned value that are checked."""
_SEED = random.Random.seed.__code__
_SYSTEM = {
    value.__code__
    for name, value in vars(random.SystemRandom).items()
    if hasattr(value, "__code__") and name in OWN_METHODS
}
_ENTROPY = "it drew random numbers (operating system)"
_OF_PATHS = ("genericpath", "posixpath", "ntpath", "pathlib")
"""Modules of Python that may call `os.stat` only to return whether a file exists."""


class Profile:
    """A context manager that profiles this thread and fills a record."""

    def __init__(self, work: Work) -> None:
        self.work, self.record = work, work.record
        self._waiting: dict[FrameType, list[Callable[[Any], None]]] = {}
        self._codes: set[Any] = set()
        self._recorded = {_SEED, FINDS, VARIABLE, ALL_VARIABLES, *_SYSTEM, *drawing()}
        self._on = False
        self._called_first: FrameType | None = None

    def __enter__(self) -> None:
        if self.work.loads or self.record.events_left < self.record.burst:
            return
        if sys.getprofile() is not None:
            self.record.misses("another profiler is in use")
            return
        self._on = True
        self.work.later = self._in_this_thread
        with current.unseen():
            sys.setprofile(self._called)

    def __exit__(self, *error: object) -> None:
        self._called_first, self.work.later = None, None
        if not self._on:
            return
        if sys.getprofile() == self._called:
            self._off()
        else:
            self.record.misses("code that it runs sets a profiler")
        self._settle()

    def _off(self) -> None:
        with current.unseen():
            sys.setprofile(None)

    def _settle(self) -> None:
        """Count the actions of all functions that have not returned yet."""
        waiting, self._waiting = self._waiting, {}
        for frame in waiting.values():
            for done in frame:
                done(Ellipsis)

    def _called(self, frame: FrameType, event: str, argument: Any) -> None:
        record = self.record
        record.events_left -= 1
        if record.events_left < 0 and self._is_over():
            return
        try:
            if event == "c_call":
                kind = system_queries.kind(argument)
                if kind is not None:
                    self._builtin(kind, argument, frame)
            elif event == "call":
                code = frame.f_code
                if code not in self._codes:
                    self._codes.add(code)
                    self._first(frame)
                if code in self._recorded:
                    self._known_function(frame)
            elif event == "return":
                if self._waiting:
                    for done in self._waiting.pop(frame, ()):
                        done(argument)
                if frame is self._called_first:
                    self._called_first, record.has_called = None, True
        except Exception as error:  # noqa: BLE001 - observing must not make the observed code fail
            record.misses(f"a call could not be tracked: {type(error).__name__}")

    def _is_over(self) -> bool:
        """Remove the profiler and double the next burst, or wait for a function to return.

        Return whether the profiler was removed. The profiler waits so that it observes the first
        call of a function to its end. Bursts get longer, so later calls are observed too if the run
        is long.
        """
        record = self.record
        most = PATIENCE_FOR_VALUES if self._waiting else PATIENCE if self._called_first else 0
        if record.events_left > -most:
            return False
        self._off()
        self._on = False
        record.burst *= 2
        self._settle()
        return True

    def _first(self, frame: FrameType) -> None:
        """Record code that runs for the first time, and whether the node's identity covers it."""
        if not self.record.has_called and self._called_first is None and self._is_called(frame):
            self._called_first = frame
        known, code = self.record.known_codes, frame.f_code
        if known is not None and code not in known and origins.of(frame) is Whose.USER:
            self.work.varies(f"it ran code that cannot be tracked ({code.co_name})")

    def _is_called(self, frame: FrameType) -> bool:
        """Return whether a frame is a function of the node that mmnotebook called."""
        if frame.f_back is None or origins.of(frame.f_back) is not Whose.OURS:
            return False
        return frame.f_code in self.record.entries or origins.of(frame) is Whose.USER

    def _known_function(self, frame: FrameType) -> None:
        """Record a call of a Python function that shows more details than the builtin it calls."""
        who = origins.caller(frame, self.record.entries)
        code = frame.f_code
        if code is FINDS:
            if who.whose is Whose.USER and not origins.is_imported(frame):
                self._looks_for(frame)
            return
        if who.importing or who.whose is Whose.OURS:
            return
        if code is VARIABLE:
            self._variable(frame.f_locals["key"])
        elif code is ALL_VARIABLES:
            if who.whose is Whose.USER:
                self._variable(states.ALL_VARIABLES)
        elif code is _SEED:
            if frame.f_locals.get("a") is None:
                self.work.varies(_ENTROPY)
        elif code in _SYSTEM:
            self.work.varies(_ENTROPY)
        else:
            self.work.varies(f"it drew random numbers ({drawing()[code]})")

    def _variable(self, key: Any) -> None:
        if isinstance(key, (str, bytes)):
            with current.unseen():
                self.record.asks(os.fsdecode(key))

    def _looks_for(self, frame: FrameType) -> None:
        """Record the result when code of the user searches for a module."""
        name = frame.f_locals["name"]

        def done(answer: Any) -> None:
            path = getattr(answer, "origin", None)
            if answer is None:
                self.work.varies(f"it looks for a missing module ({name})")
            elif isinstance(path, str) and os.path.isabs(path):
                with current.unseen():
                    self.record.looks(path, stamp=False)

        self._waiting.setdefault(frame, []).append(done)

    def _builtin(self, kind: Kind, function: Any, frame: FrameType) -> None:
        record = self.record
        who = origins.caller(frame, record.entries)
        given = origins.of(frame) is Whose.OURS and function in record.builtins
        if who.importing or (who.whose is Whose.OURS and not given):
            return
        if kind is Kind.CLOCK:
            self._clock(function, frame, who)
        elif kind is Kind.ENTROPY:
            if who.whose is Whose.LIBRARY:
                self._later(who, _ENTROPY)
            else:
                self.work.varies(_ENTROPY)
        elif kind is Kind.FILE:
            self._file(function, frame, who)
        elif kind is Kind.FOLDER:
            with current.unseen():
                record.asks(".")
        elif who.whose is Whose.USER:
            self._later(who, f"it queries the operating system ({system_queries.name(function)})")

    def _clock(self, function: Any, frame: FrameType, who: Origin) -> None:
        count = arguments.count(frame)
        if count is not None and not system_queries.reads_clock(function, count):
            return
        why = f"it reads the clock ({system_queries.name(function)})"
        if origins.of(frame) in (Whose.USER, Whose.OURS):
            self.work.varies(why)
        elif who.by_user and not system_queries.is_interval(function):
            self._later(who, why)

    def _later(self, who: Origin, why: str) -> None:
        """Count an action, unless the value that the function returns cannot depend on it."""
        if who.outermost is None or who.outermost.f_code.co_name == "__init__":
            self.work.varies(why)  # an object under construction may keep the value
            return

        def done(answer: Any) -> None:
            if not _tells_nothing(answer):
                self.work.varies(why)

        self._waiting.setdefault(who.outermost, []).append(done)

    def _in_this_thread(self, who: Origin, why: str) -> None:
        """Call `_later` for the audit hook if this object profiles the current thread."""
        if sys.getprofile() == self._called:
            self._later(who, why)

    def _file(self, function: Any, frame: FrameType, who: Origin) -> None:
        path: Any = system_queries.path(function)
        if path is None:
            path = arguments.first(frame)
        if isinstance(path, int) or path is None:
            if who.whose is Whose.USER and isinstance(path, int):
                self.work.varies(f"it looks at files ({system_queries.name(function)})")
            return
        try:
            name = os.fsdecode(path)
        except TypeError:  # the argument is unknown
            why = f"it looks at files ({system_queries.name(function)})"
            if who.whose is Whose.LIBRARY:
                self._later(who, why)
            else:
                self.work.varies(why)
            return
        if paths.is_kernel(name):
            if who.whose is Whose.USER:
                self.work.varies(f"it queries the operating system ({name})")
            return
        with current.unseen():
            self.record.looks(name, stamp=False)
        self._reduced(name, frame, who)

    def _reduced(self, name: str, frame: FrameType, who: Origin) -> None:
        """Count the stamps of a file, unless Python only uses them to see whether it exists."""
        if who.outermost is None:
            self._stamp(name)
            return

        def done(answer: Any) -> None:
            if isinstance(answer, bool) and frame.f_globals.get("__name__") in _OF_PATHS:
                return
            if frame is who.outermost or frame.f_back is None or answer is Ellipsis:
                self._stamp(name)
            else:
                self._reduced(name, frame.f_back, who)

        self._waiting.setdefault(frame, []).append(done)

    def _stamp(self, name: str) -> None:
        with current.unseen():
            self.record.looks(name, stamp=True)


def _tells_nothing(answer: Any) -> bool:
    """Return whether a value contains no time and no generated name.

    The result is true for None, numeric arrays, and short lists and tuples of these.
    """
    if answer is None:
        return True
    if type(answer) in (list, tuple):
        return 0 < len(answer) <= _PARTS and all(map(_tells_nothing, answer))
    kind, shape = getattr(answer, "dtype", None), getattr(answer, "shape", ())
    return bool(shape) and getattr(kind, "kind", "f") in "biufc"
