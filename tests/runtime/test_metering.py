"""The counts of a model's calls, compared with the calls that the model recorded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from apache_beam.ml.inference.base import PredictionResult

import mmnotebook as mm
from mmnotebook.beam.inference.calls import Calls
from mmnotebook.errors import ModelError
from mmnotebook.results.metrics import quantile
from tests.runtime import toys


class Diary(toys.OwnHandler):
    """A model that records the duration of each call, in this process."""

    calls: ClassVar[list[float]] = []

    def run_inference(self, batch: Any, model: Any, inference_args: Any = None) -> Iterator[Any]:
        started = time.perf_counter()
        while time.perf_counter() - started < 0.001 * (1 + batch[0] % 20):
            pass
        if any(example >= 995 for example in batch):
            raise ValueError("bad element")
        outputs = [PredictionResult(example, example) for example in batch]
        self.calls.append((time.perf_counter() - started) * 1000)
        return iter(outputs)

    def batch_elements_kwargs(self) -> dict[str, int]:
        return {"min_batch_size": 7, "max_batch_size": 7}


@dataclass
class Measured:
    """A run, and two durations of each model call in milliseconds."""

    result: mm.Result
    within: list[float]
    """Measured by the model itself: the meter's value can only be longer."""
    around: list[float]
    """Including the meter's own work: the meter's value can only be shorter."""


@pytest.fixture(scope="module")
def measured() -> Measured:
    mm.register("diary", Diary(), remote=True)  # no calls except for predictions
    Diary.calls.clear()
    around: list[float] = []

    def timed(calls: Calls, batch: Any, attempt: Any = Calls._try) -> None:
        before, started = (len(around), len(calls.errors)), time.perf_counter()
        attempt(calls, batch)
        if (len(around), len(calls.errors)) == before:  # the batch has not been divided
            around.append((time.perf_counter() - started) * 1000)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Calls, "_try", timed)
        result = mm.run(mm.pipeline("data | diary", data=list(range(1000))))
    return Measured(result, list(Diary.calls), around)


def test_counters_add_up(measured: Measured) -> None:
    result, calls = measured.result, measured.within
    model = result.models.loc["diary"]
    assert (model["predictions"], model["failed"]) == (995, 5)
    assert len(result["diary"]) == 995 and len(result.failed) == 5
    assert model["batches"] == len(calls)
    assert model["loads"] == 1 and model["load_ms"] > 0
    assert model["mean_batch"] == pytest.approx(995 / len(calls))
    assert model[["parameter_bytes", "resident_bytes", "device_bytes"]].isna().all()


def test_latencies_are_those_of_the_model(measured: Measured) -> None:
    result = measured.result
    model = result.models.loc["diary"]
    for column, q in (("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99)):
        least, most = (
            float(np.quantile(times, q, method="lower"))
            for times in (measured.within, measured.around)
        )
        assert 0.99 * least <= model[column] <= 1.01 * most  # the sketch's 1 %
    assert max(measured.within) <= model["max_ms"] <= max(measured.around)
    assert len(measured.around) == len(measured.within)
    buckets = result.sketches["diary"].buckets
    assert sum(buckets.values()) == len(measured.within)
    assert quantile(buckets, 0.5) == model["p50_ms"]


def test_too_few_calls_have_no_percentile() -> None:
    mm.register("scale", toys.Scale(2.0))
    result = mm.run(mm.pipeline("data | scale", data=[[1.0]]))
    model = result.models.loc["scale"]
    assert model[["p50_ms", "p90_ms", "p95_ms", "p99_ms"]].isna().all()
    assert model["max_ms"] > 0


class Shapes(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        return {"twice": x * 2, "both": (x, x + 1), "size": x.sum(1)}


class Sums(torch.nn.Module):
    """A model that returns one number for the whole batch, like a loss."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum().reshape(1)


class Doubles(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, x])


class Pair(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x.argmax(1)


def second(output: Any) -> int:
    return int(output[1])


def negative(output: Any) -> float:
    if float(output[0]) > 2:
        raise KeyError("above 2")
    return -float(output[0])


@pytest.fixture(scope="module")
def shapes() -> mm.Result:
    mm.register("shapes", Shapes())
    mm.register("pair", Pair(), output=second)
    mm.register("negative", toys.Scale(1.0), output=negative)
    mm.register("top", toys.Scale(1.0), output="argmax")
    mm.register("grid", torch.nn.Unflatten(1, (1, 2)), output="argmax")
    data = [[float(i), 1.0] for i in range(4)]
    text = "data | [shapes, pair, negative, top, grid]"
    return mm.run(mm.pipeline(text, data=data), max_failed=1.0)


def test_dicts_and_tuples_of_outputs(shapes: mm.Result) -> None:
    output = shapes["shapes"]["prediction"][3]
    assert output["twice"].tolist() == [6, 2] and output["size"] == 4
    assert [part.tolist() for part in output["both"]] == [[3, 1], [4, 2]]
    assert shapes["pair"]["prediction"].tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("model", [Doubles(), Sums()], ids=["doubles", "sums"])
def test_another_number_of_outputs_than_of_elements_stops_the_run(model: torch.nn.Module) -> None:
    mm.register("odd", model, batch_size=2)
    graph = mm.pipeline("data | odd", data=[[float(i), 1.0] for i in range(4)])
    with pytest.raises(mm.RunError, match="model 'odd' returned an array of shape") as caught:
        mm.run(graph, max_failed=1.0)
    assert caught.value.node == "odd"


def test_an_output_function_that_raises_costs_its_element_alone(shapes: mm.Result) -> None:
    assert shapes["negative"]["prediction"].tolist() == [0, -1, -2]
    failed = shapes.failed.query("node == 'negative'")
    assert failed["id"].tolist() == ["3"] and failed["error"].tolist() == ["KeyError"]
    assert shapes.models.loc["negative", ["predictions", "failed"]].tolist() == [3, 1]


def test_argmax_of_scores_and_of_what_has_none(shapes: mm.Result) -> None:
    assert shapes["top"]["prediction"].tolist() == [1, 0, 0, 0]
    assert shapes.failed.query("node == 'grid'")["message"].str.contains(r"shape \(1, 2\)").all()


def test_every_node_and_model_adds_up(shapes: mm.Result) -> None:
    models = shapes.models
    assert (models["predictions"] + models["failed"] == 4).all()
    nodes = shapes.nodes.drop(index="data")
    assert (nodes["elements_out"] + nodes["failed"] == nodes["elements_in"]).all()
    assert nodes["failed"].to_dict() == models["failed"].to_dict()


def test_one_model_in_two_nodes_and_two_runs() -> None:
    mm.register("scale", toys.Scale(2.0))
    graph = mm.pipeline("once = data | scale\ntwice = once | number | scale", data=[1.0, 2.0],
                        number=number)  # fmt: skip
    mm.unload()
    for loads in (1, 0):
        result = mm.run(graph, fresh=True)
        assert result["twice"]["prediction"].map(float).tolist() == [4, 8]
        model = result.models.loc["scale"]
        assert (model["predictions"], model["loads"], model["parameter_bytes"]) == (4, loads, 4)


def number(result: PredictionResult) -> float:
    return float(result.inference)


def test_a_handler_says_how_big_its_batches_are() -> None:
    class Sized(toys.OwnHandler):
        def batch_elements_kwargs(self) -> dict[str, Any]:
            return {"max_batch_size": 10, "element_size_fn": int}

    mm.register("sized", Sized())
    result = mm.run(mm.pipeline("data | sized", data=[6, 3, 3, 9, 9, 40, 1, 1]))
    # 6+3, 3, 9, 9, 40 (too large, so alone), 1+1
    assert result.models.loc["sized", ["predictions", "batches"]].tolist() == [8, 6]


def test_batches_by_length_are_refused() -> None:
    class Lengths(toys.OwnHandler):
        def batch_elements_kwargs(self) -> dict[str, Any]:
            return {"length_fn": len}

    with pytest.raises(ModelError, match="batching by length"):
        mm.register("lengths", Lengths())
