"""The execution of one run: a Beam pipeline for the missing nodes, and events for subscribers."""

from __future__ import annotations

import errno
import queue
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psutil

from mmnotebook import quiet_beam, storage
from mmnotebook.beam import assemble, direct, interactive
from mmnotebook.beam.prepare import Prepared, renewed
from mmnotebook.errors import CacheWarning, MMError, StorageError, one_line
from mmnotebook.graph.graph import Graph
from mmnotebook.model.loaded.models import loaded_models
from mmnotebook.model.provenance import ModelChanged
from mmnotebook.results.records import Machine
from mmnotebook.results.results import Result
from mmnotebook.running import failures, identities, measures, spot_checks, verdicts, warning_counts
from mmnotebook.running.commit import Committer
from mmnotebook.running.elsewhere import Elsewhere, FarRun
from mmnotebook.running.plan import Plan, plan
from mmnotebook.running.progress import follows
from mmnotebook.running.stored import StoredElements
from mmnotebook.state import caller, events, run_state
from mmnotebook.store import entries, folder
from mmnotebook.store.cache import cache
from mmnotebook.store.shards import Damaged
from mmnotebook.store.store import Aside, Store

ATTEMPTS = 3
"""Maximum number of attempts of a run; `Execution._can_retry` says after which errors."""


def _nothing() -> None:
    """Do nothing."""


class Execution:
    """A run of a graph from its plan to its `Result`.

    Attributes
    ----------
    caller
        The settings of the thread that started the run; the run uses them.
    live
        The run state, which all steps share.
    over
        A `threading.Event` that is set when the run has a result or an error.
    result, error
        The outcome of the run.
    """

    def __init__(
        self,
        graph: Graph,
        prepared: Prepared,
        store: Store,
        *,
        fresh: Mapping[str, str],
        max_failed: float,
        subscribers: Sequence[events.Subscriber],
        found: Callable[[Result], None],
        where: Elsewhere | None = None,
    ) -> None:
        self.where = where
        self.graph, self.prepared, self.store, self.fresh = graph, prepared, store, fresh
        self.max_failed, self.subscribers, self.found = max_failed, list(subscribers), found
        self.order = tuple(node.name for node in prepared.graph.order())
        memory = psutil.virtual_memory()
        self.machine = Machine(memory.available, memory.total)
        self.keys = identities.models(prepared)
        self.caller = caller.here()
        self.started = time.perf_counter()
        self.over = threading.Event()
        self.result: Result | None = None
        self.error: BaseException | None = None
        # Any thread may add events; only the thread that calls `watch` delivers them.
        self._events: queue.SimpleQueue[events.Event] = queue.SimpleQueue()
        self._is_checked = False
        self._differed: dict[str, str] = {}
        self._paths: dict[str, str] = {}
        self._begin()

    def _begin(self) -> None:
        self.plan: Plan = self.caller.run(self._planned)
        limits = {name: self.max_failed * most for name, most in self.prepared.most().items()}
        tallies = {name: run_state.Tally() for name in self.order}
        self.live = run_state.RunState(uuid.uuid4().hex, tallies, limits, self.max_failed)
        self.live.caller = self.caller
        self.live.records = self.plan.records()
        self.finishing = Committer(self.plan, self.live)
        self._making = tuple(self.plan.drafts)
        self._started: set[str] = set()

    def _planned(self) -> Plan:
        for _ in range(ATTEMPTS - 1):
            try:
                return plan(self.prepared, self.store, fresh=self.fresh)
            except StorageError as error:
                if not self._can_retry(error):
                    raise
        return plan(self.prepared, self.store, fresh=self.fresh)

    def _can_retry(self, error: StorageError | ModelChanged) -> bool:
        """Return whether the run can start again after this error.

        Damaged and missing entries are computed again, entries that cannot be stored are kept
        outside of the cache, and a model that changed is read again.
        """
        if isinstance(error, ModelChanged):
            self.prepared = renewed(self.prepared)
            self.keys = identities.models(self.prepared)
            return True
        if isinstance(error, Damaged):
            entries.distrust(error)
            return True
        why = folder.why_unwritable(error)
        if why is None:
            return error.errno == errno.ENOENT
        if isinstance(self.store, Aside):
            return False
        try:
            self.store.beside = self.store.beside or Aside(self.store.inner, why)
        except (OSError, StorageError):
            return False
        self.store = self.store.beside
        return True

    def run(self, runner: Any, options: Any, ending: Callable[[], None] = _nothing) -> None:
        """Run the graph until there is a result or an error; then call `ending` and clean up."""
        loaded_models.on_event.append(self._events.put)
        try:
            with quiet_beam.quiet(), warning_counts.counted():
                self.result = self._attempts(runner, options)
        except BaseException as error:  # noqa: BLE001 - raised again when the result is read
            self.error = error
        finally:
            ending()
            loaded_models.on_event.remove(self._events.put)
            self.finishing.discard_unfinished()
            self.over.set()

    def _attempts(self, runner: Any, options: Any) -> Result:
        for attempt in range(ATTEMPTS):
            try:
                self._send_start()
                self._check_stored()
                if self.plan.drafts:
                    failures.check_stored(self.graph, self.plan, self.max_failed)
                    self._run_missing(runner, options)
                for entry in self.plan.entries.values():
                    entries.check(entry)  # raises if stored elements of the result are missing
                break
            except (StorageError, ModelChanged) as error:
                cancelled = self.live.stopped and self.live.cause is None
                if attempt + 1 == ATTEMPTS or cancelled or not self._can_retry(error):
                    raise
                self.finishing.discard_unfinished()
                self._begin()
        spot_checks.learn(self.plan, self._making)
        result = self._collect()
        self.found(result)
        failures.check(result, self.prepared, self.max_failed)
        return result

    def _check_stored(self) -> None:
        """Recompute and compare a few cached elements, once per run."""
        if self._is_checked:
            return
        self._is_checked = True
        self._differed = spot_checks.check(self.plan, self.live, self.keys, cache.verify)
        if self._differed:
            self._making = tuple(self.plan.drafts)
            self.live.records = self.plan.records()
            self._send_start()

    def _run_missing(self, runner: Any, options: Any) -> None:
        storage.session_folder()  # removes the files of killed processes
        if self.where is not None:
            self._run_elsewhere(self.where)
            return
        run_id, drafts = self.live.run_id, dict(self.plan.drafts)
        folders = {name: draft.path for name, draft in drafts.items()}
        kept = (
            direct.InProcessPipeline(options, folders, run_id)
            if runner is None
            else interactive.InteractivePipeline(runner, options, folders, run_id)
        )
        reuses = {name: one.reuse for name, one in self.plan.answered.items()}
        self.finishing.lean = runner is None
        run_state.start(self.live)
        try:
            blocks = assemble.assemble(
                self.prepared,
                kept.pipeline,
                run_id,
                self.plan.stored(),
                drafts,
                self.keys,
                reuses,
                lean=runner is None,
            )
            try:
                metrics = kept.run(blocks)
            except BaseException as error:  # noqa: BLE001 - raised again, as the user's own
                self.finishing.store_finished()
                self._raise(error, kept.stores)
            if self.live.stopped:
                self._raise(None, kept.stores)
            counted = self.live.counters or self.live.values
            beam = None if counted else measures.from_beam(metrics())
            counters, values = beam or (self.live.counters, self.live.values)
            self.finishing.store_all(counters, values)
        finally:
            run_state.end(run_id)

    def _run_elsewhere(self, where: Elsewhere) -> None:
        self.finishing.is_elsewhere = True
        far = FarRun(where, self.plan, self.live, self.finishing)
        try:
            far.run()
            self._paths = far.paths()
        except BaseException as error:  # noqa: BLE001 - raised again, as the user's own
            self._raise(error, far.job.stores)
        finally:
            far.clean()
        if self.live.stopped:
            self._raise(None, far.job.stores)

    def _raise(self, error: BaseException | None, stores: failures.Stores) -> None:
        """Raise the error of the run with the message and remedy for the user."""
        self.live.close()
        if self.live.cause is not None:
            raise self.live.cause from error
        if self.live.exits is not None:
            raise self.live.exits
        if self.live.too_many is not None:
            raise failures.stopped_early(self.graph, self.live) from error
        if isinstance(error, MMError):
            raise failures.as_raised(error) from error
        if error is not None:
            raise failures.unexpected(error, self.graph, stores, self.live) from error

    def watch(self, seconds: float) -> bool:
        """Wait for the run, store and report finished nodes, and return whether the run is over."""
        over = self.over.wait(seconds)
        if not over:
            counts = self.counts()
            for count in counts:
                if count.node not in self._started and (count.elements_in or count.elements_out):
                    self._started.add(count.node)
                    self._events.put(events.NodeStarted(count.node))
            self._events.put(events.RunProgressed(counts))
            self._store_finished()
        self._send_finished()
        self._deliver_events()
        return over

    def _store_finished(self) -> None:
        live, finishing = self.live, self.finishing
        try:
            finishing.store_finished()
        except MMError as error:
            # This stops the attempt, because later nodes could not be stored either.
            live.stop(error)

    def interrupt(self) -> None:
        """Discard what functions and models return: they may catch KeyboardInterrupt."""
        self.live.interrupted = True

    def end(self, state: str) -> None:
        """Send the last event, `RunFinished`."""
        said, node = None, None
        if state == "failed" and self.error is not None:
            said, node = failures.said(self.error), getattr(self.error, "node", None)
        for line in warning_counts.lines(one for _, one in self.live.warnings()):
            self._events.put(events.Noted(line))
        self._events.put(events.RunFinished(state, self.counts(), said, node))
        self._deliver_events()

    def warn(self) -> None:
        """Issue the warnings of the run."""
        for node, what in self._differed.items():
            warnings.warn(spot_checks.said(node, what), CacheWarning, stacklevel=5)
        with suppress(MMError, OSError):  # entries may have been removed by now
            for text in verdicts.warnings(self.prepared, self.plan.entries, self.live.tallies):
                warnings.warn(text, stacklevel=5)

    def _send_finished(self) -> None:
        for name in self.finishing.newly_stored():
            tally = self.live.tallies[name]
            self._events.put(events.NodeFinished(name, tally.elements_out, tally.failed))

    def _deliver_events(self) -> None:
        while not self._events.empty():
            event = self._events.get()
            for subscriber in tuple(self.subscribers):
                try:
                    subscriber(event)
                except Exception as error:  # noqa: BLE001 - a subscriber must not fail the run
                    self.subscribers.remove(subscriber)
                    text = f"{subscriber!r} was unsubscribed from this run: {one_line(error)}"
                    warnings.warn(text, stacklevel=2)

    def counts(self) -> tuple[events.NodeCounts, ...]:
        """Return the counts so far of each node that is computed."""
        tallies = ((name, self.live.tallies[name]) for name in self._making)
        return tuple(
            events.NodeCounts(name, tally.elements_in, tally.elements_out, tally.failed)
            for name, tally in tallies
        )

    def _send_start(self) -> None:
        totals, wires = self.prepared.totals(), follows(self.prepared.graph)
        self._events.put(events.RunStarted(self.order, totals, wires))
        for name, measured in self.plan.measured.items():
            node = measured.node
            over = events.NodeCached if node.cached else events.NodeFinished
            self._events.put(over(name, node.elements_out or 0, node.failed))
        for name, said in self.prepared.said.items():
            self._events.put(events.Noted(f"{name}: {said}"))
        while self.store.notes:
            self._events.put(events.Noted(self.store.notes.pop(0)))

    def _collect(self) -> Result:
        found = self.plan.measured
        return Result(
            self.graph,
            StoredElements(self.plan.entries),
            {name: found[name].node for name in self.order},
            measures.by_model(found[name] for name in self.order),
            time.perf_counter() - self.started,
            self.machine,
            why={name: self.plan.why[name] for name in self.order},
            limit=self.prepared.limit,
            sampled=self.finishing.sampled,
            paths=self._paths,
            warnings=[one for name in self.order for one in found[name].warned],
            digests={name: spec.fingerprint for name, spec in self.prepared.models.items()},
        )
