"""Counts and times as measures for a `Result`, and as JSON for the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from mmnotebook.beam.dofns.tracking import NODE_NAMESPACE
from mmnotebook.beam.inference.meter import LATENCY, NAMESPACE
from mmnotebook.graph.graph import Node
from mmnotebook.results.metrics import ModelMeasure, NodeMeasure, merge
from mmnotebook.results.records import Warned

Counters = Mapping[str, Mapping[str, int]]
"""Counts, by namespace and name."""
Values = Mapping[str, Mapping[str, tuple[int, int, int]]]
"""Sum, count and maximum of the values, by namespace and name."""


@dataclass(frozen=True)
class Measured:
    """Counts and times of one node, and of each model in it."""

    node: NodeMeasure
    models: Mapping[str, ModelMeasure]
    warned: tuple[Warned, ...] = ()

    def meta(self, name: str) -> dict[str, Any]:
        """Return these measures as JSON, to be stored with the elements of the node `name`."""
        measured = {
            "node": asdict(self.node),
            "models": {name: asdict(measure) for name, measure in self.models.items()},
            "warned": list(map(asdict, self.warned)),
        }
        return {"node": name, "kind": self.node.kind, "measured": measured}

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any], size: int, name: str) -> Measured:
        """Create the measures from the result of `meta`; `size` is the stored size of the node."""
        value, models = meta["measured"], {}
        for model, stored in value["models"].items():
            buckets = {int(key): count for key, count in stored["buckets"].items()}
            models[model] = ModelMeasure(**{**stored, "buckets": buckets})
        # In another graph, an equal node may have another name.
        warned = (Warned(**{**one, "node": name}) for one in value.get("warned", ()))
        measure = NodeMeasure(**{**value["node"], "bytes": size, "cached": True})
        return cls(measure, models, tuple(warned))


def from_beam(metrics: Any, so_far: bool = False) -> tuple[Counters, Values]:
    """Return Beam's counters and distributions, each merged over all steps.

    Parameters
    ----------
    so_far
        Return the counts of a run in progress, with those of unfinished bundles.
    """
    counters: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    values: dict[str, dict[str, tuple[int, int, int]]] = defaultdict(dict)
    found = metrics.query()
    for entry in found["counters"]:
        counters[entry.key.metric.namespace][entry.key.metric.name] += _value(entry, so_far)
    for entry in found["distributions"]:
        name, value = entry.key.metric, _value(entry, so_far)
        if not value.count:  # its maximum may be None
            continue
        total, count, most = values[name.namespace].get(name.name, (0, 0, value.max))
        merged = (total + value.sum, count + value.count, max(most, value.max))
        values[name.namespace][name.name] = merged
    return counters, values


def _value(entry: Any, so_far: bool) -> Any:
    counts = (entry.committed, entry.attempted)
    first, second = reversed(counts) if so_far else counts
    return first if first is not None else second


def measured(node: Node, counters: Counters, values: Values) -> Measured:
    """Return the measures of a node from its counters and distributions."""
    counts = counters.get(NODE_NAMESPACE + node.name, {})
    whole = NodeMeasure(
        kind=node.kind,
        elements_in=counts.get("elements_in", 0) if node.inputs else None,
        elements_out=counts.get("elements_out", 0),
        failed=counts.get("failed", 0),
        seconds=counts.get("microseconds", 0) / 1e6,
        bytes=None,
        **_keyed(values.get(NODE_NAMESPACE + node.name, {})),
    )
    spaces = {name: f"{NAMESPACE}{node.name}.{name}" for name in node.models}
    models = {
        name: _model(counters.get(space, {}), values.get(space, {}))
        for name, space in spaces.items()
    }
    return Measured(whole, models)


def _keyed(values: Mapping[str, tuple[int, int, int]]) -> dict[str, Any]:
    """Return the measures that exist only for a model per key."""
    if "window_rows" not in values:
        return {}
    return {"window_rows": values["window_rows"][2], "grouped": bool(values["grouped"][2])}


def of_object(kind: str, count: int, seconds: float, failed: int = 0) -> Measured:
    """Return the measures of a source whose elements this process stored without a pipeline."""
    return Measured(NodeMeasure(kind, None, count, failed, seconds, None), {})


def sized(whole: Measured, size: int) -> Measured:
    """Return the same measures with the size of the node's stored output."""
    return replace(whole, node=replace(whole.node, bytes=size))


def by_model(parts: Iterable[Measured]) -> dict[str, ModelMeasure]:
    """Return the measures of each model, merged over its nodes."""
    found: dict[str, list[ModelMeasure]] = defaultdict(list)
    for part in parts:
        for name, measure in part.models.items():
            found[name].append(measure)
    return {name: merge(measures) for name, measures in found.items()}


def _model(counts: Mapping[str, int], values: Mapping[str, tuple[int, int, int]]) -> ModelMeasure:
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
        not_finite=counts.get("not_finite", 0),
        batch_invariant=_always(values, "batch_invariant"),
        repeatable=_always(values, "repeatable"),
    )


def _always(values: Mapping[str, tuple[int, int, int]], name: str) -> bool | None:
    """Return whether a flag was set each time that it was recorded; None if it never was."""
    if name not in values:
        return None
    total, count, _ = values[name]
    return total == count


def _largest(values: Mapping[str, tuple[int, int, int]], name: str) -> int | None:
    return values[name][2] if name in values else None
