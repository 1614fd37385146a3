"""How a node's inputs come together: as they come, or joined by id into a dict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
from apache_beam.typehints import KV

from mmnotebook.graph.graph import Node
from mmnotebook.runtime.coders import Element
from mmnotebook.runtime.data.elements import Key, pick
from mmnotebook.runtime.node_fn import FAILED, NodeFn, Pair, apply


class _Gather(NodeFn):
    """A step on the way into a node. What fails here came in, though the node never saw it."""

    enters = leaves = False

    def fail(self, element_id: str, error: BaseException) -> Any:
        self._in += 1
        self._tally.elements_in += 1
        return super().fail(element_id, error)


class _Select(_Gather):
    """Takes the fields that an edge selects."""

    def __init__(self, node: str, run_id: str, select: str | tuple[str, ...] | None) -> None:
        super().__init__(node, run_id)
        self.select = select

    def apply(self, element: Pair) -> Iterable[Any]:
        return [(element[0], pick(element[1], self.select))]


class _Member(_Select):
    """One input of a join: by id, with its place among the inputs."""

    def __init__(
        self, node: str, run_id: str, select: str | tuple[str, ...] | None, place: int
    ) -> None:
        super().__init__(node, run_id, select)
        self.place = place

    def apply(self, element: Pair) -> Iterable[Any]:
        key, value = element
        return [(key.id, (self.place, key, pick(value, self.select)))]


class _Join(_Gather):
    """The outputs for one id as a dict by node name, in the order of the inputs."""

    def __init__(self, node: str, run_id: str, names: tuple[str, ...]) -> None:
        super().__init__(node, run_id)
        self.names = names

    def apply(self, element: tuple[str, Iterable[tuple[int, Key, Any]]]) -> Iterable[Pair]:
        members = sorted(element[1], key=lambda member: member[0])
        values = {self.names[place]: value for place, _, value in members}
        if len(values) < len(members):
            raise ValueError(f"{len(members)} elements have this id in {len(values)} inputs")
        fields: dict[str, Any] = {}
        for _, key, _ in members:
            fields.update(key.fields)
        return [(members[0][1]._replace(key=None, fields=tuple(fields.items())), values)]

    def id_of(self, element: tuple[str, Any]) -> str:
        return element[0]


def gather(node: Node, inputs: list[Any], run_id: str) -> tuple[Any, list[Any]]:
    """A node's inputs as one PCollection, and what failed on the way."""
    selects = [wire.select for wire in node.inputs]
    if node.gather != "join":
        merged, failed = [], []
        for place, (pcoll, select) in enumerate(zip(inputs, selects, strict=True)):
            if select is not None:
                label = f"{node.name}: select {place}"
                outputs = apply(label, pcoll, _Select(node.name, run_id, select))
                failed.append(outputs[FAILED])
                pcoll = outputs.main
            merged.append(pcoll)
        if len(merged) == 1:
            return merged[0], failed
        union = merged | f"{node.name}: union" >> beam.Flatten()
        union.element_type = Element
        return union, failed
    return _joined(node, inputs, selects, run_id)


def _joined(
    node: Node, inputs: list[Any], selects: list[Any], run_id: str
) -> tuple[Any, list[Any]]:
    keyed, failed = [], []
    for place, (pcoll, select) in enumerate(zip(inputs, selects, strict=True)):
        step = _Member(node.name, run_id, select, place)
        outputs = apply(f"{node.name}: member {place}", pcoll, step)
        outputs.main.element_type = KV[str, Element]
        keyed.append(outputs.main)
        failed.append(outputs[FAILED])
    groups = keyed | f"{node.name}: members" >> beam.Flatten()
    groups = groups | f"{node.name}: by id" >> beam.GroupByKey()
    names = tuple(wire.node for wire in node.inputs)
    outputs = apply(f"{node.name}: join", groups, _Join(node.name, run_id, names))
    return outputs.main, [*failed, outputs[FAILED]]
