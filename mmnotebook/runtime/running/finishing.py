"""Which nodes of a run are finished; each is stored for good as soon as it is."""

from __future__ import annotations

import threading
from dataclasses import replace

from mmnotebook.analysis.metrics import ModelMeasure
from mmnotebook.errors import ModelWarning, RunError
from mmnotebook.graph.fingerprint import Identity
from mmnotebook.graph.graph import Input
from mmnotebook.runtime import gathering, transforms
from mmnotebook.runtime.keyed import lowering
from mmnotebook.runtime.node_fn import NodeFn
from mmnotebook.runtime.running import identity, measures
from mmnotebook.runtime.running.live import Live
from mmnotebook.runtime.running.measures import Counters, Values
from mmnotebook.runtime.running.planning import Plan
from mmnotebook.runtime.tracking import NODE_NAMESPACE, PASSING


class Finishing:
    """Moves the nodes of a run from its plan's drafts to its entries."""

    def __init__(self, plan: Plan, live: Live) -> None:
        self.plan, self.live = plan, live
        self.files = plan.prepared.plans
        self.parts = {name: len(files.parts()) for name, files in self.files.items()}
        self.made: dict[str, None] = {}
        self._taken: set[str] = set()
        self._passing: set[str] = set()
        self._lock = threading.Lock()

    def store_finished(self) -> None:
        """Store the nodes that are finished by now."""
        with self._lock:
            for name in [name for name in self.plan.drafts if self._is_over(name)]:
                self._commit(name, self.live.counters, self.live.values)

    def store_all(self, counters: Counters, values: Values) -> None:
        """Store every node: the run is over, and went well."""
        with self._lock:
            for name in list(self.plan.drafts):
                self._check(name)
                self._commit(name, counters, values)

    def _check(self, name: str) -> None:
        """Raise when nothing is stored of a node that has given something."""
        tally = self.live.tallies[name]
        given = tally.elements_out + tally.failed
        if given and not tally.stored:
            raise RunError(
                f"node {name!r} gave {given:,} elements, but Beam has stored none of them",
                remedy="restart the kernel, and run the graph again",
                node=name,
            )

    def give_up(self) -> None:
        """Remove what was written of the nodes that are not stored, whoever still holds the run."""
        with self._lock:
            for draft in self.plan.drafts.values():
                draft.discard()
            self.plan.drafts.clear()

    def take_made(self) -> list[str]:
        """The nodes that were stored since the last call."""
        with self._lock:
            new = [name for name in self.made if name not in self._taken]
            self._taken.update(new)
        return new

    def _commit(self, name: str, counters: Counters, values: Values) -> None:
        plan = self.plan
        node = plan.prepared.graph[name]
        whole = measures.measured(node, counters, values)
        for model, measure in whole.models.items():
            if measure.not_finite:
                self.live.warn(name, model, ModelWarning, _odd(model, measure))
        warned = tuple(one for _, one in self.live.warnings(name))
        whole = replace(whole, warned=warned)
        passing = counters.get(NODE_NAMESPACE + name, {}).get(PASSING, 0)
        differs = [model for model, one in whole.models.items() if one.repeatable is False]
        lasting = not passing and not differs and self._is_lasting(name)
        if differs:
            plan.why[name] = (
                f"always computed: model {differs[0]!r} gives other outputs when it is asked again"
            )
        if not lasting:
            self._passing.add(name)
        # Of what ran elsewhere the counts come from Beam, which may lack some.
        rows = whole.node.elements_out if counters is self.live.counters else None
        entry = plan.drafts[name].commit(
            whole.meta(name), rows=rows, lasting=lasting, replace=plan.fresh
        )
        del plan.drafts[name]
        self.made[name] = None
        plan.entries[name] = entry
        plan.measured[name] = measures.sized(whole, entry.bytes)

    def _is_lasting(self, name: str) -> bool:
        """Would another run give the same?"""
        if self.plan.identities[name].digest is None:
            return False
        plan = self.plan
        if any(wire.node in self._passing for wire in plan.prepared.graph[name].inputs):
            return False
        parts = plan.identities[name].parts
        if name in self.files:  # not when they were written meanwhile
            return identity.files(self.files[name]).digest in parts.values()
        changed = [one for one, now in self._used(name).items() if parts.get(one) != now.digest]
        if changed:
            what = changed[0].partition(" ")[2]
            plan.why[name] = f"always computed: what {what} reads changed while it ran"
        return not changed

    def _used(self, name: str) -> dict[str, Identity]:
        """The functions and models of a node as they are now, by what they are in its identity."""
        prepared = self.plan.prepared
        node = prepared.graph[name]
        used = {f"model {m}": identity.model_now(prepared.models[m]) for m in node.models}
        if name in prepared.refreshed:
            used[f"model {node['model']}"] = identity.model_now(prepared.refreshed[name])
        for f in node.functions:
            used[f"function {f}"] = identity.function(prepared.functions[f])
        return used

    def _is_over(self, name: str) -> bool:
        """Has a node given everything, and is it on disk? False where it is not to be seen here."""
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
        keyed = plan.prepared.keyed.get(name)
        own = transforms.steps(node) if keyed is None else lowering.steps(keyed)
        for step in (*gathering.steps(node), *own):
            if tally.flows[step].taken != expected:
                return False
            expected = tally.flows[step].given
        return tally.stored == expected

    def _given(self, wire: Input) -> int:
        tally = self.live.tallies[wire.node]
        return tally.arms[wire.port] if wire.port else tally.elements_out


def _odd(model: str, measure: ModelMeasure) -> str:
    return (
        f"model {model!r}: {measure.not_finite:,} of {measure.predictions:,} predictions are "
        "NaN or infinity, hold them or are made of them; mm.inspect shows what the model was given"
    )
