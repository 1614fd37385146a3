"""`attach`: the handle of a run on a cluster that another process has started."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import pandas as pd

from mmnotebook import quiet_beam
from mmnotebook.beam.dofns.tracking import NODE_NAMESPACE
from mmnotebook.beam.elsewhere import key as keys
from mmnotebook.beam.elsewhere.area import Area
from mmnotebook.beam.elsewhere.job import Job
from mmnotebook.beam.elsewhere.parts import OutputPart, RunPlace
from mmnotebook.clusters.target import Cluster
from mmnotebook.errors import InterruptedRunError, RunError, StillRunningError, StorageError
from mmnotebook.graph.graph import Graph
from mmnotebook.results import latest
from mmnotebook.results.records import Machine
from mmnotebook.results.results import Result
from mmnotebook.running import elsewhere, measures, record
from mmnotebook.running.measures import Counters, Measured, Values
from mmnotebook.running.stored import StoredElements
from mmnotebook.store.cache import open_store
from mmnotebook.store.entries import Entry

_POLL = 0.5


class AttachedRun:
    """A run on a cluster that another process has started; `mm.attach` returns it.

    See Also
    --------
    attach : Attach to a run.
    """

    def __init__(self, place: RunPlace, found: Mapping[str, Any], job: Job) -> None:
        self._place, self._found, self._job = place, found, job
        self._graph: Graph = Graph.from_json(found["graph"])
        self._started = time.perf_counter()
        self._result: Result | None = None

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self._place.run_id

    @property
    def done(self) -> bool:
        """Whether the run has ended, with a result or an error."""
        return self._is_whole() or self._job.state in ("FAILED", "CANCELLED", "DONE")

    @property
    def progress(self) -> pd.DataFrame:
        """The number of elements so far, for each node that is computed.

        Returns
        -------
        DataFrame
            Index "node"; columns elements_in, elements_out, failed. All are 0 if the job server
            does not count while a job runs.
        """
        counters, _ = self._measures()
        names = ("elements_in", "elements_out", "failed")
        rows = [
            [node, *(counters.get(NODE_NAMESPACE + node, {}).get(name, 0) for name in names)]
            for node in self._job.numbers
        ]
        return pd.DataFrame(rows, columns=["node", *names]).set_index("node")

    def cancel(self) -> None:
        """Stop the job on its engine.

        Raises
        ------
        RunError
            If the job server cannot be reached.
        """
        try:
            self._job.cancel()
        except Exception as error:
            raise RunError(
                f"the job of run {self.run_id!r} cannot be canceled: its job server does not answer"
            ) from error

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the run and return its result.

        Parameters
        ----------
        timeout
            The maximum number of seconds to wait; None (the default) waits until the run ends.

        Returns
        -------
        Result
            The outputs, failures and measures of every node.

        Raises
        ------
        StillRunningError
            If the run has not ended after `timeout` seconds; it continues.
        InterruptedRunError
            If the run was canceled.
        RunError
            If the run failed.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not self.done:
            if end is not None and time.monotonic() > end:
                raise StillRunningError(f"the run has not finished after {timeout:g} s")
            threading.Event().wait(_POLL)
        if self._result is None:
            self._check_whole()
            self._result = self._collected()
            latest.remember(self._result)
        return self._result

    def __repr__(self) -> str:
        return f"<run {self.run_id} on a cluster, {'over' if self.done else 'running'}>"

    def _is_whole(self) -> bool:
        return all(self._job.parts(name) is not None for name in self._job.numbers)

    def _check_whole(self) -> None:
        if self._is_whole():
            return
        if self._job.state == "CANCELLED":
            raise InterruptedRunError(f"run {self.run_id!r} was canceled")
        raise RunError(f"run {self.run_id!r} failed on the cluster: {self._job.error()}")

    def _measures(self) -> tuple[Counters, Values]:
        """Return the counts of the job; none if the job server does not answer."""
        try:
            metrics = self._job.metrics()
        except Exception:  # noqa: BLE001 - whatever the client of the job server raises
            metrics = None
        return ({}, {}) if metrics is None else measures.from_beam(metrics)

    def _collected(self) -> Result:
        counters, values = self._measures()
        found = {name: self._job.parts(name) or [] for name in self._job.numbers}
        limit = elsewhere.limit_of(found.values())
        entries: dict[str, Entry] = {}
        measured: dict[str, Measured] = {}
        sampled = set()
        for node in self._graph.order():
            if node.name in self._found["stored"]:
                entries[node.name] = self._stored(node.name)
                meta = entries[node.name].meta
                measured[node.name] = Measured.from_meta(meta, entries[node.name].bytes, node.name)
                continue
            parts = found[node.name]
            whole = _measured(node, counters, values, parts)
            entries[node.name], is_sample = self._entry(node.name, parts, limit, whole)
            measured[node.name] = measures.sized(whole, entries[node.name].bytes)
            sampled.update([node.name] * is_sample)
        return Result(
            self._graph,
            StoredElements(entries),
            {name: one.node for name, one in measured.items()},
            measures.by_model(measured.values()),
            time.perf_counter() - self._started,
            Machine(None, None),
            limit=self._found["limit"],
            sampled=sampled,
        )

    def _stored(self, name: str) -> Entry:
        draft, stored = open_store().draft(f"attached-{name}"), self._found["stored"][name]
        record.receive(self._place, stored, draft.path)
        return draft.commit(stored["meta"], lasting=False)

    def _entry(
        self, name: str, parts: list[OutputPart], limit: int, whole: Measured
    ) -> tuple[Entry, bool]:
        """Return an entry, for this process only, with the outputs of a node."""
        draft = open_store().draft("attached")
        number = self._job.numbers[name]
        is_sample = elsewhere.take(self._place, number, parts, draft.path, limit)
        return draft.commit(whole.meta(name), lasting=False), is_sample


def _measured(node: Any, counters: Counters, values: Values, parts: list[OutputPart]) -> Measured:
    """Return the measures of a node: outputs and failures from its parts, which are exact."""
    rows, failed = sum(one.rows for one in parts), sum(one.failed for one in parts)
    counted = counters.get(NODE_NAMESPACE + node.name, {})
    if (counted.get("elements_out", 0), counted.get("failed", 0)) == (rows, failed):
        return measures.measured(node, counters, values)
    return measures.of_object(node.kind, rows, counted.get("microseconds", 0) / 1e6, failed)


def attach(run_id: str, where: Cluster, *, key: str | None = None) -> AttachedRun:
    """Attach to a run on a cluster that this user has started in another process.

    Parameters
    ----------
    run_id
        The id of the run: `running.run_id`.
    where
        The cluster on which the run was started.
    key
        `running.key` of the run, on another machine than the one that started it; results are
        checked with this key before they are loaded.

    Returns
    -------
    AttachedRun
        A handle with `done`, `progress`, `cancel()` and `result()`.

    Raises
    ------
    RunError
        If the cluster has no staging area, or has no such run.
    StorageError
        If the key does not belong to the run, or a file in the staging area was altered.
    """
    if where.staging is None:
        raise RunError(f"{where!r} has no staging area", remedy="mm.cluster(..., staging=...)")
    with quiet_beam.quiet():
        options = where.pipeline_options()
    own = keys.of_run(keys.of_user(), run_id) if key is None else _key(key)
    place = RunPlace(Area(where.staging), run_id, own)
    try:
        found = record.read(place)
    except StorageError as error:
        raise StorageError(
            f"run {run_id!r} was started by another user or on another machine, or its files were "
            "altered",
            remedy="pass its key: mm.attach(run_id, where, key=running.key)",
        ) from error
    if found is None:
        raise RunError(
            f"there is no run {run_id!r} in {where.staging!r}",
            remedy="running.run_id is the id of a run with on=; .clean() removes old runs",
        )
    return AttachedRun(place, found, Job.attached(where.create_runner(), options, place, found))


def _key(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise RunError("key is not a key of a run", remedy="running.key returns it") from None
