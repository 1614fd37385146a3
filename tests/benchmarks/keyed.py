"""A model per key, 8 models with 25 keys each in random order, compared with Beam's handler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pandas as pd
import torch
from apache_beam.ml.inference.base import KeyedModelHandler, KeyModelMapping, RunInference
from apache_beam.ml.inference.pytorch_inference import PytorchModelHandlerTensor
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import mmnotebook as mm
from tests.benchmarks import work
from tests.benchmarks.measuring import Report, in_turns, report, spread

ROWS = 20_000
MODELS = [f"m{place}" for place in range(8)]
KEYS = {name: [f"{name}-{key}" for key in range(25)] for name in MODELS}


def keys(count: int) -> list[str]:
    """Return the key of each row."""
    every = [key for own in KEYS.values() for key in own]
    return [str(key) for key in np.random.default_rng(1).choice(every, count)]


def model(name: str) -> torch.nn.Module:
    """Return one of the models; each has different weights."""
    torch.manual_seed(MODELS.index(name))
    return work.network()


def handler(name: str) -> Any:
    """Return a handler as a Beam user passes it to RunInference."""
    path = work.FOLDER / f"{name}.pt"
    if not path.exists():
        torch.save(model(name).state_dict(), path)
    return PytorchModelHandlerTensor(
        state_dict_path=str(path), model_class=work.network, model_params={}
    )


class Documented(KeyedModelHandler[Any, Any, Any, Any]):
    """Beam's handler with a fixed batch size, as Beam's warning recommends."""

    def batch_elements_kwargs(self) -> dict[str, int]:
        return {"min_batch_size": work.BATCH, "max_batch_size": work.BATCH}


def examples(path: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Return the rows with their keys; called inside of the pipeline."""
    tensors = work.tensors(work.rows(ROWS))
    return zip(keys(len(tensors)), tensors, strict=True)


def documented() -> None:
    """Run the pipeline of Beam's documentation; its outputs are only counted."""
    mapped = [KeyModelMapping(own, handler(name)) for name, own in KEYS.items()]
    with beam.Pipeline(FnApiRunner()) as pipeline:
        (
            pipeline
            | beam.Create([str(work.rows(ROWS))])
            | beam.FlatMap(examples)
            | RunInference(Documented(mapped))
            | beam.combiners.Count.Globally()
        )


def graph(rest: str = "") -> mm.Graph:
    """Return the same pipeline as a graph."""
    for name in MODELS:
        if name not in mm.registry:
            mm.register(name, model(name), batch_size=work.BATCH)
    data = pd.DataFrame({"x": list(np.load(work.rows(ROWS))), "key": keys(ROWS)})
    pairs = ", ".join(f"{tuple(own)!r}: {name}" for name, own in KEYS.items())
    return mm.pipeline(f'data["x"] | keyed({{{pairs}}}, by="key"{rest})', data=data)


def measure(repeat: int) -> Report:
    """Compare Beam's time with ours; the DataFrame is created before, and stored in every run."""
    made = graph()
    results = []
    theirs, own = in_turns(
        documented, lambda: results.append(mm.run(made, fresh=True, progress=False)), repeat
    )
    full = float(results[-1].models["mean_batch"].min()) / work.BATCH
    if full < 0.9:
        raise AssertionError(f"the mean batch is {full:.0%} of the configured size")
    ratios = [one / other for one, other in zip(theirs, own, strict=True)]
    return report(
        "KeyedModelHandler / mmnotebook, 8 models of 25 keys, 20,000 rows, fresh=True",
        ratios,
        at_least=5,
        peer=spread(theirs),
        ours=spread(own),
        mean_batch_of_configured=round(full, 3),
    )
