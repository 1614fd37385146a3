"""W, compared with a handwritten pipeline on the in-process runner that only counts its outputs."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from tests.benchmarks import work
from tests.benchmarks.measuring import Report, faster

ROWS = 20_000


def by_hand() -> None:
    """Run the handwritten pipeline; no output is kept."""
    with beam.Pipeline(FnApiRunner()) as pipeline:
        source = pipeline | beam.Create([work.rows(ROWS)]) | beam.FlatMap(work.tensors)
        for name in work.MODELS:
            (
                source
                | name >> RunInference(work.handler(name))
                | f"count {name}" >> beam.combiners.Count.Globally()
            )


def ours() -> None:
    """Run the graph; the output of every node is stored."""
    work.run(ROWS)


def measure(repeat: int) -> Report:
    """Compare the time of the handwritten pipeline with ours."""
    return faster("by hand / mmnotebook, 20,000 rows, fresh=True", by_hand, ours, repeat, 1)
