"""What of a graph is stored already, and what is to be made."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from mmnotebook.errors import MMError
from mmnotebook.graph import fingerprint
from mmnotebook.graph.fingerprint import Identity
from mmnotebook.runtime import timed
from mmnotebook.runtime.answers import Answers
from mmnotebook.runtime.data import objects
from mmnotebook.runtime.preparing import Prepared
from mmnotebook.runtime.reading import Files, Stored
from mmnotebook.runtime.running import identity, measures
from mmnotebook.runtime.running.measures import Measured
from mmnotebook.runtime.store import entries
from mmnotebook.runtime.store.entries import Entry
from mmnotebook.runtime.store.eviction import write_shard
from mmnotebook.runtime.store.shards import Damaged
from mmnotebook.runtime.store.store import Draft, Store

CACHED = "read from the cache"

# By node name what it was when it was last planned, to say what has changed.
_before: dict[str, Identity] = {}


@dataclass
class Plan:
    """What is stored of a prepared graph's nodes and what is not.

    Attributes
    ----------
    fresh
        By node that is made in any case, why.
    entries
        What is stored, by node; held here, so that it stays.
    measured
        What those nodes did when they were made.
    drafts
        Where the others will be stored.
    why
        By node, why it is made, or that it is not.
    partly
        By node that is made, what is stored of some of its elements, and what it did for these.
    """

    prepared: Prepared
    store: Store
    fresh: Mapping[str, str]
    identities: Mapping[str, Identity]
    entries: dict[str, Entry] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)
    drafts: dict[str, Draft] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    partly: dict[str, tuple[Entry, Measured]] = field(default_factory=dict)

    def stored(self) -> dict[str, Stored]:
        """How the pipeline reads what is stored."""
        made = {}
        for name, entry in self.entries.items():
            below = self.prepared.graph[name].inputs and self.prepared.carried
            elders = self.sources(name) if below else []
            fields = tuple(file for elder in elders for file in files(self.entries[elder]))
            made[name] = Stored(files(entry), fields)
        return made

    def sources(self, name: str) -> list[str]:
        """The sources that a node comes from."""
        return [node.name for node in self.prepared.graph.upto(name) if not node.inputs]

    def answers(self) -> dict[str, Answers]:
        """By node, which elements of its input are answered already."""
        graph = self.prepared.graph
        return {
            name: Answers(graph[name], files(entry), entry.meta["again"])
            for name, (entry, _) in self.partly.items()
        }

    def draft(self, name: str) -> Draft:
        """Where a node's elements are to be stored; under a name of no use to others where what
        it computes cannot be known."""
        return self.store.draft(self.identities[name].digest or f"once-{uuid.uuid4().hex}")


def files(entry: Entry) -> Files:
    """An entry's files, for a pipeline to read."""
    return tuple((str(entry.path), info) for info in entry.infos)


def plan(prepared: Prepared, store: Store, *, fresh: Mapping[str, str]) -> Plan:
    """Find what is stored of a graph; the elements of objects that are not stored are, here."""
    made = Plan(prepared, store, fresh, identity.nodes(prepared))
    wanted = {name: one.digest for name, one in made.identities.items() if name not in fresh}
    known = {name: digest for name, digest in wanted.items() if digest is not None}
    found = store.find(known.values())
    for name, digest in known.items():
        if digest in found and _take(made, name, found[digest]):
            made.why[name] = CACHED
    for node in prepared.graph.order():
        if node.name in prepared.objects and node.name not in made.entries:
            _say_why(made, node.name)
            _store_object(made, node.name)
    _drop_without_source(made)
    for node in prepared.graph.order():
        if node.name not in made.entries:
            _say_why(made, node.name)
            made.drafts[node.name] = made.draft(node.name)
    for name, said in prepared.said.items():
        made.why[name] += f"; {said}"
    _before.update(made.identities)
    return made


def _take(made: Plan, name: str, entry: Entry) -> bool:
    """Take what is stored of a node, unless another version has measured it in another way.

    False also for what is stored in part.
    """
    try:
        measured = Measured.from_meta(entry.meta, entry.bytes, name)
    except (KeyError, TypeError, ValueError, AttributeError):
        entries.distrust(Damaged(entry.path / entries.MANIFEST, "was written by another version"))
        return False
    if not entry.whole:
        made.partly[name] = entry, measured
        return False
    made.entries[name], made.measured[name] = entry, measured
    return True


def _say_why(made: Plan, name: str) -> None:
    one, before = made.identities[name], _before.get(name)
    if one.digest is None:
        made.why[name] = f"always computed: {one.reason}"
    elif name in made.fresh:
        made.why[name] = made.fresh[name]
    elif before is not None and before.digest is not None and before.digest != one.digest:
        made.why[name] = fingerprint.changes(before, one)
    else:
        made.why[name] = "not in the cache"


def _store_object(made: Plan, name: str) -> None:
    """Store the elements of an object of the notebook; they need no pipeline for that."""
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
    """Make again what is stored, but whose elements' fields are not, where a step goes by these."""
    if not made.prepared.carried:
        return
    for node in made.prepared.graph.order():
        if node.name in made.entries and not made.entries.keys() >= set(made.sources(node.name)):
            del made.entries[node.name], made.measured[node.name]
