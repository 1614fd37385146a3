"""`mm.run` on W against stock InteractiveRunner and `ib.collect` of both outputs."""

from __future__ import annotations

import mmnotebook as mm
from tests.benchmarks import work
from tests.benchmarks.measuring import Report, ratio

ROWS = 20_000


def stock() -> None:
    """What the Beam documentation shows, over the in-process runner."""
    import apache_beam as beam
    import numpy as np
    import torch
    from apache_beam.ml.inference.base import RunInference
    from apache_beam.runners.interactive import interactive_beam as ib
    from apache_beam.runners.interactive.interactive_runner import InteractiveRunner
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    pipeline = beam.Pipeline(InteractiveRunner(FnApiRunner()))
    # Clones: a view would be pickled with the whole array behind it, 20,000 times.
    tensors = [torch.from_numpy(row.copy()) for row in np.load(work.rows(ROWS))]
    source = pipeline | beam.Create(tensors)
    first, second = (
        source | name >> RunInference(handler)
        for name, handler in zip(work.MODELS, work.handlers(), strict=True)
    )
    ib.watch({"pipeline": pipeline, "first": first, "second": second})
    ib.collect(first, second)


def ours() -> None:
    """The same graph, every node kept."""
    mm.run(work.graph(ROWS), progress=False)


def measure(repeat: int) -> Report:
    """Stock over ours."""
    return ratio("stock / mmnotebook, 20,000 rows:", stock, ours, repeat, ">= 15")
