"""A cached node of 20,000 rows read again, compared with `ib.collect` of it."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference
from apache_beam.runners.interactive import interactive_beam as ib
from apache_beam.runners.interactive.interactive_runner import InteractiveRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import mmnotebook as mm
from tests.benchmarks import work
from tests.benchmarks.measuring import Report, faster

ROWS = 20_000
NODE = work.MODELS[0]


def measure(repeat: int) -> Report:
    """Compare the stock time with ours; both computed the node before."""
    pipeline = beam.Pipeline(InteractiveRunner(FnApiRunner()))
    source = pipeline | beam.Create([work.rows(ROWS)]) | beam.FlatMap(work.tensors)
    predicted = source | NODE >> RunInference(work.handler(NODE))
    ib.watch({"pipeline": pipeline, "predicted": predicted})
    graph = work.graph(ROWS)

    def stock() -> None:
        if len(ib.collect(predicted)) != ROWS:
            raise AssertionError

    def ours() -> None:
        """Read the node from the cache in a new run, with no table in memory."""
        if len(mm.run(graph, progress=False)[NODE]) != ROWS:
            raise AssertionError

    return faster("ib.collect / mm.run and table, 20,000 rows", stock, ours, repeat, 50)
