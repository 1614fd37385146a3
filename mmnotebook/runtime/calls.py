"""The calls of a model over rows: in its own batch size, bad elements set aside."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from apache_beam.ml.inference.base import PredictionResult

from mmnotebook.runtime.blocks.block import Block
from mmnotebook.runtime.blocks.columns import Column, Same, Tuples
from mmnotebook.runtime.blocks.packing import concat, pack
from mmnotebook.runtime.models import outputs as results
from mmnotebook.runtime.models.patience import CallTimeoutError
from mmnotebook.runtime.running import live
from mmnotebook.runtime.tracking import Tracker

if TYPE_CHECKING:
    from mmnotebook.runtime.inference import BlockHandler


class Calls:
    """The calls of a model over the rows of some blocks, and what came of each row."""

    def __init__(
        self, handler: BlockHandler, track: Tracker, examples: Column, model: Any, args: Any
    ) -> None:
        self.handler, self.track, self.examples = handler, track, examples
        self.model, self.args = model, args
        base = handler.metered.base
        self.before = list(base.get_preprocess_fns())
        self.after = _after(handler.spec.output, list(base.get_postprocess_fns()))
        self.columns = getattr(base, "takes_columns", False) and not self.before
        self.places: list[int] = []
        self.inferences: list[Column] = []
        self.errors: dict[int, Exception] = {}

    def make(self) -> None:
        """Call the model with as many rows at a time as it takes."""
        for start, stop in self._batches():
            self.track.came(stop - start)
            before = len(self.places)
            self._try(start, stop)
            self.track.gave(len(self.places) - before)

    def _batches(self) -> Iterator[tuple[int, int]]:
        rows, size_of = self.handler.rows, self.handler.size_of
        sizes = [1] * len(self.examples) if size_of is None else map(size_of, self.examples)
        start = size = 0
        for place, more in enumerate(sizes):
            if place > start and size + more > rows:
                yield start, place
                start, size = place, 0
            size += more
        if start < len(self.examples):
            yield start, len(self.examples)

    def _try(self, start: int, stop: int) -> None:
        """A batch that raises is halved until a bad element stands alone."""
        self.track.check()
        try:
            outputs = self._call(self.examples.part(start, stop))
        except live.Stopped:
            raise
        except CallTimeoutError as error:
            # Halves would wait as long again, beside a call that has not ended.
            self.errors.update(dict.fromkeys(range(start, stop), error))
            return
        except Exception as error:  # noqa: BLE001 - whatever the user's model raises
            if stop - start == 1:
                self.errors[start] = error
                return
        else:
            self._keep(start, outputs)
            return
        middle = (start + stop) // 2
        self._try(start, middle)
        self._try(middle, stop)

    def _call(self, part: Column) -> Sequence[Any]:
        given: Sequence[Any] = part if self.columns else part.rows()
        if self.before:
            given = [_through(self.before, example) for example in given]
        base, args = self.handler.metered.base, self.args
        meter = self.handler.metered.meter
        return meter.call(lambda: base.run_inference(given, self.model, args))

    def _keep(self, start: int, outputs: Sequence[Any]) -> None:
        if not self.after and isinstance(outputs, Column):
            self.places += range(start, start + len(outputs))
            self.inferences.append(outputs)
            return
        good = []
        for place, output in enumerate(outputs, start):
            try:
                good.append(_inference(_through(self.after, output)))
            except Exception as error:  # noqa: BLE001 - whatever the user's function raises
                self.errors[place] = error
            else:
                self.places.append(place)
        self.inferences.append(pack(good))

    def blocks(self, given: Sequence[Block]) -> Iterator[Block]:
        """The rows as blocks of predictions again."""
        inferences = concat(self.inferences) if self.inferences else pack([])
        first = done = 0
        for block in given:
            last = first + len(block)
            end = bisect.bisect_left(self.places, last, done)
            kept = block.take([place - first for place in self.places[done:end]])
            failed = [
                self.track.fail(block.ids[place - first], error)
                for place, error in self.errors.items()
                if first <= place < last
            ]
            name = Same(self.handler.spec.name, len(kept))
            predictions = (kept.values, inferences.part(done, end), name)
            values = Tuples(PredictionResult, predictions) if len(kept) else pack([])
            arms = kept.arms if self.handler.keeps_arms else None
            yield replace(kept, values=values, arms=arms, failed=[*block.failed, *failed])
            first, done = last, end


def _after(output: Any, functions: list[Any]) -> list[Any]:
    if output is None:
        return functions
    last = results.argmax if output == "argmax" else output
    return [*functions, lambda result: last(_inference(result))]


def _inference(result: Any) -> Any:
    return result.inference if isinstance(result, PredictionResult) else result


def _through(functions: Sequence[Any], value: Any) -> Any:
    for function in functions:
        value = function(value)
    return value
