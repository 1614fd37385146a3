"""Results of small runs for the tests of the results package, with a store in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from apache_beam.ml.inference.base import PredictionResult

from mmnotebook.graph.graph import Graph, Group, Node
from mmnotebook.results.metrics import ModelMeasure, NodeMeasure, bucket
from mmnotebook.results.records import Failure, Machine, Places
from mmnotebook.results.results import Result
from mmnotebook.results.values import model_of, plain


class Record(NamedTuple):
    """One stored element of a node."""

    id: str
    origin: str
    key: str | None
    value: Any


class RecordElements:
    """Records as `analysis.records.Elements`."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.ids = [record.id for record in records]
        self.origins = [record.origin for record in records]
        self.keys = [record.key for record in records]
        self._values = [record.value for record in records]

    def given(self) -> list[Any]:
        return self._values

    def plain(self) -> list[Any]:
        return list(map(plain, self._values))

    def branches(self) -> list[str | None]:
        return self.keys

    def models(self) -> list[str | None]:
        return list(map(model_of, self._values))


@dataclass
class MemoryStore:
    """A store in memory."""

    records: Mapping[str, Sequence[Record]]
    source: pd.DataFrame
    failed: Sequence[Failure] = ()
    reads: list[str] = field(default_factory=list)

    def counts(self, node: str) -> list[int]:
        return [len(self.records[node])]

    def outlines(self, node: str) -> None:
        """Return None: the tables are read as a whole."""

    def some(self, node: str, places: Places) -> RecordElements:
        raise NotImplementedError  # without outlines, it is not called

    def some_fields(
        self, source: str, places: Places, examples: Mapping[str, Sequence[Any]]
    ) -> pd.DataFrame:
        raise NotImplementedError  # without outlines, it is not called

    def elements(self, node: str) -> RecordElements:
        self.reads.append(node)
        return RecordElements(self.records[node])

    def failures(self, nodes: Sequence[str]) -> Iterator[Failure]:
        self.reads.append(f"failures of {', '.join(nodes)}")
        return (failure for failure in self.failed if failure.node in nodes)

    def fields(self, sources: Sequence[str]) -> pd.DataFrame:
        return self.source


def record(id: str, value: Any, *, origin: str | None = None, key: str | None = None) -> Record:
    return Record(id, id if origin is None else origin, key, value)


def predicted(id: str, inference: Any, model: str, **more: Any) -> Record:
    return record(id, PredictionResult(None, inference, model), **more)


def model_measure(latencies: Iterable[float] = (), **known: Any) -> ModelMeasure:
    """Return measures of a model with one call per latency in ms, of one element each."""
    times = list(latencies)
    return ModelMeasure(
        **{
            "predictions": len(times),
            "batches": len(times),
            "failed": 0,
            "buckets": Counter(map(bucket, times)),
            "max_ms": max(times, default=None),
            "loads": 1,
            "load_ms": 12.0,
            "parameter_bytes": None,
            "resident_bytes": None,
            "device_bytes": None,
            **known,
        }
    )


def node_measure(kind: str, into: int | None, out: int | None, failed: int = 0) -> NodeMeasure:
    return NodeMeasure(kind, into, out, failed, seconds=None, bytes=None)


def result_of(
    graph: Graph,
    store: MemoryStore,
    models: Mapping[str, ModelMeasure] | None = None,
    skip: Sequence[str] = (),
) -> Result:
    """Return a result in which all nodes except `skip` ran, with the counts of the store."""
    measures = {}
    for node in graph.order():
        if node.name not in skip:
            failed = sum(failure.node == node.name for failure in store.failed)
            out = len(store.records[node.name])
            into = out + failed if node.inputs else None
            measures[node.name] = node_measure(node.kind, into, out, failed)
    return Result(graph, store, measures, models or {}, 1.5, Machine(8 * 10**9, 16 * 10**9))


def mirror_graph() -> Graph:
    """Return the graph `both = rows | [mlp, tree]` with a vote."""
    return Graph(
        (
            Node.make("rows", "source", data="rows"),
            Node.make("mlp", "model", ["rows"], model="mlp"),
            Node.make("tree", "model", ["rows"], model="tree"),
            Node.make("vote", "vote", ["mlp", "tree"], gather="join"),
        ),
        (Group("both", ("mlp", "tree")),),
    )


def mirror_run(count: int = 12, *, skip: Sequence[str] = ()) -> Result:
    """Return a run of rows "0" to count - 1: mlp fails on "7", tree is wrong on every third row."""
    ids = [str(place) for place in range(count)]
    source = pd.DataFrame(
        {
            "x": [np.arange(4.0) + place for place in range(count)],
            "label": [place % 10 for place in range(count)],
        },
        index=ids,
    )
    elements = {
        "rows": [record(id, {"x": 1.0}) for id in ids],
        "mlp": [predicted(id, np.int64(int(id) % 10), "mlp") for id in reversed(ids) if id != "7"],
        "tree": [predicted(id, int(id) % 10 if int(id) % 3 else -1, "tree") for id in ids],
        "vote": [record(id, int(id) % 10) for id in ids if id != "7"],
    }
    failed = [Failure("mlp", "7", "ValueError", "<script>alert(1)</script>", "Traceback …")]
    models = {
        "mlp": model_measure([1.0, 1.2, 1.1], parameter_bytes=52_224),
        "tree": model_measure([20.0, 21.0, 40.0]),
    }
    return result_of(mirror_graph(), MemoryStore(elements, source, failed), models, skip=skip)
