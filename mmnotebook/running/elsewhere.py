"""Runs whose workers may be elsewhere: their outputs come back as parts of committed bundles."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mmnotebook import quiet_beam, storage
from mmnotebook.beam.assemble import assemble
from mmnotebook.beam.dofns.tracking import CAUSE, NODE_NAMESPACE
from mmnotebook.beam.elsewhere import key, parts, sample, shipping, workers
from mmnotebook.beam.elsewhere.area import Area, of_options
from mmnotebook.beam.elsewhere.job import Job, name_of
from mmnotebook.beam.elsewhere.parts import Form, OutputPart, RunPlace
from mmnotebook.beam.elsewhere.sample import Sampling
from mmnotebook.beam.elsewhere.shipped import Shipper
from mmnotebook.beam.elsewhere.workers import Workers
from mmnotebook.beam.prepare import Prepared
from mmnotebook.errors import MMError, RunError
from mmnotebook.running import measures, record
from mmnotebook.running.commit import Committer
from mmnotebook.running.measures import Counters, Values
from mmnotebook.running.plan import Plan
from mmnotebook.state.run_state import RunState
from mmnotebook.store import outlines, shards, timed

POLL = 0.5
"""Seconds between two looks at the metrics of a job."""
_AT_ONCE = 8


@runtime_checkable
class RunTarget(Protocol):
    """A cluster: `mm.cluster` returns one."""

    @property
    def staging(self) -> str | None:
        """The staging area."""

    def create_runner(self) -> Any:
        """Return the runner."""

    def pipeline_options(self) -> Any:
        """Return Beam's options."""


@dataclass(frozen=True)
class Wanted:
    """Which outputs of a run come back.

    Attributes
    ----------
    sample
        The number of elements of each node that come back; None for all.
    keep
        The nodes that come back whole.
    lasts
        Whether the files of the run stay in the staging area, for `mm.attach`.
    """

    sample: int | None = None
    keep: tuple[str, ...] = ()
    lasts: bool = False

    def forms(self, prepared: Prepared, names: Iterable[str]) -> dict[str, Form]:
        """Return how each node is stored; kept nodes and their sources are stored whole."""
        graph, totals = prepared.graph, prepared.totals()
        whole = {node.name for one in self.keep for node in graph.upto(one) if not node.inputs}
        sources = [node.name for node in graph if not node.inputs]
        known = sum(totals[name] for name in sources) if totals.keys() >= set(sources) else 0
        sampling = None
        if self.sample is not None:
            sampling = Sampling(self.sample, min(1.0, self.sample / known) if known else 1.0)
        forms = dict.fromkeys(names, Form(sampling))
        for name in (whole | set(self.keep)) & forms.keys():
            forms[name] = Form(None, name in self.keep)
        return forms


@dataclass(frozen=True)
class Elsewhere:
    """Where a run is computed, if not in this process.

    Attributes
    ----------
    runner, options
        Beam's runner and its options.
    area
        The staging area that the workers and this process see.
    workers
        The workers of the runner.
    is_ours
        Whether the area is a private folder of this process, so that nothing must be shipped.
    wanted
        Which outputs come back.
    """

    runner: Any
    options: Any
    area: Area
    workers: Workers
    is_ours: bool
    wanted: Wanted

    def place(self, run_id: str) -> RunPlace:
        """Return where the outputs of a run are."""
        made = secrets.token_bytes(32) if self.is_ours else key.of_run(key.of_user(), run_id)
        return RunPlace(self.area, run_id, made)


def where(
    runner: Any, options: Any, staging: str | None = None, wanted: Wanted | None = None
) -> Elsewhere | None:
    """Return where a run with this runner is computed; None for a run with exact counts here.

    Parameters
    ----------
    wanted
        Which outputs come back from a cluster; None for a runner, from which all come back.

    Raises
    ------
    RunError
        If the workers may have another file system and there is no staging area.
    """
    with quiet_beam.quiet():
        found = workers.of(runner, options)
    if not found.repeat and staging is None and wanted is None:
        return None
    wanted = wanted or Wanted()
    if staging is None and not found.apart:
        area = Area(str(storage.new_folder("parts")))
        return Elsewhere(runner, options, area, found, True, wanted)
    chosen = of_options(options) if staging is None else Area(staging)
    if chosen is None:
        raise RunError(
            f"the workers of {found.name} may not see the files of this machine, so its results "
            "could not come back",
            remedy='staging="/a/folder/that/all/workers/see", or a URL such as '
            '"gs://bucket/folder"; or the option environment_type="LOOPBACK", for workers in '
            "this process",
        )
    return Elsewhere(runner, options, chosen, found, False, wanted)


def check_background(place: Elsewhere | None) -> None:
    """Raise RunError if a run could not be canceled, so that it must not go on by itself."""
    if place is not None and not place.workers.cancelable:
        raise RunError(
            f"a run in the background must be cancelable, and {place.workers.name} with these "
            "options offers no way to stop a run",
            remedy="leave out wait=False, or run it in this process or on a job server",
        )


class FarRun:
    """The computation of the missing nodes of a run on workers elsewhere."""

    def __init__(self, place: Elsewhere, plan: Plan, live: RunState, finishing: Committer) -> None:
        self.where, self.plan, self.live, self.finishing = place, plan, live, finishing
        self.place = place.place(live.run_id)
        # The options of a cluster are a new object for each run; others belong to the user.
        name = name_of(live.run_id) if place.wanted.lasts else None
        self.job = Job(place.runner, place.options, self.place, name)
        self.sampled: set[str] = set()
        self._forms = place.wanted.forms(plan.prepared, plan.drafts)
        self._over = threading.Event()

    def run(self) -> None:
        """Run the job, and store its outputs; if it fails, store those of the finished nodes."""
        try:
            with self._polled():
                self._start()
                self.job.wait()
        except BaseException:
            self._keep_finished()
            raise
        finally:
            self._over.set()
        if not self.live.stopped:
            self._receive()

    def paths(self) -> dict[str, str]:
        """Return the folders with the Parquet files of the kept nodes."""
        kept = [name for name, form in self._forms.items() if form.parquet]
        return {name: self.place.kept(self.job.numbers[name]) for name in kept}

    def clean(self) -> None:
        """Remove the files of the run from the staging area, unless they stay for `mm.attach`."""
        if self.where.wanted.lasts:
            return
        with suppress(MMError):
            self.where.area.remove("runs", self.live.run_id)

    def _start(self) -> None:
        prepared, stored = self.plan.prepared, self.plan.stored()
        if not self.where.is_ours:
            shipper = Shipper(self.where.area)
            prepared = shipping.shipped(prepared, shipper)
            stored = shipping.ShippedStored(stored, shipper)  # type: ignore[assignment]
        # Without the id of the run: bundles may be repeated, and must not count here.
        made = assemble(prepared, self.job.pipeline, "", stored, self.plan.drafts)
        with shipping.local_modules():
            self.job.start(made, self._forms)
        if self.where.wanted.lasts:
            record.write(self.place, self.plan, self.job)

    @contextmanager
    def _polled(self) -> Iterator[None]:
        thread = threading.Thread(target=self._poll, name="mmnotebook-poll", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _poll(self) -> None:
        """Copy the counts of the job into the run state; cancel the job when the run stops."""
        canceled = False
        while not self._over.wait(POLL):
            if self.live.stopped and not canceled:
                canceled = True
                with suppress(Exception):  # the job may have just ended
                    self.job.cancel()
            with suppress(Exception):  # the next look may succeed
                self._count()

    def _count(self) -> None:
        metrics = self.job.metrics()
        counters = {} if metrics is None else measures.from_beam(metrics, so_far=True)[0]
        for name in self.plan.drafts:
            tally, counts = self.live.tallies[name], counters.get(NODE_NAMESPACE + name, {})
            tally.elements_in = max(tally.elements_in, counts.get("elements_in", 0))
            tally.elements_out = max(tally.elements_out, counts.get("elements_out", 0))
            tally.failed = max(tally.failed, counts.get("failed", 0))
            self.live.errors[name] = {
                key.removeprefix(CAUSE): count
                for key, count in counts.items()
                if key.startswith(CAUSE)
            }
            if tally.failed > self.live.limits.get(name, float("inf")):
                self.live.too_many = self.live.too_many or name
                self.live.stop()

    def _receive(self) -> None:
        counters, values = measures.from_beam(self.job.metrics())
        found = {name: self._parts(name, counters) for name in self.plan.drafts}
        for name, made in found.items():
            self._take(name, made, limit_of(found.values()))
        self.finishing.sampled = frozenset(self.sampled)
        self.finishing.store_all(counters, values)

    def _keep_finished(self) -> None:
        """Store the nodes that were finished before the job ended."""
        with suppress(Exception):
            counters, values = measures.from_beam(self.job.metrics())
            for name in list(self.plan.drafts):
                self._keep(name, counters, values)

    def _keep(self, name: str, counters: Counters, values: Values) -> None:
        try:
            found = self._parts(name, counters)
            self._take(name, found, limit_of([found]))
        except MMError:
            return  # it is not finished
        self.finishing.sampled = frozenset(self.sampled)
        self.finishing.store_one(name, counters, values)

    def _parts(self, name: str, counters: Counters) -> list[OutputPart]:
        """Return the parts of a node; raise RunError if they are not all of its elements."""
        found = self.job.parts(name)
        if found is None:
            raise RunError(
                f"nothing came back from the workers for node {name!r}: they do not see the "
                f"staging area {self.where.area.root!r}",
                remedy="name a folder that this process and all workers see as staging=",
                node=name,
            )
        counts: Mapping[str, int] = counters.get(NODE_NAMESPACE + name, {})
        parts.check(name, found, counts.get("elements_out", 0), counts.get("failed", 0))
        return found

    def _take(self, name: str, found: list[OutputPart], limit: int) -> None:
        """Copy the parts of a node, or its sample, into its draft, and count them."""
        folder, number = self.plan.drafts[name].path, self.job.numbers[name]
        if take(self.place, number, found, folder, limit):
            self.sampled.add(name)
        tally = self.live.tallies[name]
        tally.elements_out = sum(one.rows for one in found)
        tally.failed = sum(one.failed for one in found)
        tally.stored = tally.elements_out + tally.failed


def take(place: RunPlace, number: int, found: list[OutputPart], folder: Path, limit: int) -> bool:
    """Copy the parts of a node into a folder; return whether they are only a sample."""
    if sum(one.kept for one in found) == sum(one.rows for one in found):
        _copy(place, number, found, folder)
        return False
    with storage.passing():
        inner = storage.new_folder("sample")
        _copy(place, number, found, inner)
        _cut(inner, folder, limit)
    return True


def _copy(place: RunPlace, number: int, found: list[OutputPart], folder: Path) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda one: parts.receive(place, number, one, folder), found))


def limit_of(found: Iterable[list[OutputPart]]) -> int:
    """Return the highest hash up to which all nodes have all their elements."""
    limits = (part.limit for one in found for part in one)
    return min(limits, default=sample.ALL)


def _cut(source: Path, target: Path, limit: int) -> None:
    """Write the elements of some shards with at most this hash, and all failures, to new shards."""
    for path in timed.files(source):
        shard = shards.read(path, shards.info(path))
        writer = timed.Writer(target, outlines.write_shard)
        for block, when in timed.pairs(shard):
            writer.add(sample.cut(block, limit), when)
        if writer.buffer:
            writer.flush()
