"""`mm.run` on W and both tables, compared with InteractiveRunner and `ib.collect` of both."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference
from apache_beam.runners.interactive import interactive_beam as ib
from apache_beam.runners.interactive.interactive_runner import InteractiveRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from tests.benchmarks import work
from tests.benchmarks.measuring import Report, faster

ROWS = 20_000


def stock() -> None:
    """Run the pipeline of Beam's documentation on the in-process runner."""
    pipeline = beam.Pipeline(InteractiveRunner(FnApiRunner()))
    source = pipeline | beam.Create([work.rows(ROWS)]) | beam.FlatMap(work.tensors)
    first, second = (source | name >> RunInference(work.handler(name)) for name in work.MODELS)
    ib.watch({"pipeline": pipeline, "first": first, "second": second})
    ib.collect(first, second)


def ours() -> None:
    """Compute and store the same graph, and read both tables."""
    result = work.run(ROWS)
    for name in work.MODELS:
        result[name]


def measure(repeat: int) -> Report:
    """Compare the time of the stock pipeline with ours."""
    return faster("stock / mmnotebook, 20,000 rows, fresh=True", stock, ours, repeat, 15)
