"""The plan of a run: which nodes are cached, and which will be computed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mmnotebook.beam.lowering.sources import Files, Stored
from mmnotebook.beam.prepare import Prepared
from mmnotebook.errors import MMError
from mmnotebook.fingerprint import identity as fingerprint
from mmnotebook.fingerprint.identity import Behind, Identity
from mmnotebook.observing import Record, outcome
from mmnotebook.running import identities, incremental, measures, unions
from mmnotebook.running.incremental import Answered
from mmnotebook.running.measures import Measured
from mmnotebook.sources import objects
from mmnotebook.store import entries, lineage, timed
from mmnotebook.store.entries import Entry
from mmnotebook.store.outlines import write_shard
from mmnotebook.store.shards import Damaged
from mmnotebook.store.store import Draft, Store

CACHED = "read from the cache"

# The latest known identity of each node, by node name, to say what has changed.
_before: dict[str, Identity] = {}


@dataclass
class Plan:
    """The nodes of a prepared graph: which are stored, and which will be computed.

    Attributes
    ----------
    fresh
        The nodes to compute even if they are cached, with the reason for each node.
    behind
        Identities of the objects to which the names in the graph refer.
    identities
        The identity of every node. The identity of a node to compute is complete after the run.
    entries
        The entries of the stored nodes. This reference prevents their eviction.
    measured
        Measures of the computation of the stored nodes.
    drafts
        The drafts of the nodes to compute.
    changed
        Nodes whose entries are no longer valid, with the observed dependency or input that changed.
    why
        For each node, the reason why it is computed, or a note that it is read from the cache.
    answered
        The nodes that are computed and may reuse stored outputs of single elements.
    """

    prepared: Prepared
    store: Store
    fresh: Mapping[str, str]
    behind: Behind
    identities: dict[str, Identity] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)
    drafts: dict[str, Draft] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    answered: dict[str, Answered] = field(default_factory=dict)

    def stored(self) -> dict[str, Stored]:
        """Return the files from which the pipeline reads each stored node."""
        made = {}
        for name, entry in self.entries.items():
            below = self.prepared.graph[name].inputs and self.prepared.carried
            elders = self.sources(name) if below else []
            fields = tuple(file for elder in elders for file in files(self.entries[elder]))
            made[name] = Stored(files(entry), fields)
        return made

    def sources(self, name: str) -> list[str]:
        """Return the names of the sources of a node."""
        return [node.name for node in self.prepared.graph.upto(name) if not node.inputs]

    def records(self) -> dict[str, Record]:
        """Create a record of observations for each node to compute that has functions or models."""
        made = {}
        for name in self.drafts:
            used = self.used(name)
            if used:
                made[name] = Record(used, self.identities[name].codes)
        return made

    def used(self, name: str) -> list[Any]:
        """Return the functions and models of a node."""
        prepared, node = self.prepared, self.prepared.graph[name]
        models = [prepared.models[one] for one in node.models]
        if name in prepared.refreshed:
            models.append(prepared.refreshed[name])
        codes = prepared.codes.get(name, ())
        return [*(prepared.functions[one] for one in node.functions), *codes, *models]

    def meta(self, name: str, whole: Measured) -> dict[str, Any]:
        """Return the metadata of a node's entry: its measures, and the identities of its inputs."""
        wires = self.prepared.graph[name].inputs
        above = {wire.node: self.identities[wire.node].digest for wire in wires}
        return {**whole.meta(name), lineage.INPUTS: list(above.values())}

    def again(self, name: str, why: str) -> None:
        """Plan to compute a node although it has an entry."""
        self.drafts[name] = self.draft(name)
        self.why[name] = why
        del self.entries[name], self.measured[name]

    def draft(self, name: str) -> Draft:
        """Open the entry in which a node's elements will be stored.

        If the identity of the node is unknown, the entry has a name that no other run looks up.
        """
        return self.store.draft(self.identities[name].digest or f"once-{uuid.uuid4().hex}")


def files(entry: Entry) -> Files:
    """Return an entry's files, for a pipeline to read."""
    return tuple((str(entry.path), info) for info in entry.infos)


def plan(prepared: Prepared, store: Store, *, fresh: Mapping[str, str]) -> Plan:
    """Find the entries of a graph's nodes; store notebook data that has no entry."""
    made = Plan(prepared, store, fresh, identities.behind(prepared))
    _find(made)
    for node in prepared.graph.order():
        if node.name in prepared.objects and node.name not in made.entries:
            made.why[node.name] = _why(made, node.name)
            _store_object(made, node.name)
    unions.check(prepared.graph, made.entries)
    _drop_without_source(made)
    for node in prepared.graph.order():
        if node.name not in made.entries:
            made.why[node.name] = _why(made, node.name)
            made.drafts[node.name] = made.draft(node.name)
    made.answered = incremental.nodes(prepared, made.identities, store, made.drafts, fresh)
    for name, said in prepared.said.items():
        made.why[name] += f"; {said}"
    _before.update(made.identities)
    return made


def remember(name: str, one: Identity) -> None:
    """Remember a node's identity, so that the next plan can say what has changed."""
    _before[name] = one


def _find(made: Plan) -> None:
    """Find the entry of each node whose observed dependencies have not changed."""
    graph = made.prepared.graph
    simple = fingerprint.identities(graph, made.behind)  # valid where no dependency was observed
    wanted = (one.digest for name, one in simple.items() if name not in made.fresh)
    found = made.store.find(digest for digest in wanted if digest is not None)
    for node in graph.order():
        one = made.identities[node.name] = fingerprint.of_node(node, made.behind, made.identities)
        if one.digest is None or node.name in made.fresh:
            continue
        above = next((wire.node for wire in node.inputs if wire.node in made.changed), None)
        if above is not None:
            made.changed[node.name] = f"its input changed ({above})"
            continue
        if one.digest not in found and one.digest != simple[node.name].digest:
            found |= made.store.find([one.digest])
        if one.digest in found and _take(made, node.name, found[one.digest]):
            made.why[node.name] = CACHED


def _take(made: Plan, name: str, entry: Entry) -> bool:
    """Use the stored entry of a node if it is still valid; return whether it is.

    An entry is not valid if an observed dependency has changed, or if it was written by another
    version of mmnotebook.
    """
    try:
        measured = Measured.from_meta(entry.meta, entry.bytes, name)
        seen = outcome.stored(entry.meta)
    except (KeyError, TypeError, ValueError, AttributeError):
        entries.distrust(Damaged(entry.path / entries.MANIFEST, "was written by another version"))
        return False
    if said := seen.changed():
        made.changed[name] = said
        return False
    made.entries[name], made.measured[name] = entry, measured
    made.identities[name] = replace(made.identities[name], observed=seen.digest())
    return True


def _why(made: Plan, name: str) -> str:
    """Return why a node is computed."""
    one, before = made.identities[name], _before.get(name)
    if one.digest is None:
        return f"not cacheable: {one.reason}"
    if name in made.fresh:
        return made.fresh[name]
    if one.digest in outcome.volatile:
        return f"not cacheable: {outcome.volatile[one.digest]}"
    if before is not None and before.digest is not None and before.digest != one.digest:
        return fingerprint.changes(before, one)
    return made.changed.get(name, "not in the cache")


def _store_object(made: Plan, name: str) -> None:
    """Store the elements of notebook data, without a pipeline."""
    started = time.perf_counter()
    blocks, draft = made.prepared.objects[name], made.draft(name)
    recording = made.prepared.recordings.get(name)
    try:
        if recording is not None:
            recording.write(timed.Writer(draft.path, write_shard))
        else:
            for place, block in enumerate(blocks):
                write_shard(draft.path, place, [block], len(block))
    except MMError:
        raise
    except Exception as error:
        raise objects.unstorable_element(error) from error
    count, failed = sum(map(len, blocks)), sum(len(block.failed) for block in blocks)
    seconds = time.perf_counter() - started
    whole = measures.of_object(made.prepared.graph[name].kind, count, seconds, failed)
    lasting = made.identities[name].digest is not None
    entry = draft.commit(whole.meta(name), rows=count, lasting=lasting, replace=name in made.fresh)
    made.entries[name], made.measured[name] = entry, measures.sized(whole, entry.bytes)


def _drop_without_source(made: Plan) -> None:
    """Drop the entries of nodes whose sources are not stored, if a step needs their fields."""
    if not made.prepared.carried:
        return
    for node in made.prepared.graph.order():
        if node.name in made.entries and not made.entries.keys() >= set(made.sources(node.name)):
            del made.entries[node.name], made.measured[node.name]
