"""The interactive run: all nodes at once, progress while it goes on, and a stop that stops."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

import psutil

from mmnotebook.analysis.records import Failure, Machine
from mmnotebook.analysis.results import Result
from mmnotebook.errors import MMError, RunError
from mmnotebook.graph.graph import Graph
from mmnotebook.graph.steps import is_count, is_fraction
from mmnotebook.runtime import compiler, events
from mmnotebook.runtime.cache import ShardCache
from mmnotebook.runtime.data import storage
from mmnotebook.runtime.data.stored import StoredElements
from mmnotebook.runtime.running import (
    failing,
    interactive,
    live,
    logs,
    measures,
    progress_display,
)

_TICK = 0.1
_PATIENCE = 1.5
FAILED = " failed"
"""Where failures are kept; no node can have this name."""
_last: Result | None = None
_running = threading.Lock()


class InterruptedRunError(RunError, KeyboardInterrupt):
    """The user stopped the run; also a KeyboardInterrupt."""


def last() -> Result | None:
    """The latest result of this process, None before the first."""
    return _last


def run(
    graph: Graph,
    *,
    limit: int | None = None,
    until: str | None = None,
    max_failed: float = 0.1,
    progress: bool = True,
    runner: Any = None,
    options: Any = None,
) -> Result:
    """Run a graph with Beam's InteractiveRunner and keep what every node gave.

    Parameters
    ----------
    graph
        What is to run. Names that are not bound in it are looked up in the notebook, models in the
        registry, both as they are now.
    limit
        Take only the first `limit` elements of each source.
    until
        Run only what this node needs, the node included.
    max_failed
        The share of a node's elements, from 0 to 1, that may fail before the run counts as failed.
    progress
        Show a line per node with its counts while the run goes on.
    runner
        A Beam runner below InteractiveRunner; None is the in-process FnApiRunner.
    options
        Beam's PipelineOptions, or a dict of them.

    Returns
    -------
    Result

    Raises
    ------
    GraphError, ModelError
        Before anything has run: when the graph is not valid or a model is not registered.
    RunError
        When a source cannot be read, a model not loaded, or more than `max_failed` of a node's
        elements failed; its `failed` and `result` hold what there is.
    KeyboardInterrupt
        When it was stopped, within two seconds; also a RunError.
    """
    _check(graph, limit, max_failed)
    part = graph if until is None else graph.validate().upto(until)
    prepared = compiler.prepare(part, limit)
    subscribers = [display] if progress and (display := progress_display.subscriber()) else []
    if not _running.acquire(blocking=False):
        raise RunError(
            "another run is going on in this process", remedy="wait for it, or interrupt it"
        )
    try:
        result = _Run(graph, prepared, max_failed, subscribers).result(runner, options)
    finally:
        _running.release()
    failing.check(result, prepared, max_failed)
    return result


def _check(graph: Any, limit: Any, max_failed: Any) -> None:
    if isinstance(graph, str):
        raise RunError(
            "a pipeline's text is not a graph yet", remedy="mm.run(mm.pipeline(text, name=data))"
        )
    if not isinstance(graph, Graph):
        raise RunError(f"a graph is run, not {graph!r}", remedy="mm.pipeline(text) makes one")
    if limit is not None and not is_count(limit):
        raise RunError(f"limit={limit!r}; allowed: a whole number from 1, or None for all")
    if not is_fraction(max_failed):
        raise RunError(f"max_failed={max_failed!r}; allowed: a share from 0 to 1")


class _Run:
    """One run: a thread that runs Beam's pipeline, and the cell's thread that waits for it."""

    def __init__(
        self,
        graph: Graph,
        prepared: compiler.Prepared,
        max_failed: float,
        subscribers: Sequence[events.Subscriber],
    ) -> None:
        self.graph, self.prepared, self.subscribers = graph, prepared, subscribers
        self.order = tuple(node.name for node in prepared.graph.order())
        limits = {name: max_failed * most for name, most in failing.most(prepared).items()}
        self.live = live.Live(uuid.uuid4().hex, {name: live.Tally() for name in self.order}, limits)
        folder = storage.new_folder("run")
        kept = {name: folder / f"{i}" for i, name in enumerate((*self.order, FAILED))}
        self.cache = ShardCache(folder, kept, self.live.run_id)
        storage.remove_with(self.cache, self.cache.folder)
        for plan in prepared.plans.values():
            if plan.folder is not None:
                storage.remove_with(self, plan.folder)
        memory = psutil.virtual_memory()
        self.machine = Machine(memory.available, memory.total)
        self.metrics: Any = None
        self.error: BaseException | None = None
        self.done = threading.Event()

    def result(self, runner: Any, options: Any) -> Result:
        global _last
        started = time.perf_counter()
        interactive.prepare()
        try:
            with logs.quiet():
                pipeline = interactive.new_pipeline(runner, options)
                compiled = compiler.assemble(self.prepared, pipeline, self.live.run_id)
                with interactive.watching({**compiled, FAILED: compiled.failed}):
                    self._start(pipeline)
                    self._wait()
        finally:
            self.live.stop()
        self._raise()
        _last = self._collect(time.perf_counter() - started)
        return _last

    def _start(self, pipeline: Any) -> None:
        self._tell(events.RunStarted(self.order, _totals(self.prepared)))
        name = "mmnotebook-run"
        live.start(self.live)
        threading.Thread(target=self._work, args=(pipeline,), name=name, daemon=True).start()

    def _work(self, pipeline: Any) -> None:
        try:
            # Quiet until this thread ends, which may be after the cell has: see `_wait`.
            with logs.quiet():
                self.metrics = interactive.run(pipeline, self.cache)
        except BaseException as error:  # noqa: BLE001 - raised again in the cell's thread
            self.error = error
        finally:
            live.end(self.live.run_id)
            self.done.set()

    def _wait(self) -> None:
        """Until the run is over; raises InterruptedRunError within two seconds of a Ctrl-C."""
        try:
            while not self.done.wait(_TICK):
                self._tell(events.RunProgressed(self._counts()))
        except KeyboardInterrupt:
            self.live.stop()
            # A model in the middle of a long call cannot be stopped; its thread ends after it.
            self.done.wait(_PATIENCE)
            self._tell(events.RunFinished("interrupted", self._counts()))
            raise InterruptedRunError(
                f"stopped by you; {self._so_far()}", remedy="run it again when you like"
            ) from None
        state = "done" if self.error is None else "failed"
        self._tell(events.RunFinished(state, self._counts()))

    def _counts(self) -> tuple[events.NodeCounts, ...]:
        tallies = ((name, self.live.tallies[name]) for name in self.order)
        return tuple(
            events.NodeCounts(name, t.elements_in, t.elements_out, t.failed) for name, t in tallies
        )

    def _so_far(self) -> str:
        return ", ".join(f"{c.node} {c.elements_out:,}" for c in self._counts()) + " elements"

    def _tell(self, event: events.Event) -> None:
        for subscriber in self.subscribers:
            subscriber(event)

    def _raise(self) -> None:
        """The run's error as one that the user can act on."""
        if self.live.cause is not None:
            raise self.live.cause
        if self.live.too_many is not None:
            node = self.live.too_many
            tally = self.live.tallies[node]
            seen = [Failure(*failed) for failed in self.live.failures if failed[0] == node]
            raise failing.too_many(
                self.graph, node, tally.failed, tally.elements_in, seen, "so far "
            )
        if isinstance(self.error, MMError):
            raise self.error
        if self.error is not None:
            raise failing.unexpected(self.error, self.cache) from self.error

    def _collect(self, seconds: float) -> Result:
        counters, distributions = measures.by_namespace(self.metrics)
        store = StoredElements(self.cache, FAILED)
        sizes = {name: self.cache.name_size(name) for name in self.order}
        return Result(
            self.graph,
            store,
            measures.nodes(self.prepared.graph, counters, sizes),
            measures.models(self.prepared.models, counters, distributions),
            seconds,
            self.machine,
        )


def _totals(prepared: compiler.Prepared) -> dict[str, int]:
    """By source, the number of its elements, where that is known beforehand."""
    counts = {name: plan.count for name, plan in prepared.plans.items()}
    return {name: count for name, count in counts.items() if count is not None}
