"""What of a graph is stored already, and what is to be made."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from mmnotebook.errors import MMError
from mmnotebook.graph import fingerprint
from mmnotebook.graph.fingerprint import Identity
from mmnotebook.runtime.data import objects
from mmnotebook.runtime.preparing import Prepared
from mmnotebook.runtime.reading import Files, Stored
from mmnotebook.runtime.running import identity, measures
from mmnotebook.runtime.running.measures import Measured
from mmnotebook.runtime.store.entries import Entry
from mmnotebook.runtime.store.eviction import write_shard
from mmnotebook.runtime.store.store import Draft, Store

CACHED = "read from the cache"

# By node name what it was when it was last planned, to say what has changed.
_before: dict[str, Identity] = {}


@dataclass
class Plan:
    """What is stored of a prepared graph's nodes and what is not.

    Attributes
    ----------
    entries
        What is stored, by node; held here, so that it stays.
    measured
        What those nodes did when they were made.
    drafts
        Where the others will be stored.
    why
        By node, why it is made, or that it is not.
    """

    prepared: Prepared
    store: Store
    fresh: bool
    identities: Mapping[str, Identity]
    entries: dict[str, Entry] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)
    drafts: dict[str, Draft] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)

    def stored(self) -> dict[str, Stored]:
        """How the pipeline reads what is stored."""
        sources = [node.name for node in self.prepared.graph if not node.inputs]
        made = {}
        for name, entry in self.entries.items():
            above = {node.name for node in self.prepared.graph.upto(name)}
            below = name not in sources and self.prepared.carried
            elders = [self.entries[s] for s in sources if s in above] if below else []
            made[name] = Stored(files(entry), tuple(f for elder in elders for f in files(elder)))
        return made


def files(entry: Entry) -> Files:
    """An entry's files, for a pipeline to read."""
    return tuple((str(entry.path), info) for info in entry.infos)


def plan(prepared: Prepared, store: Store, *, fresh: bool) -> Plan:
    """Find what is stored of a graph; the elements of objects that are not stored are, here."""
    made = Plan(prepared, store, fresh, identity.nodes(prepared))
    known = {name: one.digest for name, one in made.identities.items() if one.digest is not None}
    found = {} if fresh else store.find(known.values())
    for name, digest in known.items():
        if digest in found:
            _take(made, name, found[digest])
            made.why[name] = CACHED
    for node in prepared.graph.order():
        if node.name in prepared.objects and node.name not in made.entries:
            _say_why(made, node.name)
            _store_object(made, node.name)
    _drop_without_source(made)
    for node in prepared.graph.order():
        if node.name not in made.entries:
            _say_why(made, node.name)
            made.drafts[node.name] = store.draft(known.get(node.name) or f"once-{uuid.uuid4().hex}")
    _before.update(made.identities)
    return made


def _take(made: Plan, name: str, entry: Entry) -> None:
    made.entries[name] = entry
    made.measured[name] = Measured.from_json(entry.meta["measured"], entry.bytes)


def _say_why(made: Plan, name: str) -> None:
    one, before = made.identities[name], _before.get(name)
    if one.digest is None:
        made.why[name] = f"always computed: {one.reason}"
    elif made.fresh:
        made.why[name] = "fresh=True"
    elif before is not None and before.digest is not None and before.digest != one.digest:
        made.why[name] = fingerprint.changes(before, one)
    else:
        made.why[name] = "not in the cache"


def _store_object(made: Plan, name: str) -> None:
    """Store the elements of an object of the notebook; they need no pipeline for that."""
    started = time.perf_counter()
    blocks, digest = made.prepared.objects[name], made.identities[name].digest
    draft = made.store.draft(digest or f"once-{uuid.uuid4().hex}")
    for place, block in enumerate(blocks):
        try:
            write_shard(draft.path, place, [block], len(block))
        except MMError:
            raise
        except Exception as error:
            raise objects.unstorable_element(error) from error
    whole = measures.of_object(
        made.prepared.graph[name].kind, sum(map(len, blocks)), time.perf_counter() - started
    )
    meta = {"node": name, "kind": whole.node.kind, "measured": whole.to_json()}
    entry = draft.commit(meta, lasting=digest is not None, replace=made.fresh)
    made.entries[name], made.measured[name] = entry, measures.sized(whole, entry.bytes)


def _drop_without_source(made: Plan) -> None:
    """Make again what is stored, but whose elements' fields are not, where a step goes by these."""
    if not made.prepared.carried:
        return
    graph = made.prepared.graph
    for node in graph.order():
        if node.name in made.entries and node.inputs:
            elders = [elder.name for elder in graph.upto(node.name) if not elder.inputs]
            if not made.entries.keys() >= set(elders):
                del made.entries[node.name], made.measured[node.name]
