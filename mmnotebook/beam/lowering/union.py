"""Unions of sources, and the check that their ids are unambiguous."""

from __future__ import annotations

import itertools
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows
from apache_beam.typehints import KV

from mmnotebook.beam.dofns.node_fn import PlainFn
from mmnotebook.elements.block import Block
from mmnotebook.elements.coders import Element
from mmnotebook.errors import RunError
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.sources.sources import SourcePlan

_BUCKETS = 256
_FILES = 64
"""The maximum number of files with equal names that are opened before a run."""


def check(
    graph: Graph, objects: Mapping[str, Sequence[Block]], plans: Mapping[str, SourcePlan]
) -> None:
    """Check that elements of united sources have different ids, as far as known before a run.

    Parameters
    ----------
    objects
        The blocks of the sources that are notebook data.
    plans
        The files of the other sources.

    Raises
    ------
    RunError
        If two sources have an element with the same id. The message names the sources and the id.
    """
    for node, one, other in pairs(graph):
        shared = None
        if one in objects and other in objects:
            shared = _shared(objects[one], objects[other])
        elif one in plans and other in plans:
            shared = _shared_file(plans[one], plans[other])
        if shared is not None:
            raise refused(graph, node, one, other, shared)


def pairs(graph: Graph) -> Iterator[tuple[str, str, str]]:
    """Yield each pair of sources that are united, once, after the first node that unites them."""
    found: set[tuple[str, str]] = set()
    for node in graph.order():
        for pair in _united(graph, node):
            if pair not in found and not _is_same(graph[pair[0]], graph[pair[1]]):
                found.add(pair)
                yield node.name, *pair


def _united(graph: Graph, node: Node) -> Iterator[tuple[str, str]]:
    """Yield pairs of sources whose elements reach a node through different inputs."""
    if node.gather == "join" or len(node.inputs) < 2:
        return
    place = {one.name: at for at, one in enumerate(graph.order())}
    above = [{one.name for one in graph.upto(wire.node) if not one.inputs} for wire in node.inputs]
    for one, other in itertools.combinations(above, 2):
        for pair in itertools.product(sorted(one - other), sorted(other - one)):
            first, second = sorted(pair, key=place.__getitem__)
            yield first, second


def _is_same(one: Node, other: Node) -> bool:
    """Return whether two sources have the same elements."""
    return (one.kind, one.params) == (other.kind, other.params)


def refused(graph: Graph, node: str, one: str, other: str, shared: str) -> RunError:
    """Return the error for two united sources that both have an element with the id `shared`."""
    remedy = f'source({one}, id="column") where each row has a unique id, or '
    remedy += f"all = pandas.concat([{one}, {other}], ignore_index=True)"
    if graph[one].step.reads_files or graph[other].step.reads_files:
        remedy = (
            'read(..., id="column") with a column of unique ids, or a single read of both, such '
            'as read("data/*/*.csv"): its ids contain the folders'
        )
    return RunError(
        f"node {node!r} takes the union of {one!r} and {other!r}, but both have "
        f"an element with the id {shared!r}: the id would be ambiguous",
        remedy=remedy,
        node=node,
    )


def _shared(one: Sequence[Block], other: Sequence[Block]) -> str | None:
    """Return the first id that both sources have."""
    known = {id for block in other for id in block.ids}
    return next((id for block in one for id in block.ids if id in known), None)


def _shared_file(one: SourcePlan, other: SourcePlan) -> str | None:
    """Return an id that two sources have because they have a file with the same name."""
    known = {part.name for part in other.slices}
    both = [part for part in one.slices if part.name in known][:_FILES]
    by_name = {part.name: part for part in other.slices}
    for part in both:
        ids = part.first_id(), by_name[part.name].first_id()
        if ids[0] is not None and ids[0] == ids[1]:
            return ids[0]
    return None


class _Ids(PlainFn):
    """Yields the ids of a source, by bucket."""

    def __init__(self, source: str) -> None:
        self.source = source

    def process(self, block: Block) -> Iterator[tuple[int, tuple[str, list[str]]]]:
        buckets = defaultdict[int, list[str]](list)
        for name in block.ids:
            buckets[zlib.crc32(name.encode("utf-8", "surrogatepass")) % _BUCKETS].append(name)
        for bucket, names in buckets.items():
            yield bucket, (self.source, names)


class _Compare(PlainFn):
    """Raises the error for two sources that have the same id in a bucket."""

    def __init__(self, graph: Graph, node: str, one: str, other: str) -> None:
        self.graph, self.node, self.one, self.other = graph, node, one, other

    def process(self, bucket: tuple[int, Iterable[tuple[str, list[str]]]]) -> None:
        found = defaultdict[str, set[str]](set)
        for source, names in bucket[1]:
            found[source].update(names)
        shared = found[self.one] & found[self.other]
        if shared:
            raise refused(self.graph, self.node, self.one, self.other, min(shared))


def compare(graph: Graph, known: Iterable[str], blocks: Mapping[str, Any]) -> None:
    """Add to a pipeline the check of united sources whose ids are not known before it runs.

    Parameters
    ----------
    known
        The sources whose ids were compared before.
    blocks
        The PCollection of each node. Unbounded sources are not compared: the ids of elements of a
        stream are random, or from a field that the user has chosen.
    """
    before = set(known)
    for node, one, other in pairs(graph):
        sources = {name: blocks[name] for name in (one, other)}
        if {one, other} <= before or not all(pcoll.is_bounded for pcoll in sources.values()):
            continue
        label = f"{node}: ids of {one} and {other}"
        parts = []
        for name, pcoll in sources.items():
            keyed = pcoll | f"{label}, {name}" >> beam.ParDo(_Ids(name))
            keyed = keyed | f"{label}, {name}, all" >> beam.WindowInto(GlobalWindows())
            keyed.element_type = KV[int, Element]
            parts.append(keyed)
        together = (
            parts | f"{label}, both" >> beam.Flatten() | f"{label}, by id" >> beam.GroupByKey()
        )
        together | label >> beam.ParDo(_Compare(graph, node, one, other))
