"""Nodes of which only new elements are computed, and why."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mmnotebook.beam.answers import index
from mmnotebook.beam.dofns.reuse import Reuse
from mmnotebook.beam.prepare import Prepared
from mmnotebook.errors import counted
from mmnotebook.fingerprint.identity import Identity, scan_modules_once
from mmnotebook.graph.graph import Node
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import identity as identity_of
from mmnotebook.model import knowledge
from mmnotebook.model.knowledge import Knowledge
from mmnotebook.observing import outcome
from mmnotebook.running.measures import Measured
from mmnotebook.store.entries import Entry
from mmnotebook.store.store import Store

How = Literal["block", "element", "remote"]
"""Why single outputs can be reused: comparisons of the model's outputs show it ("block"), the user
says so ("element"), or the model is remote ("remote")."""

MOST, ROWS = 32, 1 << 24
"""Maximum number of entries of a node that are searched for outputs, newest first, and maximum
number of elements in them."""
META = "answers"
"""The key of `How` in an entry's meta."""


@dataclass
class Answered:
    """A node that is computed, and the entries that hold outputs of some of its elements.

    Attributes
    ----------
    own
        The node's identity without its inputs.
    reuse
        The stored outputs, in the form that the step uses.
    entries
        The entries; held here so that they are not evicted.
    """

    own: str
    reuse: Reuse
    entries: Sequence[Entry] = field(default=())


@scan_modules_once()
def nodes(
    prepared: Prepared,
    identities: Mapping[str, Identity],
    store: Store,
    names: Iterable[str],
    fresh: Container[str],
) -> dict[str, Answered]:
    """Return, by name, the nodes among `names` that may reuse outputs of single elements."""
    found = {}
    for name in names:
        node, own = prepared.graph[name], identities[name].own
        if own is None or not _by_itself(node, prepared):
            continue
        kept = () if name in fresh else _usable(node, prepared, _within(store.answers(own, MOST)))
        by_element = node.step.runs_one_model and prepared.model(node).cache == "element"
        reuse = Reuse(own, index.of(kept), by_element, node.step.outputs == "any number")
        found[name] = Answered(own, reuse, kept)
    return found


def _by_itself(node: Node, prepared: Prepared) -> bool:
    """Return whether the output for an element can depend on that element alone."""
    if node.step.family == "function":
        return node.gather != "join"
    return node.step.runs_one_model and prepared.model(node).reset is None


def _within(found: Sequence[Entry]) -> list[Entry]:
    """Return the first entries that have at most `ROWS` elements in total."""
    counts = itertools.accumulate(entry.rows for entry in found)
    return [entry for entry, count in zip(found, counts, strict=True) if count <= ROWS]


def _usable(node: Node, prepared: Prepared, found: Sequence[Entry]) -> tuple[Entry, ...]:
    found = [entry for entry in found if not outcome.stored(entry.meta).changed()]
    if not node.step.runs_one_model:
        return tuple(found)
    spec = prepared.model(node)
    if _refuted(_known(spec)):
        return ()
    asserted = spec.cache == "element"
    return tuple(e for e in found if asserted or e.meta.get(META) in ("block", "remote"))


def how(node: Node, prepared: Prepared, made: Measured, before: Answered | None) -> How | None:
    """Return how outputs of a computed node can be reused by element; None if they cannot.

    Parameters
    ----------
    node, prepared
        The node and its graph.
    made
        The measures of the node.
    before
        The stored outputs that were known before the node was computed.
    """
    if before is None or not node.step.runs_one_model:
        return None if before is None else "block"
    spec = prepared.model(node)
    known, measure = _known(spec), made.models.get(spec.name)
    said = None if measure is None else (measure.batch_invariant, measure.repeatable)
    if _refuted(known) or (said is not None and False in said):
        return None
    if known.remote or spec.remote:
        return "remote"
    if spec.cache == "element":
        return "element"
    if said == (True, True) and known.probed:
        return "block"
    # This was already found out for the same model.
    kinds = [entry.meta.get(META) for entry in before.entries]
    return next((one for one in ("remote", "block") if one in kinds), None)


def _known(spec: ModelSpec) -> Knowledge:
    digest = identity_of.of(spec).digest
    return Knowledge() if digest is None else knowledge.of(digest)


def _refuted(known: Knowledge) -> bool:
    """Return whether an output is known to depend on more than its element."""
    return known.invariant is False or known.keeps_state


def partial(identity: Identity) -> str:
    """Return the identity for storing a node with failures that may not recur."""
    return f"partial-{identity.digest}"


def partly(before: Answered, identity: Identity) -> bool:
    """Return whether the cache has this node except for elements whose failures may not recur."""
    mine = partial(identity)
    return any(entry.identity == mine for entry in before.entries)


def said(why: str, known: int, rest: int, again: bool) -> str:
    """Return why a node was computed, and how many outputs were read from the cache."""
    if not known:
        return why
    text = f"{counted(known, 'element')} read from the cache, {rest:,} "
    text += "tried again" if again else "computed"
    return text if why == "not in the cache" else f"{why}; {text}"
