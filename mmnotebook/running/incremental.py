"""Reuse of stored outputs of single elements, so that a run computes only new elements."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mmnotebook.beam.answers import index
from mmnotebook.beam.dofns.reuse import Reuse
from mmnotebook.beam.lowering.step import of_kind
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
"""The reason why outputs of single elements can be reused.

"block": the node calls a function, or comparisons have shown that each output of the model depends
on one element. "element": the user registered the model with cache="element". "remote": the model
is remote.
"""

MOST, ROWS = 32, 1 << 24
"""Limits of the search for a node's stored outputs, newest entries first: the maximum number of
entries, and the maximum number of elements in these entries."""
META = "answers"
"""The key of the reason, a `How`, in the metadata of an entry."""


@dataclass
class Answered:
    """The stored outputs that a node may reuse when it is computed.

    Attributes
    ----------
    own
        The node's identity without its inputs.
    reuse
        The stored outputs, in the form in which the step looks them up.
    entries
        The entries that contain the outputs. This reference prevents their eviction.
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
    """Return the stored outputs for each node among `names` that may reuse outputs, by name."""
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
        return node.gather != "join" and of_kind(node.step).is_alone
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
    """Return why a computed node's outputs can be reused for single elements; None if they cannot.

    Parameters
    ----------
    node, prepared
        The node and its graph.
    made
        The measures of the node.
    before
        The stored outputs that the node could reuse; None if the node cannot reuse outputs.
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
    # An earlier run has found the reason for the same model.
    kinds = [entry.meta.get(META) for entry in before.entries]
    return next((one for one in ("remote", "block") if one in kinds), None)


def _known(spec: ModelSpec) -> Knowledge:
    digest = identity_of.of(spec).digest
    return Knowledge() if digest is None else knowledge.of(digest)


def _refuted(known: Knowledge) -> bool:
    """Return whether a model's outputs are known to depend on more than one element each."""
    return known.invariant is False or known.keeps_state


def partial(identity: Identity) -> str:
    """Return the identity under which a node is stored if some of its failures may not recur."""
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
