"""The handler around every model's: counts, times, weighs, and saves a batch from a bad element."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import ModelHandler, PredictionResult

from mmnotebook.analysis import metrics
from mmnotebook.errors import ModelError, one_line
from mmnotebook.graph.models import ModelSpec
from mmnotebook.runtime.models.weighing import Weight, weigh
from mmnotebook.runtime.running import live

NAMESPACE = "mmnotebook.model."
NODE_NAMESPACE = "mmnotebook.node."
LATENCY = "latency_"


class Failed(NamedTuple):
    """Stands in place of a prediction that could not be made."""

    error: BaseException


class Loaded:
    """A loaded model in a box that can be weakly referenced, as Beam's sharing needs."""

    def __init__(self, model: Any) -> None:
        self.model = model


class MeteredHandler(ModelHandler[Any, Any, Any]):
    """Wraps a model's handler.

    Every call of the model is counted and timed in Beam counters, one per bucket of a logarithmic
    sketch, so that percentiles add up over workers. A batch that raises is tried again in halves:
    each bad element costs itself alone.

    Parameters
    ----------
    node
        The node that runs the model.
    spec
        The registered model; its name becomes each prediction's `model_id`.
    base
        The handler that does the work.
    output
        What becomes of one raw output, None to keep it.
    run_id
        Where to look for the run when it is in this process.
    """

    def __init__(self, node: str, spec: ModelSpec, base: Any, output: Any, run_id: str) -> None:
        super().__init__()
        # The spec itself: a private model file stays as long as something holds its spec.
        self.node, self.spec, self.name = node, spec, spec.name
        self.base, self.output, self.run_id = base, output, run_id
        self._pending: dict[str, int] = {}

    def load_model(self) -> Any:
        started = time.perf_counter()
        try:
            model = self.base.load_model()
        except Exception as error:
            cause = ModelError(
                f"model {self.name!r} cannot be loaded"
                + (f" from {self.spec.path!r}" if self.spec.path else "")
                + f": {one_line(error)}",
                remedy=f"register {self.name!r} again",
            )
            raise live.stop(self.run_id, cause) from error
        milliseconds = (time.perf_counter() - started) * 1000
        self._note_load(milliseconds, weigh(model))
        # Beam hands a model that processes share to the handler as a proxy, which has its methods
        # and nothing else: a box around it could not be opened.
        return model if self.share_model_across_processes() else Loaded(model)

    def _note_load(self, milliseconds: float, weight: Weight) -> None:
        # Models load outside of bundles, where Beam drops metrics: they wait for the first batch.
        self._pending["load_us"] = max(1, round(milliseconds * 1000))
        for metric in ("parameter_bytes", "device_bytes"):
            size = getattr(weight, metric)
            if size is not None:
                self._pending[metric] = size

    def run_inference(
        self,
        batch: Sequence[Any],
        model: Any,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[Any]:
        run = live.find(self.run_id)
        meter = _Meter(self.node, self.name)
        meter.values.update(self._pending)
        self._pending = {}
        inner = model.model if isinstance(model, Loaded) else model

        def call(part: Sequence[Any]) -> list[Any]:
            if run is not None:
                run.check()
            return self._call(part, inner, inference_args, meter)

        results = [
            self._finish(example, result)
            for example, result in zip(batch, _each(batch, call), strict=True)
        ]
        meter.publish(results)
        return results

    def _call(self, batch: Sequence[Any], model: Any, args: Any, meter: _Meter) -> list[Any]:
        given = [_through(self.base.get_preprocess_fns(), example) for example in batch]
        started = time.perf_counter()
        results = list(self.base.run_inference(given, model, args))
        milliseconds = (time.perf_counter() - started) * 1000
        if len(results) != len(batch):
            message = f"the model gave {len(results)} outputs for {len(batch)} elements"
            raise ValueError(message)
        meter.call(milliseconds)
        return results

    def _finish(self, example: Any, result: Any) -> Any:
        if isinstance(result, Failed):
            return result
        try:
            result = _through(self.base.get_postprocess_fns(), result)
            inference = result.inference if isinstance(result, PredictionResult) else result
            if self.output is not None:
                inference = self.output(inference)
        except Exception as error:  # noqa: BLE001 - whatever the user's function raises
            return Failed(error)
        return PredictionResult(example, inference, model_id=self.name)

    def get_num_bytes(self, batch: Sequence[Any]) -> int:
        # Beam's own torch handler walks every tensor in Python for this.
        return sum(int(getattr(example, "nbytes", 0)) for example in batch)

    def get_metrics_namespace(self) -> str:
        return str(self.base.get_metrics_namespace())

    def get_resource_hints(self) -> dict[str, Any]:
        return dict(self.base.get_resource_hints())

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        return dict(self.base.batch_elements_kwargs())

    def set_environment_vars(self) -> None:
        self.base.set_environment_vars()

    def share_model_across_processes(self) -> bool:
        return bool(self.base.share_model_across_processes())

    def model_copies(self) -> int:
        return int(self.base.model_copies())

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        self.base.validate_inference_args(inference_args)


def _each(batch: Sequence[Any], call: Callable[[Sequence[Any]], list[Any]]) -> list[Any]:
    """A result per element: a batch that raises is halved until a bad element stands alone."""
    try:
        return call(batch)
    except live.Stopped:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the user's model raises
        if len(batch) == 1:
            return [Failed(error)]
    middle = len(batch) // 2
    return [*_each(batch[:middle], call), *_each(batch[middle:], call)]


class _Meter:
    """What one batch adds to a model's counters."""

    def __init__(self, node: str, model: str) -> None:
        self.node, self.namespace = node, NAMESPACE + model
        self.counts: Counter[str] = Counter()
        self.values: dict[str, int] = {}
        self.slowest = self.total = 0.0

    def call(self, milliseconds: float) -> None:
        self.counts["batches"] += 1
        self.counts[f"{LATENCY}{metrics.bucket(milliseconds)}"] += 1
        self.slowest = max(self.slowest, milliseconds)
        self.total += milliseconds

    def publish(self, results: Sequence[Any]) -> None:
        failed = sum(isinstance(result, Failed) for result in results)
        self.counts["predictions"] = len(results) - failed
        self.counts["failed"] = failed
        for name, count in self.counts.items():
            Metrics.counter(self.namespace, name).inc(count)
        microseconds = round(self.total * 1000)
        Metrics.counter(NODE_NAMESPACE + self.node, "microseconds").inc(microseconds)
        if self.slowest:
            self.values["slowest_ns"] = round(self.slowest * 1e6)
        for name, value in self.values.items():
            Metrics.distribution(self.namespace, name).update(value)


def _through(functions: Sequence[Any], value: Any) -> Any:
    for function in functions:
        value = function(value)
    return value
