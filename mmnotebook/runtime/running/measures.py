"""Beam's metrics as `NodeMeasure` and `ModelMeasure`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from mmnotebook.analysis.metrics import ModelMeasure, NodeMeasure
from mmnotebook.graph.graph import Graph
from mmnotebook.runtime.metering import LATENCY, NAMESPACE, NODE_NAMESPACE

Counts = Mapping[str, Mapping[str, int]]


def by_namespace(metrics: Any) -> tuple[Counts, Mapping[str, Mapping[str, Any]]]:
    """All counters, summed over steps, and all distributions, merged, by namespace and name."""
    counters: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    distributions: dict[str, dict[str, Any]] = defaultdict(dict)
    found = metrics.query()
    for entry in found["counters"]:
        counters[entry.key.metric.namespace][entry.key.metric.name] += _value(entry)
    for entry in found["distributions"]:
        name = entry.key.metric
        before = distributions[name.namespace].get(name.name)
        value = _value(entry)
        distributions[name.namespace][name.name] = _merged(before, value)
    return counters, distributions


def _value(entry: Any) -> Any:
    return entry.committed if entry.committed is not None else entry.attempted


def _merged(before: Any, value: Any) -> tuple[int, int, int]:
    """(sum, count, max)."""
    if before is None:
        return value.sum, value.count, value.max
    return before[0] + value.sum, before[1] + value.count, max(before[2], value.max)


def nodes(graph: Graph, counters: Counts, sizes: Mapping[str, int]) -> dict[str, NodeMeasure]:
    """What each node did, in graph order; `sizes` in bytes of its stored output."""
    measures = {}
    for node in graph.order():
        counts = counters.get(NODE_NAMESPACE + node.name, {})
        source = node.kind in ("source", "read")
        measures[node.name] = NodeMeasure(
            kind=node.kind,
            elements_in=None if source else counts.get("elements_in", 0),
            elements_out=counts.get("elements_out", 0),
            failed=counts.get("failed", 0),
            seconds=counts.get("microseconds", 0) / 1e6,
            bytes=sizes.get(node.name),
        )
    return measures


def models(
    names: Iterable[str], counters: Counts, distributions: Mapping[str, Mapping[str, Any]]
) -> dict[str, ModelMeasure]:
    """What each model did."""
    return {
        name: _model(counters.get(NAMESPACE + name, {}), distributions.get(NAMESPACE + name, {}))
        for name in names
    }


def _model(counts: Mapping[str, int], values: Mapping[str, Any]) -> ModelMeasure:
    loads_us, loads, _ = values.get("load_us", (0, 0, 0))
    slowest = values.get("slowest_ns")
    return ModelMeasure(
        predictions=counts.get("predictions", 0),
        batches=counts.get("batches", 0),
        failed=counts.get("failed", 0),
        buckets={
            int(name.removeprefix(LATENCY)): count
            for name, count in counts.items()
            if name.startswith(LATENCY)
        },
        max_ms=slowest[2] / 1e6 if slowest else None,
        loads=loads,
        load_ms=loads_us / loads / 1000 if loads else None,
        parameter_bytes=_largest(values, "parameter_bytes"),
        resident_bytes=None,
        device_bytes=_largest(values, "device_bytes"),
    )


def _largest(values: Mapping[str, Any], name: str) -> int | None:
    return values[name][2] if name in values else None
