"""The transforms of each step kind: labels are node names, failures leave by their own output."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference
from apache_beam.typehints import KV

from mmnotebook.errors import RunError, one_line
from mmnotebook.graph.graph import Node
from mmnotebook.runtime import routing
from mmnotebook.runtime.coders import Element
from mmnotebook.runtime.data import readers, writers
from mmnotebook.runtime.data.elements import Key, by_value, own, pick
from mmnotebook.runtime.data.sources import Slice
from mmnotebook.runtime.metering import Failed
from mmnotebook.runtime.node_fn import FAILED, NodeFn, Outputs, Pair, apply
from mmnotebook.runtime.running import live


class _Read(NodeFn):
    def __init__(self, node: str, run_id: str, carried: tuple[str, ...]) -> None:
        super().__init__(node, run_id)
        self.carried = carried

    def process(self, part: Slice) -> Iterator[Any]:
        # One slice gives many elements: each must be counted, and stoppable, on its own.
        rows = readers.READERS[part.reader].rows(part.path, part.start, part.stop)
        while (row := self._next(rows, part.path)) is not None:
            yield from super().process((part, *row))

    def _next(self, rows: Iterator[readers.Row], path: str) -> readers.Row | None:
        started = time.perf_counter()
        try:
            return next(rows, None)
        except Exception as error:
            raise live.stop(self.run_id, readers.unreadable(path, error)) from error
        finally:
            self._seconds += time.perf_counter() - started

    def apply(self, element: tuple[Slice, int | str, Any]) -> Iterable[Pair]:
        part, _, value = element
        if isinstance(value, Exception):
            raise value
        name = self.id_of(element)
        if part.id is not None:
            name = routing.token(pick(value, part.id))
            if self._live is not None and not self._live.is_new(self.node, name):
                raise ValueError(f"{part.id} {name!r} is not the first; an id must be its own")
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
    outputs = apply(label, parts, _Read(label, run_id, carried))
    return Outputs(outputs.main, [outputs[FAILED]])


class _Call(NodeFn):
    """map, flat_map, filter and the combining steps: a function of the value alone."""

    def __init__(self, node: str, run_id: str, kind: str, function: Callable[[Any], Any]) -> None:
        super().__init__(node, run_id)
        self.kind, self.function = kind, function

    def apply(self, element: Pair) -> Iterable[Pair]:
        key, value = element
        result = self.function(own(value))
        if self.kind == "filter":
            return [element] if result else []
        if self.kind == "flat_map":
            return [(key.child(place), child) for place, child in enumerate(result)]
        return [(key, result)]


def call(node: Node, pcoll: Any, function: Callable[[Any], Any], run_id: str) -> Outputs:
    """A step that calls a function once per element."""
    outputs = apply(node.name, pcoll, _Call(node.name, run_id, node.kind, function))
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
    outputs = apply(node.name, pcoll, _Split(node, run_id), *tags.values())
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
    ready = apply(f"{name}: input", pcoll, _Prepare(name, run_id, fields))
    results = ready.main | name >> RunInference(handler).with_output_types(Element)
    done = apply(f"{name}: output", results, _Finish(name, run_id))
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
        for pair, record in filter(None, element[1]):
            pairs.append(pair)
            records.append(record)
        writers.write(self.path, records)
        return pairs

    def id_of(self, element: Any) -> str:
        return self.path

    def fail(self, element_id: str, error: BaseException) -> Any:
        # No element's failure: without its file the run has not done what it was for.
        cause = RunError(
            f"node {self.node!r} cannot write {self.path!r}: {one_line(error)}",
            remedy="give all elements the same plain fields; .jsonl takes the most kinds of values",
            node=self.node,
        )
        raise live.stop(self.run_id, cause) from error


def write(node: Node, pcoll: Any, run_id: str) -> Outputs:
    """The elements as one file; they leave as they came."""
    rows = apply(f"{node.name}: rows", pcoll, _Row(node.name, run_id))
    # One that is always there, so that a file is also written when no element comes.
    none = pcoll.pipeline | f"{node.name}: always" >> beam.Create([(0, None)])
    rows.main.element_type = none.element_type = KV[int, Element]
    whole = (rows.main, none) | f"{node.name}: all" >> beam.Flatten()
    whole = whole | f"{node.name}: together" >> beam.GroupByKey()
    written = apply(node.name, whole, _Write(node.name, run_id, node["path"]))
    return Outputs(written.main, [rows[FAILED], written[FAILED]])
