"""The channel between a run and its steps when both are in this process: counts out, stop in.

Steps are pickled on their way to a worker; what they carry is the run's id. In this process the id
finds the run here. In another it finds nothing: counts then come back with Beam's metrics alone.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from mmnotebook.errors import MMError


class Stopped(Exception):
    """Raised inside a step to end the run; never shown to a user."""


@dataclass
class Flow:
    """What a step of a node has taken and given so far: elements, those that failed included."""

    taken: int = 0
    given: int = 0


@dataclass
class Tally:
    """What one node has seen so far in this process.

    Attributes
    ----------
    parts
        Of what it reads, the parts that were read to their end.
    arms
        Elements by the arm that they took.
    flows
        Of each of its steps, in the order in which elements come through them.
    stored
        Elements that are on disk, those that failed included.
    """

    elements_in: int = 0
    elements_out: int = 0
    failed: int = 0
    parts: int = 0
    arms: Counter[str] = field(default_factory=Counter)
    flows: dict[str, Flow] = field(default_factory=lambda: defaultdict(Flow))
    stored: int = 0


@dataclass
class Live:
    """One run, seen from inside.

    Attributes
    ----------
    tallies
        By node.
    limits
        By node, the number of failures that already exceeds the share that may fail.
    counters, values
        What Beam's counters and distributions (sum, count, max) will hold, by namespace and name.
    loans
        Of the warm models that the run uses; released when it ends.
    """

    run_id: str
    tallies: dict[str, Tally]
    limits: dict[str, float] = field(default_factory=dict)
    stopped: bool = False
    cause: MMError | None = None
    too_many: str | None = None
    failures: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    counters: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    values: dict[str, dict[str, tuple[int, int, int]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    loans: list[Any] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self, cause: MMError | None = None) -> None:
        """Make every step end at its next element; the first cause is kept."""
        with self._lock:
            self.cause = self.cause or cause
            self.stopped = True

    def is_new(self, node: str, element_id: str) -> bool:
        """Is this the first element of that id that the node has seen?"""
        ids = self.ids[node]
        before = len(ids)
        ids.add(element_id)
        return len(ids) > before

    def check(self) -> None:
        """Raise when the run was stopped."""
        if self.stopped:
            raise Stopped(self.run_id)

    def failed(self, node: str, failure: tuple[str, str, str, str, str]) -> None:
        """Count a failure; keep a node's first hundred; stop when there are certainly too many."""
        with self._lock:
            tally = self.tallies[node]
            tally.failed += 1
            if tally.failed <= 100:
                self.failures.append(failure)
            if tally.failed > self.limits.get(node, float("inf")):
                self.too_many = self.too_many or node
                self.stopped = True

    def counted(self, namespace: str, name: str, count: int) -> None:
        """Note what was added to a counter."""
        with self._lock:
            self.counters[namespace][name] += count

    def measured(self, namespace: str, name: str, value: int) -> None:
        """Note what was added to a distribution."""
        with self._lock:
            total, count, most = self.values[namespace].get(name, (0, 0, value))
            self.values[namespace][name] = (total + value, count + 1, max(most, value))


_runs: dict[str, Live] = {}


def start(live: Live) -> None:
    """Open the channel of a run."""
    _runs[live.run_id] = live


def find(run_id: str) -> Live | None:
    """The run with this id, None when it is not in this process or is over."""
    return _runs.get(run_id)


def stop(run_id: str, cause: MMError) -> MMError:
    """End the run with this id, if it is in this process; gives back what is to be raised."""
    if run := find(run_id):
        run.stop(cause)
    return cause


def end(run_id: str) -> None:
    """Close the channel of a run."""
    run = _runs.pop(run_id, None)
    for loan in run.loans if run is not None else ():
        loan.release()
