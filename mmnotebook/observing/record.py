"""The record of one node in one run, filled while the node is computed."""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

from mmnotebook import storage
from mmnotebook.cache_folder import chosen
from mmnotebook.observing import notify, origins, paths, states
from mmnotebook.observing.observed import Observed

SMALL = 64 << 20
"""Files up to this many bytes are digested as soon as they are opened."""
FIRST_EVENTS = 3000
"""The number of profiler events that each node may use at first."""
EVENTS_PER_SECOND = 20_000
"""Further profiler events per second of work for a node, which take about 1 % of the time."""
_SELDOM = 0.1
"""Seconds between expensive checks, which take a tenth of a millisecond each."""
_SETTLED_NS = 2 * 10**9
"""If a file was written longer ago than this, the next write changes its stamp."""


class Record:
    """Observations of one node in one run; thread-safe.

    Parameters
    ----------
    functions
        The functions, models and handlers of the node. The paths to which they refer determine the
        folders that are watched for files that compiled code opens.
    known_codes
        The code objects that the identity of the node covers, with those nested in them; None to
        check no code.

    Attributes
    ----------
    unwatched
        The reasons why not everything could be observed, in order.
    entered, seconds
        How often a thread has worked for the node, and for how many seconds in total.
    events_left, burst
        How many events the profiler may still use, in total and in the next burst.
    has_called
        Whether a function of the node has returned under the profiler.

    Examples
    --------
    >>> record = Record()
    >>> record.observed().volatile
    ''
    >>> record.complete
    False
    """

    def __init__(
        self,
        functions: Iterable[Any] = (),
        known_codes: Iterable[CodeType] | None = None,
    ) -> None:
        self.unwatched: list[str] = []
        self.known_codes = known_codes
        self.entered = 0
        self.seconds = 0.0
        self.events_left = self.burst = FIRST_EVENTS
        self.has_called = False
        self._due = 0.0
        self._functions = list(functions)
        called = [_innermost(one) for one in self._functions]
        self.builtins = frozenset(one for one in called if isinstance(one, BuiltinFunctionType))
        self.is_direct = any(isinstance(one, (BuiltinFunctionType, type)) for one in called)
        self.entries = frozenset(code for one in called if (code := _code(one)) is not None)
        self._lock = threading.RLock()
        self._files: dict[str, str | None] = {}
        self._stamps: dict[str, tuple[int, ...]] = {}
        self._late: dict[str, tuple[int, ...]] = {}
        self._folders: dict[str, str] = {}
        self._environment: dict[str, str | None] = {}
        self._network = False
        self._volatile = ""
        self._cache = str(chosen())
        self._native = notify.Watched()
        self.native = self._native.works

    @property
    def known_codes(self) -> frozenset[CodeType] | None:
        """The code objects that the identity of the node covers, including nested ones."""
        return self._known_codes

    @known_codes.setter
    def known_codes(self, codes: Iterable[CodeType] | None) -> None:
        self._known_codes = None if codes is None else frozenset(paths.inner(codes))

    @property
    def complete(self) -> bool:
        """Whether everything that the node did was observed."""
        return bool(self.entered) and not self.unwatched

    def is_due(self, now: float) -> bool:
        """Return whether the next expensive check is due."""
        due = now >= self._due
        if due:
            self._due = now + _SELDOM
        return due

    # Observations

    def reads(self, path: str) -> None:
        """Record that the node opened a file, or is about to."""
        self._adds(path, states.CONTENT)

    def looks(self, path: str, *, stamp: bool) -> None:
        """Record that the node read the stamps of a file, or (`stamp=False`) whether it exists."""
        self._adds(path, states.STAMP if stamp else states.THERE)

    def lists(self, path: str) -> None:
        """Record that the node listed a folder."""
        path = self._absolute(path)
        if self._is_own(path) or origins.is_code_folder(path):
            return
        with self._lock:
            if path in self._folders:
                return
            if os.path.isdir(path):
                self._folders[path] = states.listing(path)
                self._native.add(path, deep=False)
            else:
                self._files.setdefault(path, states.of(path, [states.THERE]))

    def asks(self, name: str) -> None:
        """Record that the node read an environment variable."""
        with self._lock:
            if name in self._environment:
                return
            self._environment[name] = states.variable(name)
        if name != states.WORKING_FOLDER and (path := paths.there(os.environ.get(name, ""))):
            self._native.add(path, deep=False)

    def connects(self) -> None:
        """Record that the node used the network."""
        self._network = True

    def varies(self, why: str) -> None:
        """Record why no other run may use the results of the node; only the first reason counts."""
        with self._lock:
            self._volatile = self._volatile or why

    def misses(self, why: str) -> None:
        """Record that something could not be observed."""
        with self._lock:
            if why not in self.unwatched:
                self.unwatched.append(why)

    def watch(self, found: Iterable[str]) -> None:
        """Watch some folders, with subfolders, and the folders of some files."""
        for path in found:
            if self._is_own(os.path.abspath(path)):
                continue
            if not self.native and os.path.isfile(path):
                self.reads(path)  # without inotify, a later access is not reported
            if (why := self._native.add(path)) is not None:
                self.misses(why)

    def enter(self) -> None:
        """Start to observe a thread that works for the node."""
        with self._lock:
            self.entered += 1
            functions, self._functions = self._functions, []
        with self._careful("what it can reach"):
            for one in functions:
                self.watch(paths.reachable(one))
        self._native.enter()

    def leave(self, seconds: float, *, loads: bool = False) -> None:
        """End the observation of a thread that worked `seconds` for the node."""
        with self._lock:
            before, self.seconds = self.seconds, self.seconds + seconds
            more = int(self.seconds * EVENTS_PER_SECOND) - int(before * EVENTS_PER_SECOND)
            self.events_left = max(self.events_left, 0) + more
        happened = self._native.leave()
        if happened is not None:
            with self._careful("what compiled code opens"):
                self._takes(happened, loads)

    @contextmanager
    def _careful(self, what: str) -> Iterator[None]:
        """Catch and record any exception in this block, so that observing causes no failure."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - an object of the user may raise anything
            self.misses(f"{what} could not be tracked: {type(error).__name__}")

    def _takes(self, happened: notify.Happened, loads: bool) -> None:
        """Record the files that any code or process opened, wrote or listed in watched folders."""
        if happened.missed:
            self.misses("more files were opened than can be tracked")
        for path in happened.written:
            if not loads and not self._is_own(path):
                self.varies(f"it writes files ({os.path.basename(path)})")
        for path in happened.opened:
            if os.path.exists(path):
                self.reads(path)
        for path in happened.listed:
            self.lists(path)

    # Results

    def observed(self) -> Observed:
        """Return the observations so far; if a dependency has changed, the results are volatile."""
        with self._lock:
            files, folders = dict(self._files), dict(self._folders)
            environment, late = dict(self._environment), dict(self._late)
        mapped = _mapped() if files else frozenset()
        for path, state in files.items():
            if path in late:
                files[path] = states.again(path, states.CONTENT)
                changed = _stamps(path) != late[path]
            else:
                changed = self._may_differ(path, mapped) and states.again(path, state) != state
            if changed:
                self.varies(f"the file {os.path.basename(path)} that it reads changed while it ran")
        for path, state in folders.items():
            if states.listing(path) != state:
                name = os.path.basename(path)
                self.varies(f"the folder {name} that it lists changed while it ran")
        for name, state in environment.items():
            if states.variable(name) != state:
                self.varies(f"the environment variable {name} changed while it ran")
        return Observed(files, folders, environment, self._network, self._volatile)

    def close(self) -> None:
        """Stop watching."""
        self._native.close()

    # Helpers

    def _adds(self, path: str, facet: str) -> None:
        path = origins.source(self._absolute(path))
        if self._is_own(path) or origins.is_code(path):
            return
        with self._lock:
            known = self._files.get(path, "")
            if known is None or (known and facet in states.facets(known)):
                return
            self._files[path] = state = self._state(path, facet, known)
        if state is not None:  # compiled code may open the file, or another file in its folder
            self._native.add(path, deep=False)

    def _state(self, path: str, facet: str, known: str) -> str | None:
        wanted = {facet, *(states.facets(known) if known else ())}
        self._stamps[path] = stamps = _stamps(path)
        if facet == states.CONTENT and stamps and stamps[0] > SMALL:
            self._late[path] = stamps
            return states.of(path, [states.STAMP])
        try:
            return states.of(path, wanted)
        except states.NoContent:
            self.varies(f"it reads {path}, which is not a regular file")
            return states.of(path, wanted - {states.CONTENT} | {states.THERE})

    def _may_differ(self, path: str, mapped: frozenset[str]) -> bool:
        """Return whether a file may have changed, according to its stamps."""
        before = self._stamps.get(path, ())
        now = _stamps(path)
        if before != now or not now:
            return True
        return os.path.realpath(path) in mapped or time.time_ns() - now[1] < _SETTLED_NS

    def _absolute(self, path: str) -> str:
        if not os.path.isabs(path):
            self.asks(states.WORKING_FOLDER)
        return os.path.abspath(path)

    def _is_own(self, path: str) -> bool:
        return f"{path}{os.sep}".startswith(f"{self._cache}{os.sep}") or storage.is_ours(Path(path))


def _innermost(one: Any) -> Any:
    while isinstance(one, functools.partial):
        one = one.func
    return one


def _code(one: Any) -> CodeType | None:
    if isinstance(one, MethodType):
        one = one.__func__
    return one.__code__ if isinstance(one, FunctionType) else None


def _stamps(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _mapped() -> frozenset[str]:
    """Return the files in shared memory maps of this process; their stamps change late."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as lines:
            parts = (line.rstrip("\n").split(None, 5) for line in lines)
            return frozenset(one[5] for one in parts if len(one) == 6 and one[1].endswith("s"))
    except OSError:
        return frozenset()
