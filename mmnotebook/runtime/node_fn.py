"""The DoFn below every step: counts, times, stops, and sends what fails aside."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics

from mmnotebook.runtime.coders import Element
from mmnotebook.runtime.data.elements import Key, failure
from mmnotebook.runtime.metering import NODE_NAMESPACE
from mmnotebook.runtime.running import live

FAILED = "failed"
Pair = tuple[Key, Any]


class NodeFn(beam.DoFn, ABC):
    """Base of a node's steps: counts, times, stops when told to, and sends failures aside.

    A subclass says in `apply` what becomes of one element. `enters` and `leaves` say whether this
    step counts what comes into the node and what goes out of it.
    """

    enters = True
    leaves = True

    def __init__(self, node: str, run_id: str) -> None:
        self.node, self.run_id = node, run_id

    def setup(self) -> None:
        self._live = live.find(self.run_id)
        self._tally = self._live.tallies[self.node] if self._live else live.Tally()

    def start_bundle(self) -> None:
        self._in = self._out = self._failed = 0
        self._seconds = 0.0

    def process(self, element: Any) -> Iterator[Any]:
        if self._live is not None:
            self._live.check()
        if self.enters:
            self._in += 1
            self._tally.elements_in += 1
        started = time.perf_counter()
        try:
            results = list(self.apply(element))
        except Exception as error:  # noqa: BLE001 - whatever the user's function raises
            yield self.fail(self.id_of(element), error)
            return
        finally:
            self._seconds += time.perf_counter() - started
        if self.leaves:
            self._out += len(results)
            self._tally.elements_out += len(results)
        yield from self.emit(results)

    @abstractmethod
    def apply(self, element: Any) -> Iterable[Any]:
        """What becomes of one element; raises when it fails."""

    def emit(self, results: list[Any]) -> Iterable[Any]:
        return results

    def id_of(self, element: Any) -> str:
        return str(element[0].id)

    def fail(self, element_id: str, error: BaseException) -> Any:
        """Count a failure and make the output for it."""
        failed = failure(self.node, element_id, error)
        self._failed += 1
        if self._live is not None:
            self._live.failed(self.node, failed)
        return beam.pvalue.TaggedOutput(FAILED, failed)

    def finish_bundle(self) -> None:
        namespace = NODE_NAMESPACE + self.node
        counts = {
            "elements_in": self._in,
            "elements_out": self._out,
            "failed": self._failed,
            "microseconds": round(self._seconds * 1e6),
        }
        for name, count in counts.items():
            if count:
                Metrics.counter(namespace, name).inc(count)


class Outputs:
    """What a step gives: its elements, those by arm where it has arms, and its failures."""

    def __init__(
        self,
        main: beam.PCollection[Any],
        failed: Iterable[beam.PCollection[Any]],
        arms: dict[str, beam.PCollection[Any]] | None = None,
    ) -> None:
        self.main, self.failed, self.arms = main, list(failed), arms or {}


def apply(label: str, pcoll: Any, function: NodeFn, *tags: str) -> Any:
    step = beam.ParDo(function).with_outputs(FAILED, *tags, main="main")
    outputs = pcoll | label >> step
    for tag in ("main", *tags):
        outputs[tag].element_type = Element
    return outputs
