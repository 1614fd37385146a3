"""The meter of a model: counts, times and memory of its calls, for Beam's metrics."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from mmnotebook.beam.dofns.tracking import add_counts, add_values
from mmnotebook.beam.inference.standard_metrics import StandardMetrics
from mmnotebook.model.loaded.parameter_bytes import Weight, weigh
from mmnotebook.results import metrics
from mmnotebook.state import run_state

NAMESPACE = "mmnotebook.model."
LATENCY = "latency_"


class Meter:
    """Counts of one model's calls, until they are published as Beam's metrics.

    Parameters
    ----------
    name
        The names of the node and the model, which are the end of the namespace.
    standard
        The namespace of the metrics that RunInference has too; None if they are not published.
    """

    def __init__(self, name: str, standard: str | None = None) -> None:
        self.namespace = NAMESPACE + name
        self.standard = None if standard is None else StandardMetrics(standard)
        self._counts: Counter[str] = Counter()
        self._values: dict[str, int] = {}
        self.seconds = 0.0
        self.is_elsewhere = False

    def load(self, load: Callable[[], Any]) -> Any:
        """Load a model; record the seconds of the load and the size of the model."""
        started = time.perf_counter()
        model = load()
        self.loaded(time.perf_counter() - started, weigh(model))
        return model

    def loaded(self, seconds: float | None, weight: Weight) -> None:
        """Record a load and the model's size; `seconds` is None if the model was already loaded."""
        # Models load outside of bundles, where Beam drops metrics: the counts are published with
        # the first batch.
        if seconds is not None:
            self._values["load_us"] = max(1, round(seconds * 1e6))
            if self.standard is not None:
                self.standard.loaded(seconds, weight.parameter_bytes)
        for metric in ("parameter_bytes", "device_bytes"):
            size = getattr(weight, metric)
            if size is not None:
                self._values[metric] = size

    def called(self, seconds: float) -> None:
        """Count a call that returned after this many seconds."""
        self._counts["batches"] += 1
        self._counts[f"{LATENCY}{metrics.bucket(seconds * 1000)}"] += 1
        self._values["slowest_ns"] = max(self._values.get("slowest_ns", 1), round(seconds * 1e9))
        self.seconds += seconds

    def odd(self, count: int) -> None:
        """Count predictions that contain NaN or infinity."""
        self._counts["not_finite"] += count

    def judged(self, **verdicts: bool | None) -> None:
        """Record the results of comparing the model's outputs; None for unknown results."""
        self._values.update({k: int(v) for k, v in verdicts.items() if v is not None})

    def count(self, predictions: int, failed: int) -> None:
        """Count elements with a prediction and elements that failed."""
        self._counts["predictions"] += predictions
        self._counts["failed"] += failed

    def publish(self, run: run_state.RunState | None = None) -> None:
        """Publish the counts as Beam's metrics, and to the run; call this inside a bundle only.

        In another thread than that of the bundle, only start to measure the next calls: Beam would
        drop the counts, so they are kept until the bundle publishes them.
        """
        self.seconds = 0.0
        if self.is_elsewhere:
            return
        add_counts(run, self.namespace, self._counts)
        add_values(run, self.namespace, self._values)
        if self.standard is not None:
            self.standard.publish()
        self._counts.clear()
        self._values.clear()
