"""A handler around any ModelHandler that counts, times and weighs, and changes nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from apache_beam.ml.inference.base import ModelHandler

from mmnotebook.analysis import metrics
from mmnotebook.runtime.blocks.columns import Column
from mmnotebook.runtime.models.weighing import Weight, weigh
from mmnotebook.runtime.running import live
from mmnotebook.runtime.tracking import add_counts, add_values

NAMESPACE = "mmnotebook.model."
LATENCY = "latency_"


class Meter:
    """What is counted of one model, until it is published as Beam's metrics."""

    def __init__(self, name: str) -> None:
        self.namespace = NAMESPACE + name
        self._counts: Counter[str] = Counter()
        self._values: dict[str, int] = {}
        self.seconds = 0.0

    def load(self, load: Callable[[], Any]) -> Any:
        """Load a model; its time and weight are counted."""
        started = time.perf_counter()
        model = load()
        self.loaded(time.perf_counter() - started, weigh(model))
        return model

    def loaded(self, seconds: float | None, weight: Weight) -> None:
        """Count a load, None seconds for a model that was there already, and note its weight."""
        # Models load outside of bundles, where Beam drops metrics: these wait for the first batch.
        if seconds is not None:
            self._values["load_us"] = max(1, round(seconds * 1e6))
        for metric in ("parameter_bytes", "device_bytes"):
            size = getattr(weight, metric)
            if size is not None:
                self._values[metric] = size

    def call(self, work: Callable[[], Iterable[Any]]) -> Sequence[Any]:
        """One call of the model; one that raises is no call."""
        started = time.perf_counter()
        results = work()
        results = results if isinstance(results, Column) else list(results)
        seconds = time.perf_counter() - started
        self._counts["batches"] += 1
        self._counts[f"{LATENCY}{metrics.bucket(seconds * 1000)}"] += 1
        self._values["slowest_ns"] = max(self._values.get("slowest_ns", 1), round(seconds * 1e9))
        self.seconds += seconds
        return results

    def count(self, predictions: int, failed: int) -> None:
        """Count elements that got a prediction and those that did not."""
        self._counts["predictions"] += predictions
        self._counts["failed"] += failed

    def publish(self, run: live.Live | None = None) -> None:
        """Into Beam's metrics, and to the run; only inside of a bundle."""
        add_counts(run, self.namespace, self._counts)
        add_values(run, self.namespace, self._values)
        self._counts.clear()
        self._values.clear()
        self.seconds = 0.0


class MeteredHandler(ModelHandler[Any, Any, Any]):
    """Wraps a model's handler: the same examples in, the same results out, the same errors.

    Every call of the model is counted and timed in Beam counters, one per bucket of a logarithmic
    sketch, so that percentiles add up over workers.

    Parameters
    ----------
    name
        The end of the metrics' namespace.
    base
        The handler that does the work.
    """

    def __init__(self, name: str, base: Any) -> None:
        super().__init__()
        self.base = base
        self.meter = Meter(name)

    def load_model(self) -> Any:
        return self.meter.load(self.base.load_model)

    def run_inference(
        self,
        batch: Sequence[Any],
        model: Any,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[Any]:
        failed = len(batch)
        try:
            results = self.meter.call(lambda: self.base.run_inference(batch, model, inference_args))
            failed = 0
        finally:
            self.meter.count(len(batch) - failed, failed)
            self.meter.publish()
        return results

    def get_num_bytes(self, batch: Sequence[Any]) -> int:
        return int(self.base.get_num_bytes(batch))

    def get_metrics_namespace(self) -> str:
        return str(self.base.get_metrics_namespace())

    def get_resource_hints(self) -> dict[str, Any]:
        return dict(self.base.get_resource_hints())

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        return dict(self.base.batch_elements_kwargs())

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        self.base.validate_inference_args(inference_args)

    def update_model_path(self, model_path: str | None = None) -> None:
        self.base.update_model_path(model_path)

    def update_model_paths(self, model: Any, model_paths: Any = None) -> None:
        self.base.update_model_paths(model, model_paths)

    def get_preprocess_fns(self) -> Iterable[Callable[[Any], Any]]:
        return list(self.base.get_preprocess_fns())

    def get_postprocess_fns(self) -> Iterable[Callable[[Any], Any]]:
        return list(self.base.get_postprocess_fns())

    def should_skip_batching(self) -> bool:
        return bool(self.base.should_skip_batching())

    def set_environment_vars(self) -> None:
        self.base.set_environment_vars()

    def share_model_across_processes(self) -> bool:
        return bool(self.base.share_model_across_processes())

    def model_copies(self) -> int:
        return int(self.base.model_copies())

    def override_metrics(self, metrics_namespace: str = "") -> bool:
        return bool(self.base.override_metrics(metrics_namespace))

    def should_garbage_collect_on_timeout(self) -> bool:
        return bool(self.base.should_garbage_collect_on_timeout())
