"""`mm.run` on W and both tables, against stock InteractiveRunner and `ib.collect` of both."""

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
    """What the Beam documentation shows, over the in-process runner."""
    pipeline = beam.Pipeline(InteractiveRunner(FnApiRunner()))
    source = pipeline | beam.Create([work.rows(ROWS)]) | beam.FlatMap(work.tensors)
    first, second = (source | name >> RunInference(work.handler(name)) for name in work.MODELS)
    ib.watch({"pipeline": pipeline, "first": first, "second": second})
    ib.collect(first, second)


def ours() -> None:
    """The same graph computed anew, every node kept, both tables built."""
    result = work.run(ROWS)
    for name in work.MODELS:
        result[name]


def measure(repeat: int) -> Report:
    """Stock over ours."""
    return faster("stock / mmnotebook, 20,000 rows, fresh=True", stock, ours, repeat, 15)
