"""One PTransform per step kind. Labels are node names; what fails leaves by an output of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import RunInference
from apache_beam.typehints import KV

from mmnotebook.graph.graph import Node
from mmnotebook.runtime import live, readers, routing, writers
from mmnotebook.runtime.coders import Element
from mmnotebook.runtime.elements import Key, by_value, failure, pick
from mmnotebook.runtime.metering import NODE_NAMESPACE, Failed
from mmnotebook.runtime.sources import Slice

FAILED = "failed"
Pair = tuple[Key, Any]


class NodeFn(beam.DoFn):  # type: ignore[misc]
    """Base of a node's steps: counts, times, stops when told to, and sends failures aside.

    A subclass says in `apply` what becomes of one element. `enters` and `leaves` say whether this
    step counts what comes into the node and what goes out of it.
    """

    enters = True
    leaves = True

    def __init__(self, node: str, run_id: str) -> None:
        self.node, self.run_id = node, run_id

    def setup(self) -> None:
        self._live = live.find(self.run_id)
        self._tally = self._live.tallies[self.node] if self._live else live.Tally()

    def start_bundle(self) -> None:
        self._in = self._out = self._failed = 0
        self._seconds = 0.0

    def process(self, element: Any) -> Iterator[Any]:
        if self._live is not None:
            self._live.check()
        if self.enters:
            self._in += 1
            self._tally.elements_in += 1
        started = time.perf_counter()
        try:
            results = list(self.apply(element))
        except Exception as error:
            yield self.fail(self.id_of(element), error)
            return
        finally:
            self._seconds += time.perf_counter() - started
        if self.leaves:
            self._out += len(results)
            self._tally.elements_out += len(results)
        yield from self.emit(results)

    def apply(self, element: Any) -> Iterable[Any]:
        """What becomes of one element; raises when it fails."""
        raise NotImplementedError(type(self).__name__)

    def emit(self, results: list[Any]) -> Iterable[Any]:
        return results

    def id_of(self, element: Any) -> str:
        return str(element[0].id)

    def fail(self, element_id: str, error: BaseException) -> Any:
        """Count a failure and make the output for it."""
        failed = failure(self.node, element_id, error)
        self._failed += 1
        if self._live is not None:
            self._live.failed(self.node, failed)
        return beam.pvalue.TaggedOutput(FAILED, failed)

    def finish_bundle(self) -> None:
        namespace = NODE_NAMESPACE + self.node
        counts = {
            "elements_in": self._in,
            "elements_out": self._out,
            "failed": self._failed,
            "microseconds": round(self._seconds * 1e6),
        }
        for name, count in counts.items():
            if count:
                Metrics.counter(namespace, name).inc(count)


class Outputs:
    """What a step gives: its elements, those by arm where it has arms, and its failures."""

    def __init__(
        self,
        main: beam.PCollection,
        failed: Iterable[beam.PCollection],
        arms: dict[str, beam.PCollection] | None = None,
    ) -> None:
        self.main, self.failed, self.arms = main, list(failed), arms or {}


def _apply(label: str, pcoll: Any, function: NodeFn, *tags: str) -> Any:
    step = beam.ParDo(function).with_outputs(FAILED, *tags, main="main")
    outputs = pcoll | label >> step
    for tag in ("main", *tags):
        outputs[tag].element_type = Element
    return outputs


class _Read(NodeFn):
    def __init__(self, node: str, run_id: str, carried: tuple[str, ...]) -> None:
        super().__init__(node, run_id)
        self.carried = carried

    def process(self, part: Slice) -> Iterator[Any]:
        # One slice gives many elements: each must be counted, and stoppable, on its own.
        reader = readers.READERS[part.reader]
        for row, value in reader.rows(part.path, part.start, part.stop):
            yield from super().process((part, row, value))

    def apply(self, element: tuple[Slice, int | str, Any]) -> Iterable[Pair]:
        part, _, value = element
        if isinstance(value, Exception):
            raise value
        name = self.id_of(element)
        if part.id is not None:
            name = routing.token(pick(value, part.id))
        record = value if isinstance(value, dict) else {}
        fields = tuple((field, record[field]) for field in self.carried if field in record)
        return [(Key(name, name, None, fields), value)]

    def id_of(self, element: tuple[Slice, int | str, Any]) -> str:
        part, row, _ = element
        return row if isinstance(row, str) else f"{part.prefix}{row}"


def read(
    label: str, pipeline: Any, slices: tuple[Slice, ...], run_id: str, carried: tuple[str, ...]
) -> Outputs:
    """The elements of a source's slices."""
    parts = pipeline | f"{label}: slices" >> beam.Create(slices, reshuffle=len(slices) > 1)
    outputs = _apply(label, parts, _Read(label, run_id, carried))
    return Outputs(outputs.main, [outputs[FAILED]])


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
                outputs = _apply(label, pcoll, _Select(node.name, run_id, select))
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
        outputs = _apply(f"{node.name}: member {place}", pcoll, step)
        outputs.main.element_type = KV[str, Element]
        keyed.append(outputs.main)
        failed.append(outputs[FAILED])
    groups = keyed | f"{node.name}: members" >> beam.Flatten()
    groups = groups | f"{node.name}: by id" >> beam.GroupByKey()
    names = tuple(wire.node for wire in node.inputs)
    outputs = _apply(f"{node.name}: join", groups, _Join(node.name, run_id, names))
    return outputs.main, [*failed, outputs[FAILED]]


class _Call(NodeFn):
    """map, flat_map, filter and the combining steps: a function of the value alone."""

    def __init__(self, node: str, run_id: str, kind: str, function: Callable[[Any], Any]) -> None:
        super().__init__(node, run_id)
        self.kind, self.function = kind, function

    def apply(self, element: Pair) -> Iterable[Pair]:
        key, value = element
        result = self.function(value)
        if self.kind == "filter":
            return [element] if result else []
        if self.kind == "flat_map":
            return [(key.child(place), child) for place, child in enumerate(result)]
        return [(key, result)]


def call(node: Node, pcoll: Any, function: Callable[[Any], Any], run_id: str) -> Outputs:
    """A step that calls a function once per element."""
    outputs = _apply(node.name, pcoll, _Call(node.name, run_id, node.kind, function))
    return Outputs(outputs.main, [outputs[FAILED]])


class _Split(NodeFn):
    def __init__(self, node: Node, run_id: str) -> None:
        super().__init__(node.name, run_id)
        self.arms, self.by, self.salt = node["arms"], node["by"], node["salt"]

    def apply(self, element: Pair) -> Iterable[Pair]:
        key, value = element
        token = key.id if self.by is None else routing.token(by_value(key, value, self.by))
        name = routing.arm(routing.fraction(token, self.salt), self.arms)
        return [(key._replace(key=name), value)]

    def emit(self, results: list[Pair]) -> Iterable[Any]:
        yield from results
        for pair in results:
            yield beam.pvalue.TaggedOutput(f"arm_{pair[0].key}", pair)


def split(node: Node, pcoll: Any, run_id: str) -> Outputs:
    """Each element to one arm, by the hash of its id or of a field."""
    tags = {arm: f"arm_{arm}" for arm in node.arms}
    outputs = _apply(node.name, pcoll, _Split(node, run_id), *tags.values())
    arms = {arm: outputs[tag] for arm, tag in tags.items()}
    return Outputs(outputs.main, [outputs[FAILED]], arms)


class _Prepare(NodeFn):
    """What the model is given of each element."""

    leaves = False

    def __init__(self, node: str, run_id: str, fields: str | tuple[str, ...] | None) -> None:
        super().__init__(node, run_id)
        self.fields = fields

    def apply(self, element: Pair) -> Iterable[Pair]:
        key, value = element
        return [(key._replace(key=None), pick(value, self.fields))]


class _Finish(NodeFn):
    """Predictions apart from what failed in the model."""

    enters = False

    def apply(self, element: Pair) -> Iterable[Pair]:
        result = element[1]
        if isinstance(result, Failed):
            raise result.error
        return [element]


def infer(
    node: Node, pcoll: Any, handler: Any, fields: str | tuple[str, ...] | None, run_id: str
) -> Outputs:
    """Beam's RunInference between what prepares its examples and what sorts its results."""
    name = node.name
    ready = _apply(f"{name}: input", pcoll, _Prepare(name, run_id, fields))
    results = ready.main | name >> RunInference(handler).with_output_types(Element)
    done = _apply(f"{name}: output", results, _Finish(name, run_id))
    return Outputs(done.main, [ready[FAILED], done[FAILED]])


class _Row(NodeFn):
    """An element as a flat record, under one key for all."""

    def apply(self, element: Pair) -> Iterable[Any]:
        return [(0, (element, writers.record(element[0], element[1])))]


class _Write(NodeFn):
    """All records into one file, at once or not at all."""

    enters = leaves = False

    def __init__(self, node: str, run_id: str, path: str) -> None:
        super().__init__(node, run_id)
        self.path = path

    def apply(self, element: tuple[int, Iterable[Any]]) -> Iterable[Pair]:
        pairs, records = [], []
        for pair, record in element[1]:
            pairs.append(pair)
            records.append(record)
        writers.write(self.path, records)
        return pairs

    def id_of(self, element: Any) -> str:
        return self.path


def write(node: Node, pcoll: Any, run_id: str) -> Outputs:
    """The elements as one file; they leave as they came."""
    rows = _apply(f"{node.name}: rows", pcoll, _Row(node.name, run_id))
    rows.main.element_type = KV[int, Element]
    whole = rows.main | f"{node.name}: together" >> beam.GroupByKey()
    written = _apply(node.name, whole, _Write(node.name, run_id, node["path"]))
    return Outputs(written.main, [rows[FAILED], written[FAILED]])
