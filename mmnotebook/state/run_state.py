"""The state that a run shares with its steps in one process: counts and cancellation.

Steps are pickled with the id of the run when they are sent to a worker. A step looks up the run by
this id. A step in another process does not find the run; its counts are then only in Beam's
metrics.
"""

from __future__ import annotations

import functools
import shutil
import signal
import threading
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from mmnotebook import storage
from mmnotebook.errors import MMError, RunError
from mmnotebook.observing import Record
from mmnotebook.results.causes import Causes
from mmnotebook.results.records import Warned
from mmnotebook.state.caller import CallerSettings

KEPT = 10_000
"""Maximum number of failures of a node that are kept in memory during the run."""
DISTINCT = 1000
"""Maximum number of distinct warnings of a run that are counted separately."""
_WARNING = 2000
"""Maximum length of the text of a warning; the rest is cut."""


_FURTHER = f"(warnings beyond the first {DISTINCT:,} distinct ones of the run)"
_Warning = tuple[str, str | None, type[Warning], str, str | None, str, int]
"""The key under which equal warnings are counted: node, model, class, text, module, file, line."""


class Stopped(Exception):
    """Raised inside a step to end the run; never shown to a user."""


@dataclass
class StepFlow:
    """Numbers of inputs (`taken`) and outputs (`given`) of a step so far, including failures."""

    taken: int = 0
    given: int = 0


@dataclass
class ModelCost:
    """The time that a node's models have taken so far, in seconds.

    Attributes
    ----------
    working
        Calls for predictions.
    probing
        Calls that compare outputs of a model with each other.
    """

    working: float = 0.0
    probing: float = 0.0


@dataclass
class Tally:
    """Counts of one node so far, in this process.

    Attributes
    ----------
    parts
        The number of files, or parts of files, that were read to the end for the node.
    branches
        The number of elements by branch.
    flows
        The flow of each step of the node, by the name of the step.
    stored
        The number of elements on disk, including failed elements.
    """

    elements_in: int = 0
    elements_out: int = 0
    failed: int = 0
    parts: int = 0
    branches: Counter[str] = field(default_factory=Counter)
    flows: dict[str, StepFlow] = field(default_factory=lambda: defaultdict(StepFlow))
    stored: int = 0


@dataclass
class RunState:
    """The state of one run, as its steps in this process see it.

    Attributes
    ----------
    tallies
        The counts of each node.
    limits
        The maximum number of failures of each node; one more failure ends the run.
    max_failed
        The maximum share of a node's elements that may fail.
    interrupted
        Whether KeyboardInterrupt was raised in the run. If a function or model caught it, its
        return value may be a substitute.
    exits
        The error by which a signal handler ends the process.
    failures
        The first failures of each node.
    causes
        The causes of all failures of each node.
    broken
        The node and model that raised an error which is not the failure of an element.
    costs
        The time that the models of each node have taken.
    counters, values
        The values that Beam's counters and distributions (sum, count, max) will have, by namespace
        and name.
    writers
        The writers that write the blocks of each node to shards.
    unfinished
        For each node, the blocks that an expensive model had computed when the run was stopped.
    leases
        The leases of the loaded models that the run uses; they are released when the run ends.
    folders
        The private folders of files that the run needs; they are removed when the run ends.
    caller
        The settings under which functions and models are called; None if the settings of each
        thread are used.
    records
        The record of what the functions and models of a node do, for each node that is observed.
    """

    run_id: str
    tallies: dict[str, Tally]
    limits: dict[str, float] = field(default_factory=dict)
    max_failed: float = 1.0
    stopped: bool = False
    interrupted: bool = False
    cause: MMError | None = None
    exits: SystemExit | None = None
    too_many: str | None = None
    broken: tuple[str, str | None] | None = None
    closed: bool = False
    causes: dict[str, Causes] = field(default_factory=lambda: defaultdict(Causes))
    failures: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    counters: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    values: dict[str, dict[str, tuple[int, int, int]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    costs: dict[str, ModelCost] = field(default_factory=lambda: defaultdict(ModelCost))
    writers: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    unfinished: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    leases: list[Any] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    caller: CallerSettings | None = None
    records: dict[str, Record] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _warned: Counter[_Warning] = field(default_factory=Counter)
    # Reentrant: the garbage collector may cause a warning while the lock is held.
    _warning_lock: threading.RLock = field(default_factory=threading.RLock)

    def stop(self, cause: MMError | None = None) -> None:
        """Stop every step at its next element; keep only the first cause."""
        with self._lock:
            self.cause = self.cause or cause
            self.stopped = True

    def is_new(self, node: str, element_id: str) -> bool:
        """Return whether this is the first element of the node with that id."""
        ids = self.ids[node]
        before = len(ids)
        ids.add(element_id)
        return len(ids) > before

    def check(self) -> None:
        """Raise `Stopped` if the run was stopped."""
        if self.stopped:
            raise Stopped(self.run_id)

    def check_interrupt(self) -> None:
        """Raise `Stopped` if what a function or model has just returned must be discarded."""
        if self.interrupted:
            raise Stopped(self.run_id)

    def check_exit(self, error: BaseException) -> None:
        """Stop the run and raise the error if a signal handler raised it to end the process."""
        if ends_process(error):
            self.exits = self.exits or error
            self.stop()
            raise error

    def broke(self, node: str, model: str | None) -> None:
        """Record an error that is not the failure of an element; keep only the first error."""
        self.broken = self.broken or (node, model)

    def failed(self, node: str, failure: tuple[str, str, str, str, str]) -> None:
        """Count a failure; keep the first failures of each node. Stop the run after too many."""
        with self._lock:
            if self.closed:
                raise Stopped(self.run_id)
            tally = self.tallies[node]
            tally.failed += 1
            self.causes[node].add(*failure[1:4])
            if tally.failed <= KEPT:
                self.failures.append(failure)
            if tally.failed > self.limits.get(node, float("inf")):
                self.too_many = self.too_many or node
                self.stopped = True

    def judge(self, nodes: Iterable[str]) -> None:
        """Stop the run and raise if too many elements of one of these finished nodes failed."""
        for name in nodes:
            tally = self.tallies[name]
            seen = tally.elements_in or tally.elements_out + tally.failed
            if tally.failed > self.max_failed * seen:
                with self._lock:
                    self.too_many = self.too_many or name
                    self.stopped = True
        self.check()

    def warn(
        self,
        node: str,
        model: str | None,
        category: type[Warning],
        message: str,
        filename: str = "",
        lineno: int = 0,
        module: str | None = None,
    ) -> None:
        """Count a warning of a node; equal warnings are counted together and shown once."""
        text = message if len(message) <= _WARNING else message[: _WARNING - 1] + "…"
        key = (node, model, category, text, module, filename, lineno)
        with self._warning_lock:
            if key not in self._warned and len(self._warned) >= DISTINCT:
                key = (node, model, category, _FURTHER, None, "", 0)
            self._warned[key] += 1

    def warnings(self, node: str | None = None) -> list[tuple[type[Warning], Warned]]:
        """List the distinct warnings of the run or of one node, in order of first occurrence."""
        with self._warning_lock:
            found = list(self._warned.items())
        return [
            (kind, Warned(name, model, kind.__name__, text, module, filename, lineno, count))
            for (name, model, kind, text, module, filename, lineno), count in found
            if node in (None, name)
        ]

    def unwritten(self, node: str) -> list[Any]:
        """List the blocks of a node that are not yet written to a shard."""
        return [block for writer in self.writers[node] for block in writer.buffer]

    def close(self) -> None:
        """Count no further failures, so that the run's error and its tables agree."""
        with self._lock:
            self.closed = True

    def counted(self, namespace: str, name: str, count: int) -> None:
        """Add to a counter."""
        with self._lock:
            self.counters[namespace][name] += count

    def measured(self, namespace: str, name: str, value: int) -> None:
        """Add a value to a distribution."""
        with self._lock:
            total, count, most = self.values[namespace].get(name, (0, 0, value))
            self.values[namespace][name] = (total + value, count + 1, max(most, value))


def ends_process(error: BaseException) -> TypeGuard[SystemExit]:
    """Return whether a signal handler raised `SystemExit`, for example after SIGTERM."""
    if not isinstance(error, SystemExit):
        return False
    handlers = (signal.getsignal(number) for number in signal.valid_signals())
    codes = set(map(_code, handlers)) - {None}
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code in codes for frame, _ in frames)


def _code(handler: Any) -> Any:
    """Return the code of a signal handler: a function, a method, a partial or an object."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    code = getattr(handler, "__code__", None)
    return getattr(type(handler).__call__, "__code__", None) if code is None else code


_runs: dict[str, RunState] = {}


def start(live: RunState) -> None:
    """Register the state of a run, so that its steps find it."""
    _runs[live.run_id] = live


def find(run_id: str) -> RunState | None:
    """Return the state of the run with this id; None if it is not in this process or has ended."""
    return _runs.get(run_id)


def stop(run_id: str, cause: MMError) -> MMError:
    """Stop the run with this id if it is in this process; return the error to raise."""
    if run := find(run_id):
        run.stop(cause)
    return cause


@contextmanager
def stopping(run_id: str) -> Iterator[None]:
    """Stop the run with this id if a RunError is raised in this block."""
    try:
        yield
    except RunError as error:
        stop(run_id, error)
        raise


def folder(run_id: str, kind: str) -> Path:
    """Create a private folder for files of a run in this process, which is removed with the run."""
    made = storage.new_folder(kind)
    _runs[run_id].folders.append(made)
    return made


def end(run_id: str) -> None:
    """Remove the state of a run; release its models, close its records, remove its folders."""
    run = _runs.pop(run_id, None)
    if run is None:
        return
    for lease in run.leases:
        lease.release()
    for record in run.records.values():
        record.close()
    for made in run.folders:
        shutil.rmtree(made, ignore_errors=True)
