"""Nodes that are stored in part: but for the elements that failed in a way that may pass.

The next run reads what is there and asks for the rest alone; see `answers`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from mmnotebook.analysis.metrics import merge
from mmnotebook.graph.graph import Node
from mmnotebook.runtime.preparing import Prepared
from mmnotebook.runtime.running.live import Live
from mmnotebook.runtime.running.measures import Counters, Measured
from mmnotebook.runtime.running.planning import Plan
from mmnotebook.runtime.tracking import ANSWERED, NODE_NAMESPACE, PASSING

_ALONE = ("model", "keyed", "cascade", "map", "filter", "flat_map", "split", "switch")
"""The kinds of steps whose answer for an element depends on that element alone."""


def again(
    prepared: Prepared, live: Live, name: str, made: Measured, partial: Collection[str]
) -> list[str] | None:
    """The ids that are to be asked again; None where no element's answer can be kept alone.

    Parameters
    ----------
    made
        What the node did.
    partial
        The nodes above that are stored in part; what came of their elements is whole.
    """
    node = prepared.graph[name]
    below = any(wire.node in partial for wire in node.inputs)
    if below and len(node.inputs) > 1:  # an element may lack what is still to come
        return None
    depends = any(measure.batch_invariant is False for measure in made.models.values())
    if depends or not _by_element(prepared, node):
        return None
    return sorted(live.passing[name])


def with_before(made: Measured, before: Measured | None) -> Measured:
    """What a node did, with what was done earlier for the elements that it did not ask again."""
    if before is None:
        return made
    # The elements of both are counted in this run.
    models = {
        name: merge((replace(before.models[name], predictions=0, failed=0), measure))
        if name in before.models
        else measure
        for name, measure in made.models.items()
    }
    seconds = (made.node.seconds or 0.0) + (before.node.seconds or 0.0)
    old = (one for one in before.warned if one not in made.warned)
    return Measured(replace(made.node, seconds=seconds), models, (*old, *made.warned))


def why(plan: Plan, name: str, counters: Counters) -> str:
    """How many elements were read and how many asked again, as half a sentence."""
    counts = counters.get(NODE_NAMESPACE + name, {})
    read, came = counts.get(ANSWERED, 0), counts.get("elements_in", 0)
    entry, _ = plan.partly[name]
    tried = min(len(entry.meta["again"]), came - read)
    new = came - read - tried
    said = [f"{read:,} read from the cache"]
    said += [f"{tried:,} tried again"] if tried else []
    said += [f"{new:,} computed"] if new else []
    return ", ".join(said)


def passing(counters: Counters, name: str) -> int:
    """How many elements of a node failed in a way that may pass."""
    return counters.get(NODE_NAMESPACE + name, {}).get(PASSING, 0)


def _by_element(prepared: Prepared, node: Node) -> bool:
    """Is a node's answer for an element that of its id alone, wherever the element comes in?

    Not where ids may be there twice: in unions, and in windows.
    """
    above = prepared.graph.upto(node.name)
    twice = any(one.gather == "union" and len(one.inputs) > 1 for one in above)
    timed_sources = prepared.recordings.keys() | prepared.transforms.keys()
    if twice or any(one.name in timed_sources for one in above):
        return False
    return node.kind in _ALONE and all(prepared.models[m].reset is None for m in node.models)
