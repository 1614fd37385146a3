"""The metrics that Beam's RunInference has, counted in elements.

The names, units and namespaces are those of `apache_beam/ml/inference/base.py`, so that dashboards
for RunInference also show a compiled graph. RunInference itself would count blocks, not elements.
"""

from __future__ import annotations

from apache_beam.metrics import Metrics

DISTRIBUTIONS = (
    "inference_request_batch_size",
    "inference_request_batch_byte_size",
    "inference_batch_latency_micro_secs",
    "load_model_latency_milli_secs",
    "model_byte_size",
)


class StandardMetrics:
    """Counts of a model's calls, until they are published as metrics of RunInference.

    Parameters
    ----------
    namespace
        The namespace of the model's handler, such as "BeamML_PyTorch".
    """

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._elements = self._failed = 0
        self._values: dict[str, list[int]] = {name: [] for name in DISTRIBUTIONS}

    def called(self, elements: int, nbytes: int, seconds: float) -> None:
        """Count a call with a batch of this many elements and estimated bytes."""
        self._elements += elements
        self._values["inference_request_batch_size"].append(elements)
        self._values["inference_request_batch_byte_size"].append(nbytes)
        self._values["inference_batch_latency_micro_secs"].append(round(seconds * 1e6))

    def failed(self) -> None:
        """Count a call that raised."""
        self._failed += 1

    def loaded(self, seconds: float, nbytes: int | None) -> None:
        """Count a load of the model; `nbytes` is the size of its parameters, if known."""
        self._values["load_model_latency_milli_secs"].append(round(seconds * 1e3))
        if nbytes is not None:
            self._values["model_byte_size"].append(nbytes)

    def publish(self) -> None:
        """Publish the counts as Beam's metrics; call this inside a bundle only."""
        for name, count in (
            ("num_inferences", self._elements),
            ("failed_batches_counter", self._failed),
        ):
            if count:
                Metrics.counter(self.namespace, name).inc(count)
        for name, values in self._values.items():
            for value in values:
                Metrics.distribution(self.namespace, name).update(value)
            values.clear()
        self._elements = self._failed = 0
