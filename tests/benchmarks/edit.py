"""An edit of the last function in a graph of five steps, compared with a new pipeline."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import RunInference
from apache_beam.runners.interactive import interactive_beam as ib
from apache_beam.runners.interactive.interactive_runner import InteractiveRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import mmnotebook as mm
from tests.benchmarks import work
from tests.benchmarks.measuring import Report, faster

ROWS = 20_000
MODEL = work.MODELS[0]

_numbers = itertools.count()


def scale(row: Any) -> Any:
    """Return a scaled row; the first map step."""
    return row * 2.0


def shift(row: Any) -> Any:
    """Return a shifted row; the second map step."""
    return row - 0.5


def edited() -> Callable[[Any], Any]:
    """Return the function of the last step with a new body each time, as from an edited cell."""
    body = f"return float(prediction.inference) > {next(_numbers)}"
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(f"def decide(prediction):\n    {body}", names)
    function: Callable[[Any], Any] = names["decide"]
    return function


def stock() -> None:
    """Define the whole pipeline again and collect its result."""
    pipeline = beam.Pipeline(InteractiveRunner(FnApiRunner()))
    decided = (
        pipeline
        | beam.Create([work.rows(ROWS)])
        | "rows" >> beam.FlatMap(work.tensors)
        | "scale" >> beam.Map(scale)
        | "shift" >> beam.Map(shift)
        | MODEL >> RunInference(work.handler(MODEL))
        | "decide" >> beam.Map(edited())
    )
    ib.watch({"pipeline": pipeline, "decided": decided})
    ib.collect(decided)


def ours() -> mm.Result:
    """Run the graph with its edited function, and read the table of its last step."""
    text = f"read({str(work.rows(ROWS))!r}) | scale | shift | {MODEL} | decide"
    graph = mm.pipeline(text, scale=scale, shift=shift, decide=edited())
    result = mm.run(graph, progress=False)
    result["decide"]
    return result


def checked() -> None:
    """Check that only the edited step is computed."""
    computed = (nodes := ours().nodes).index[~nodes["cached"]].tolist()
    if computed != ["decide"]:
        raise AssertionError(f"computed: {computed}")


def measure(repeat: int) -> Report:
    """Compare the time of the stock pipeline with ours."""
    work.register()
    ours()
    return faster("anew / edited, 5 steps, 20,000 rows", stock, checked, repeat, 10)
