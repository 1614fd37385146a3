"""Model loads of a second run with `fresh=True`, compared with Beam's."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference
from apache_beam.ml.inference.pytorch_inference import PytorchModelHandlerTensor
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from tests.benchmarks import work
from tests.benchmarks.measuring import Report, report

ROWS = 1_000

_loads: list[str] = []


class Counting(PytorchModelHandlerTensor):
    """A handler that counts its loads; the in-process runner loads in this process."""

    def load_model(self) -> Any:
        _loads.append("load")
        return super().load_model()


def stock() -> int:
    """Return how often Beam loads a model for the same pipeline."""
    _loads.clear()
    with beam.Pipeline(FnApiRunner()) as pipeline:
        source = pipeline | beam.Create([work.rows(ROWS)]) | beam.FlatMap(work.tensors)
        for name in work.MODELS:
            source | name >> RunInference(work.handler(name, Counting))
    return len(_loads)


def ours() -> int:
    """Return how often a run loaded a model."""
    result = work.run(ROWS)
    if not (result.models["predictions"] == ROWS).all():
        raise AssertionError
    return int(result.models["loads"].sum())


def measure(repeat: int) -> Report:
    """Return our loads."""
    before, first = stock(), ours()
    pairs = [(stock(), ours()) for _ in range(repeat)]
    return report(
        "loads of two models in a run again with fresh=True",
        [float(own) for _, own in pairs],
        at_most=0,
        each=True,
        peer_loads=[before, *(theirs for theirs, _ in pairs)],
        our_first_run=first,
    )
