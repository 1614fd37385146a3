"""Streams for the tests: the output of a TestStream, and the results of a graph on it."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import FixedWindows, TimestampedValue, WindowFn

import mmnotebook as mm
from mmnotebook.graph.graph import Graph

SEEN: list[tuple[str, str, Any, float, Any]] = []
"""Node, id, value, timestamp and window of every element, in order of arrival."""


class See(beam.DoFn):
    def __init__(self, node: str) -> None:
        self.node = node

    def process(
        self,
        element: Any,
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
    ) -> None:
        key, value = element if self.node != "failed" else (element, element.message)
        value = getattr(value, "inference", value)
        value = value.item() if hasattr(value, "item") else value
        SEEN.append((self.node, key.id, value, float(timestamp), window))


def stream(*records: tuple[float, Any], windows: WindowFn | None = None) -> Any:
    """Return a stream of (time in seconds, record) in windows of ten seconds, one by one."""
    events = TestStream()
    for seconds, record in records:
        events = events.add_elements([TimestampedValue(record, seconds)])
        events = events.advance_watermark_to(seconds)
    windows = windows or FixedWindows(10)
    return events.advance_watermark_to_infinity() | beam.WindowInto(windows)


def run(graph: Graph, **options: Any) -> dict[str, dict[str, tuple[Any, float, Any]]]:
    """Run a graph on Beam's streaming runner; return value, timestamp and window by node and id."""
    SEEN.clear()
    pipeline = beam.Pipeline(BundleBasedDirectRunner(), options=PipelineOptions([], streaming=True))
    compiled = mm.compile_graph(graph, pipeline, **options)
    for name, pcoll in {**compiled, "failed": compiled.failed}.items():
        pcoll | f"see {name}" >> beam.ParDo(See(name))
    pipeline.run().wait_until_finish()
    found: dict[str, dict[str, tuple[Any, float, Any]]] = {}
    for node, name, value, timestamp, window in SEEN:
        assert name not in found.setdefault(node, {}), (node, name)
        found[node][name] = (value, timestamp, window)
    return found
