"""The commit of finished nodes to the cache."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from mmnotebook.beam.answers import marks
from mmnotebook.beam.dofns.node_fn import NodeFn
from mmnotebook.beam.dofns.tracking import NODE_NAMESPACE, PASSING, REUSED
from mmnotebook.beam.lowering import gather, step
from mmnotebook.errors import MMError, ModelWarning, RunError
from mmnotebook.fingerprint import identity as fingerprint
from mmnotebook.fingerprint.identity import Identity
from mmnotebook.graph.graph import Input
from mmnotebook.observing import outcome
from mmnotebook.observing.outcome import Seen
from mmnotebook.results.metrics import ModelMeasure
from mmnotebook.running import identities, incremental, measures, unions
from mmnotebook.running.incremental import Answered
from mmnotebook.running.measures import Counters, Measured, Values
from mmnotebook.running.plan import Plan, remember
from mmnotebook.state.run_state import RunState
from mmnotebook.store.entries import Entry
from mmnotebook.store.store import Draft


class Committer:
    """Commits the finished nodes of a run: each draft of the plan becomes an entry.

    Attributes
    ----------
    lean
        Whether the run uses the second lowering of each step kind that has two.
    is_elsewhere
        Whether the counts of this process do not say which nodes are finished.
    sampled
        The nodes of which only a sample is stored; no other run may find their entries.
    """

    lean = is_elsewhere = False
    sampled: frozenset[str] = frozenset()

    def __init__(self, plan: Plan, live: RunState) -> None:
        self.plan, self.live = plan, live
        self.files = plan.prepared.plans
        self.parts = {name: len(files.parts()) for name, files in self.files.items()}
        self.made: dict[str, None] = {}
        self._taken: set[str] = set()
        self._once: set[str] = set()
        self._partly: set[str] = set()
        self._lock = threading.Lock()

    @fingerprint.scan_modules_once()
    def store_finished(self) -> None:
        """Store the nodes that are finished."""
        if self.is_elsewhere:
            return
        with self._lock:
            for name in [name for name in self.plan.drafts if self._is_over(name)]:
                self._commit(name, self.live.counters, self.live.values)

    @fingerprint.scan_modules_once()
    def store_all(self, counters: Counters, values: Values) -> None:
        """Store every node, after the run succeeded."""
        with self._lock:
            for name in list(self.plan.drafts):
                self._check(name)
                self._commit(name, counters, values)
            unions.check(self.plan.prepared.graph, self.plan.entries)

    @fingerprint.scan_modules_once()
    def store_one(self, name: str, counters: Counters, values: Values) -> None:
        """Store a node that is finished, in a run that ended early."""
        with self._lock:
            self._commit(name, counters, values)

    def _check(self, name: str) -> None:
        """Raise RunError if a node has outputs or failures, but none of them was stored."""
        tally = self.live.tallies[name]
        given = tally.elements_out + tally.failed
        if given and not tally.stored:
            raise RunError(
                f"node {name!r} produced {given:,} elements, but Beam has stored none of them",
                remedy="restart the kernel, and run the graph again",
                node=name,
            )

    def discard_unfinished(self) -> None:
        """Remove the drafts of all unfinished nodes.

        If the run was stopped, store the predictions of expensive models first.
        """
        with self._lock:
            for name, draft in self.plan.drafts.items():
                if self.live.stopped and self.live.cause is None:
                    with suppress(MMError, OSError):
                        self._keep_costly(name, draft)
                draft.discard()
            self.plan.drafts.clear()

    def _keep_costly(self, name: str, draft: Draft) -> None:
        """Store the predictions that an expensive model made before the run was stopped."""
        node, before = self.plan.prepared.graph[name], self.plan.answered.get(name)
        whole = measures.measured(node, self.live.counters, self.live.values)
        how = incremental.how(node, self.plan.prepared, whole, before)
        if before is None or how not in ("remote", "element"):
            return
        seen, reason = self._seen(name, whole, before.entries, is_here=True)
        if reason or any(wire.node in self._once for wire in node.inputs):
            return
        blocks = [*self.live.unfinished[name], *self.live.unwritten(name)]
        if blocks:
            marks.write_shard(draft.path, 0, blocks, sum(map(len, blocks)))
        meta = {**whole.meta(name), "seen": seen.meta(), incremental.META: how}
        draft.commit(meta, own=before.own, identity=f"unfinished-{uuid.uuid4().hex}").let_go()

    def newly_stored(self) -> list[str]:
        """Return the names of the nodes that were stored since the last call."""
        with self._lock:
            new = [name for name in self.made if name not in self._taken]
            self._taken.update(new)
        return new

    def _commit(self, name: str, counters: Counters, values: Values) -> None:
        plan = self.plan
        node = plan.prepared.graph[name]
        if node.inputs:  # all its sources are stored by now
            unions.check(plan.prepared.graph, plan.entries)
        whole = measures.measured(node, counters, values)
        for model, measure in whole.models.items():
            if measure.not_finite:
                self.live.warn(name, model, ModelWarning, _not_finite_warning(model, measure))
        warned = tuple(one for _, one in self.live.warnings(name))
        whole = replace(whole, warned=warned)
        is_here = counters is self.live.counters
        counts = counters.get(NODE_NAMESPACE + name, {})
        before = plan.answered.get(name)
        reused = before.entries if before is not None and counts.get(REUSED) else ()
        seen, reason = self._seen(name, whole, reused, is_here)
        partly = bool(counts.get(PASSING)) or any(w.node in self._partly for w in node.inputs)
        if partly:
            self._partly.add(name)
        lasting = (
            not reason
            and name not in self.sampled
            and not any(wire.node in self._once for wire in node.inputs)
        )
        how = incremental.how(node, plan.prepared, whole, before) if lasting else None
        lasting = lasting and (how is not None or not partly)
        if not lasting:
            self._once.add(name)
        # Counts from other processes come from Beam's metrics, which may be incomplete.
        rows = whole.node.elements_out if is_here else None
        entry = plan.drafts[name].commit(
            {**plan.meta(name, whole), "seen": seen.meta(), incremental.META: how},
            rows=rows,
            lasting=lasting,
            replace=partly or name in plan.fresh or name in plan.changed or seen != outcome.NOTHING,
            own=before.own if before and how else "",
            identity=self._stored_as(name, partly and lasting),
        )
        if before is not None:
            self._report_reuse(name, before, counts, partly)
        del plan.drafts[name]
        self.made[name] = None
        plan.entries[name] = entry
        plan.measured[name] = measures.sized(whole, entry.bytes)

    def _stored_as(self, name: str, partly: bool) -> str | None:
        one = self.plan.identities[name]
        return incremental.partial(one) if partly else one.digest

    def _report_reuse(
        self, name: str, before: Answered, counts: Mapping[str, int], partly: bool
    ) -> None:
        """Add the number of reused outputs to `why`; remove an obsolete partial entry."""
        again = incremental.partly(before, self.plan.identities[name])
        known = counts.get(REUSED, 0)
        rest = counts.get("elements_in", 0) - known
        self.plan.why[name] = incremental.said(self.plan.why[name], known, rest, again)
        if again and not partly:
            self.plan.store.forget(incremental.partial(self.plan.identities[name]))

    def _seen(
        self, name: str, whole: Measured, reused: Sequence[Entry], is_here: bool
    ) -> tuple[Seen, str]:
        """Return a node's observed dependencies, and why other runs may not reuse its outputs.

        The reason is "" if other runs may reuse the outputs.
        """
        plan = self.plan
        node = plan.prepared.graph[name]
        # By now, the dependencies of upstream nodes are known too.
        one = fingerprint.of_node(node, plan.behind, plan.identities)
        seen, reason = outcome.NOTHING, one.reason
        if one.digest is not None:
            if node.functions or node.models:
                record = self.live.records.get(name) if is_here else None
                seen, reason = outcome.judged(one, record, [entry.meta for entry in reused])
            reason = _differing(whole) or reason or self._reason(name, one)
        if reason and one.digest is not None:
            plan.why[name] = f"not cacheable: {reason}"
            outcome.volatile[one.digest] = reason
        plan.identities[name] = replace(one, observed=seen.digest())
        remember(name, plan.identities[name])
        return seen, reason

    def _reason(self, name: str, one: Identity) -> str:
        """Return why a node is not cached if a dependency changed during the run, else ""."""
        if name in self.files:  # the files may have been changed during the run
            now = identities.files(self.files[name]).digest
            return "" if now in one.parts.values() else "its files changed while they were read"
        changed = [part for part, now in self._now(name).items() if one.parts[part] != now.digest]
        what = changed[0].partition(" ")[2] if changed else ""
        return f"what {what} reads changed while it ran" if changed else ""

    def _now(self, name: str) -> dict[str, Identity]:
        """Return the result of `_used` under the settings of the caller of the run."""
        caller = self.live.caller
        return self._used(name) if caller is None else caller.run(self._used, name)

    def _used(self, name: str) -> dict[str, Identity]:
        """Return the current identities of a node's models, step kind and functions, by part."""
        prepared = self.plan.prepared
        node = prepared.graph[name]
        used = {f"model {m}": identities.model_now(prepared.models[m]) for m in node.models}
        if name in prepared.refreshed:
            used[f"model {node['model']}"] = identities.model_now(prepared.refreshed[name])
        if name in prepared.codes:
            used[f"step {node.kind}"] = identities.step(prepared.codes[name])
        for f in node.functions:
            used[f"function {f}"] = identities.function(prepared.functions[f])
        return used

    def _is_over(self, name: str) -> bool:
        """Return whether a node is complete and stored; False if this process cannot know that."""
        plan, tally = self.plan, self.live.tallies[name]
        node = plan.prepared.graph[name]
        if name not in plan.drafts:
            return name in self.made or tally.parts == len(plan.entries[name].infos)
        if not node.inputs:
            over = tally.parts == self.parts[name]
            return over and tally.stored == tally.flows[NodeFn.step].given
        if not all(self._is_over(wire.node) for wire in node.inputs):
            return False
        expected = sum(map(self._given, node.inputs))
        own = step.of_kind(node.step, self.lean).entered(node, plan.prepared.decisions.get(name))
        if own is None:
            return False
        for one in (*gather.steps(node), *own):
            if tally.flows[one].taken != expected:
                return False
            expected = tally.flows[one].given
        return tally.stored == expected

    def _given(self, wire: Input) -> int:
        tally = self.live.tallies[wire.node]
        return tally.branches[wire.port] if wire.port else tally.elements_out


def _differing(whole: Measured) -> str:
    differs = [model for model, one in whole.models.items() if one.repeatable is False]
    return f"model {differs[0]!r} returns different outputs when called again" if differs else ""


def _not_finite_warning(model: str, measure: ModelMeasure) -> str:
    return (
        f"model {model!r}: {measure.not_finite:,} of {measure.predictions:,} predictions are "
        "NaN or infinity, contain them or are computed from them; "
        "mm.inspect shows the inputs of the model"
    )
