"""W against a pipeline written by hand for the plain in-process runner, outputs only counted."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from tests.benchmarks import work
from tests.benchmarks.measuring import Report, faster

ROWS = 20_000


def by_hand() -> None:
    """Nothing is kept."""
    with beam.Pipeline(FnApiRunner()) as pipeline:
        source = pipeline | beam.Create([work.rows(ROWS)]) | beam.FlatMap(work.tensors)
        for name in work.MODELS:
            (
                source
                | name >> RunInference(work.handler(name))
                | f"count {name}" >> beam.combiners.Count.Globally()
            )


def ours() -> None:
    """Every node is kept."""
    work.run(ROWS)


def measure(repeat: int) -> Report:
    """By hand over ours."""
    return faster("by hand / mmnotebook, 20,000 rows, fresh=True", by_hand, ours, repeat, 1)
