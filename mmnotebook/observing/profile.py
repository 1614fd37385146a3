"""What the builtins tell nobody: the clock, entropy, what files and variables are there.

On the first elements of a node a profiler is told of every call, until the node has used up what
it may cost. It is put into a thread that has none, and taken out again.
"""

from __future__ import annotations

import _random
import importlib._bootstrap
import os
import random
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from mmnotebook.observing import arguments, asking, current, generators, origins, paths, states
from mmnotebook.observing.asking import Kind
from mmnotebook.observing.current import Work
from mmnotebook.observing.origins import Origin, Whose

PATIENCE = 200_000
"""The most events beyond those that a node may give, until it is known what a call answers."""
_PARTS = 100
"""The most arrays in an answer that are looked at."""
_SEED = random.Random.seed.__code__
_SYSTEM = {
    value.__code__
    for name, value in vars(random.SystemRandom).items()
    if hasattr(value, "__code__") and name in vars(_random.Random)
}
_VARIABLE = type(os.environ).__getitem__.__code__
_ALL_VARIABLES = type(os.environ).__iter__.__code__
_FINDS = importlib._bootstrap._find_spec.__code__  # type: ignore[attr-defined]
_ENTROPY = "it drew random numbers (the system)"
_OF_PATHS = ("genericpath", "posixpath", "ntpath", "pathlib")
"""Python's modules that may ask for the stamps of a file only to say whether it is there."""


class Profile:
    """A profiler of this thread that fills a record; use it with `with`."""

    def __init__(self, work: Work) -> None:
        self.work, self.record = work, work.record
        self._waiting: dict[FrameType, list[Callable[[Any], None]]] = {}
        self._codes: set[Any] = set()
        self._told_of = {_SEED, _FINDS, _VARIABLE, _ALL_VARIABLES, *_SYSTEM, *generators.codes()}
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
            self.record.misses("what it runs sets a profiler")
        self._settle()

    def _off(self) -> None:
        with current.unseen():
            sys.setprofile(None)

    def _settle(self) -> None:
        """What has not returned yet is taken for something that counts."""
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
                kind = asking.kind(argument)
                if kind is not None:
                    self._builtin(kind, argument, frame)
            elif event == "call":
                code = frame.f_code
                if code not in self._codes:
                    self._codes.add(code)
                    self._first(frame)
                if code in self._told_of:
                    self._told(frame)
            elif event == "return":
                if self._waiting:
                    for done in self._waiting.pop(frame, ()):
                        done(argument)
                if frame is self._called_first:
                    self._called_first, record.has_called = None, True
        except Exception as error:  # noqa: BLE001 - what is watched must not fail by it
            record.misses(f"a call could not be followed: {type(error).__name__}")

    def _is_over(self) -> bool:
        """Take the profiler out, unless a call is to be seen to its end; the next time is longer.

        What a function does last is seen in its first call, and in the long bursts of a long run.
        """
        record = self.record
        if (self._waiting or self._called_first) and record.events_left > -PATIENCE:
            return False
        self._off()
        self._on = False
        record.burst *= 2
        self._settle()
        return True

    def _first(self, frame: FrameType) -> None:
        """Code is run for the first time: does the identity know it?"""
        if not self.record.has_called and self._called_first is None and self._is_called(frame):
            self._called_first = frame
        known, code = self.record.known_codes, frame.f_code
        if known is not None and code not in known and origins.of(frame) is Whose.USER:
            self.work.varies(f"it ran code that cannot be followed ({code.co_name})")

    def _is_called(self, frame: FrameType) -> bool:
        """Is it a function of the node's that we call?"""
        if frame.f_back is None or origins.of(frame.f_back) is not Whose.OURS:
            return False
        return frame.f_code in self.record.entries or origins.of(frame) is Whose.USER

    def _told(self, frame: FrameType) -> None:
        """A function in Python says more than the builtin that it calls."""
        who = origins.caller(frame, self.record.entries)
        code = frame.f_code
        if code is _FINDS:
            if who.whose is Whose.USER and not origins.is_imported(frame):
                self._looks_for(frame)
            return
        if who.importing or who.whose is Whose.OURS:
            return
        if code is _VARIABLE:
            self._variable(frame.f_locals["key"])
        elif code is _ALL_VARIABLES:
            if who.whose is Whose.USER:
                self._variable(states.ALL_VARIABLES)
        elif code is _SEED:
            if frame.f_locals.get("a") is None:
                self.work.varies(_ENTROPY)
        elif code in _SYSTEM:
            self.work.varies(_ENTROPY)
        else:
            self.work.varies(f"it drew random numbers ({generators.codes()[code]})")

    def _variable(self, key: Any) -> None:
        if isinstance(key, (str, bytes)):
            with current.unseen():
                self.record.asks(os.fsdecode(key))

    def _looks_for(self, frame: FrameType) -> None:
        """Whether a module is there counts for code of the user's that asks for it."""
        name = frame.f_locals["name"]

        def done(answer: Any) -> None:
            path = getattr(answer, "origin", None)
            if answer is None:
                self.work.varies(f"it looks for a module that is not there ({name})")
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
            self._later(who, f"it asks the system ({asking.name(function)})")

    def _clock(self, function: Any, frame: FrameType, who: Origin) -> None:
        count = arguments.count(frame)
        if count is not None and not asking.reads_clock(function, count):
            return
        why = f"it reads the clock ({asking.name(function)})"
        if origins.of(frame) in (Whose.USER, Whose.OURS):
            self.work.varies(why)
        elif who.by_user and not asking.is_interval(function):
            self._later(who, why)

    def _later(self, who: Origin, why: str) -> None:
        """It counts unless the function that did it answers with what cannot tell of it."""
        if who.outermost is None or who.outermost.f_code.co_name == "__init__":
            self.work.varies(why)  # an object that is being made may keep it
            return

        def done(answer: Any) -> None:
            if not _tells_nothing(answer):
                self.work.varies(why)

        self._waiting.setdefault(who.outermost, []).append(done)

    def _in_this_thread(self, who: Origin, why: str) -> None:
        """As `_later`, said by an audit hook; the ends of other threads' calls are not heard."""
        if sys.getprofile() == self._called:
            self._later(who, why)

    def _file(self, function: Any, frame: FrameType, who: Origin) -> None:
        path: Any = asking.path(function)
        if path is None:
            path = arguments.first(frame)
        if isinstance(path, int) or path is None:
            if who.whose is Whose.USER and isinstance(path, int):
                self.work.varies(f"it looks at files ({asking.name(function)})")
            return
        try:
            name = os.fsdecode(path)
        except TypeError:  # what it is given cannot be told
            why = f"it looks at files ({asking.name(function)})"
            if who.whose is Whose.LIBRARY:
                self._later(who, why)
            else:
                self.work.varies(why)
            return
        if paths.is_kernel(name):
            if who.whose is Whose.USER:
                self.work.varies(f"it asks the system ({name})")
            return
        with current.unseen():
            self.record.looks(name, stamp=False)
        self._reduced(name, frame, who)

    def _reduced(self, name: str, frame: FrameType, who: Origin) -> None:
        """The stamps of a file count unless Python makes of them whether it is there."""
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
    """Is it nothing, or arrays of numbers: neither a time nor a name that was made?"""
    if answer is None:
        return True
    if type(answer) in (list, tuple):
        return 0 < len(answer) <= _PARTS and all(map(_tells_nothing, answer))
    kind, shape = getattr(answer, "dtype", None), getattr(answer, "shape", ())
    return bool(shape) and getattr(kind, "kind", "f") in "biufc"
