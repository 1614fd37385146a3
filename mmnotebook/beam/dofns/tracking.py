"""Tracking of each step: counts, times, cancellation and failures."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from apache_beam.metrics import Metrics

from mmnotebook.beam.dofns.inferences import inferences
from mmnotebook.beam.dofns.transient_errors import may_pass
from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import Column, Objects, Records, Same, Selected, Tuples
from mmnotebook.elements.elements import Select, failure, pick_column, settled
from mmnotebook.elements.packing import pack
from mmnotebook.elements.user_code import ENDS_RUN, not_storable
from mmnotebook.observing import paths
from mmnotebook.observing.state_changes import KeptState
from mmnotebook.results.records import Failure
from mmnotebook.state import places, run_state

NODE_NAMESPACE = "mmnotebook.node."
PASSING = "passing"
"""The counter of failures that may not recur."""
REUSED = "reused"
"""The counter of elements whose outcomes are read from the cache."""
CAUSE = "failed by "
"""The start of the name of a counter of failures with one class of errors."""
_END = object()
_EVERY = 1.0
"""Seconds between two reports of a step in another process; the runner collects them."""


@dataclass
class CallOutcome:
    """The positions and results of elements that did not fail, and the failures of all others."""

    places: list[int] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)


class Tracker:
    """Counts elements, failures and time of one step, for the run's progress and Beam's metrics.

    Parameters
    ----------
    step
        The name of the step, which is unique in its node.
    enters
        Whether the step counts the node's input. Failures count as inputs.

    Attributes
    ----------
    passing
        The ids of elements whose failures may not recur.
    """

    def __init__(self, node: str, run_id: str, step: str = "main", enters: bool = True) -> None:
        self.node, self.enters = node, enters
        self.run = run_state.find(run_id)
        self.tally = self.run.tallies[node] if self.run else run_state.Tally()
        self.flow = self.tally.flows[step]
        self.record = self.run.records.get(node) if self.run else None
        self._kept: KeptState | None = None
        self.seconds = 0.0
        self._ahead = 0
        self.passing: set[str] = set()
        counted = ("elements_in", "elements_out", "failed", PASSING, REUSED)
        self._counts = dict.fromkeys(counted, 0)
        self._causes: Counter[str] = Counter()
        self._next: float | None = None

    def report_early(self) -> None:
        """Publish counts before a bundle ends too, if the run is not in this process.

        Call this in the thread that processes the bundle, which then calls all other methods.
        """
        if self.run is None:
            self._next = time.monotonic() + _EVERY

    def _report(self) -> None:
        if self._next is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            self.publish()

    def check(self) -> None:
        """Raise `Stopped` if the run was stopped."""
        if self.run is not None:
            self.run.check()

    def check_interrupt(self) -> None:
        """Raise `Stopped` if the result of a call must be discarded, since a Ctrl-C ended it."""
        if self.run is not None:
            self.run.check_interrupt()

    def check_exit(self, error: BaseException) -> None:
        """Stop the run and raise the error if a signal handler raised it to end the process."""
        if self.run is not None:
            self.run.check_exit(error)

    def count_inputs(self, count: int) -> None:
        """Count elements of the node's input."""
        self._counts["elements_in"] += count
        self.tally.elements_in += count
        if self.run is None:
            self._report()

    def count_outputs(self, count: int) -> None:
        """Count elements of the node's output."""
        self._counts["elements_out"] += count
        shown = min(count, self._ahead)
        self._ahead -= shown
        self.tally.elements_out += count - shown

    def fail(self, element_id: str, error: BaseException) -> Failure:
        """Count an error as the failure of an element, and return the failure.

        An error that ends the process is raised.
        """
        self.check_exit(error)
        failed = failure(self.node, element_id, error)
        self._counts["failed"] += 1
        if may_pass(error):
            self._counts[PASSING] += 1
            self.passing.add(element_id)
        if self.run is not None:
            self.run.failed(self.node, failed)
        else:
            self._causes[failed.error] += 1
        return failed

    def count_known(self, count: int, failed: Iterable[Failure]) -> None:
        """Count elements whose outcomes are read from the cache, and the failures among them."""
        self.count_inputs(count)
        self._counts[REUSED] += count
        for one in failed:
            self._counts["failed"] += 1
            if self.run is not None:
                self.run.failed(self.node, one)

    def each(
        self,
        ids: Sequence[str],
        values: Iterable[Any],
        function: Callable[[Any], Any],
        counts_output: bool = False,
    ) -> CallOutcome:
        """Call a function with each value; an element fails if the function raises for its value.

        With `counts_output`, each result is an output of the node and is counted at once, not when
        its block is complete.
        """
        return self._each(ids, values, function, self.enters, counts_output)

    def _each(
        self,
        ids: Sequence[str],
        values: Iterable[Any],
        function: Callable[[Any], Any],
        enters: bool,
        counts_output: bool = False,
    ) -> CallOutcome:
        places: list[int] = []
        results: list[Any] = []
        failed: list[Failure] = []
        run, tally, counts = self.run, self.tally, self._counts
        # Many functions take less time than `check` and `count_inputs`, so their code is here.
        for place, value in enumerate(values):
            if run is not None:
                run.check()
            else:
                self._report()
            if enters:
                counts["elements_in"] += 1
                tally.elements_in += 1
            try:
                results.append(settled(function(value)))
            except ENDS_RUN:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever the user's function raises
                if not enters:
                    self.count_inputs(1)
                failed.append(self.fail(ids[place], error))
            else:
                places.append(place)
                if counts_output:
                    self._ahead += 1
                    tally.elements_out += 1
        return CallOutcome(places, results, failed)

    def fail_places(
        self, ids: Sequence[str], outcome: CallOutcome, errors: Mapping[int, BaseException]
    ) -> CallOutcome:
        """Replace the results at the positions in `errors` by failures."""
        shown = min(len(errors), self._ahead)
        self._ahead -= shown
        self.tally.elements_out -= shown
        kept = [at for at in range(len(outcome.places)) if at not in errors]
        new = [self.fail(ids[outcome.places[at]], error) for at, error in errors.items()]
        return CallOutcome(
            [outcome.places[at] for at in kept],
            [outcome.results[at] for at in kept],
            [*outcome.failed, *new],
        )

    def stored(self, block: Block, outcome: CallOutcome) -> Block:
        """Return a block with the results; an element whose result cannot be stored fails."""
        values = pack(outcome.results)
        if errors := not_storable(values):
            outcome = self.fail_places(block.ids, outcome, errors)
            values = pack(outcome.results)
        return block.take(outcome.places).with_values(values, [*block.failed, *outcome.failed])

    def without_earlier_failures(self, block: Block) -> Block:
        """Return the block without failures of upstream nodes, which those nodes store."""
        if not block.failed:
            return block
        return replace(block, failed=[f for f in block.failed if f.node == self.node])

    def picked(self, block: Block, select: Select) -> Block:
        """Return the block with the selected fields as values; elements without the fields fail."""
        own = self.without_earlier_failures(block)
        # A field of a prediction is a field of its inference.
        values, pick = pick_column(own.values if select is None else inferences(own.values), select)
        if pick is None:
            return own.with_values(values, own.failed)
        return after(own, self._each(own.ids, values, pick, enters=False))

    def timed(self, make: Callable[[], Iterable[Any]]) -> Iterator[Any]:
        """Yield the items of an iterable, and count the time that each takes."""
        iterator: Iterator[Any] | None = None
        while True:
            started = time.perf_counter()
            try:
                with places.within(self.run, self.node):
                    iterator = iter(make()) if iterator is None else iterator
                    item = next(iterator, _END)
            finally:
                self.seconds += time.perf_counter() - started
            if item is _END:
                return
            yield item

    def watch_folders(self, block: Block) -> None:
        """Watch the folders whose paths occur in the block's elements."""
        if self.record is not None:
            for column in _texts(block.values):
                self.record.watch(paths.in_values(column))

    def watch_state(self, function: Any) -> None:
        """Copy the state that a function keeps between calls, to detect later changes."""
        if self.record is not None and function is not None:
            self._kept = KeptState(function)

    def end_block(self) -> None:
        """End a block; record whether the function has modified the state that it keeps."""
        if self.record is not None and self._kept is not None and self._kept.is_changed():
            self.record.varies("it modifies state that it keeps between calls")
            self._kept = None

    def publish(self) -> None:
        """Add the counts to Beam's metrics; call this before a bundle ends."""
        counts = {**self._counts, "microseconds": round(self.seconds * 1e6)}
        counts |= {f"{CAUSE}{error}": count for error, count in self._causes.items()}
        add_counts(self.run, NODE_NAMESPACE + self.node, counts)
        self._counts.update(dict.fromkeys(self._counts, 0))  # `_each` still refers to it
        self._causes.clear()
        self.seconds = 0.0


def _texts(column: Column) -> Iterator[Iterable[Any]]:
    """Yield the parts of a column that may hold strings."""
    if isinstance(column, Objects):
        yield column.values
    elif isinstance(column, Same):
        yield [column.value]
    elif isinstance(column, Selected):
        yield from _texts(column.records)
    elif isinstance(column, (Records, Tuples)):
        for one in column.columns.values() if isinstance(column, Records) else column.columns:
            yield from _texts(one)


def add_counts(run: run_state.RunState | None, namespace: str, counts: Mapping[str, int]) -> None:
    """Add counts to Beam's counters, and to the counters of a run in this process."""
    for name, count in counts.items():
        if count:
            Metrics.counter(namespace, name).inc(count)
            if run is not None:
                run.counted(namespace, name, count)


def add_values(run: run_state.RunState | None, namespace: str, values: Mapping[str, int]) -> None:
    """Add values to Beam's distributions, and to the distributions of a run in this process."""
    for name, value in values.items():
        Metrics.distribution(namespace, name).update(value)
        if run is not None:
            run.measured(namespace, name, value)


def weight(block: Block) -> int:
    """Return the number of elements in a block, including failed elements."""
    return len(block) + len(block.failed)


def after(block: Block, outcome: CallOutcome) -> Block:
    """Return a block with the results of the elements that did not fail, and all failures."""
    kept = block.take(outcome.places)
    return kept.with_values(outcome.results, [*block.failed, *outcome.failed])
