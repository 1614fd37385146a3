"""The calls of a model over rows: in its own batch size, bad elements set aside."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from apache_beam.ml.inference.base import PredictionResult

from mmnotebook.runtime.blocks.block import Block
from mmnotebook.runtime.blocks.columns import Column, Same, Tuples
from mmnotebook.runtime.blocks.packing import concat, pack
from mmnotebook.runtime.models import outputs as results
from mmnotebook.runtime.models.patience import CallTimeoutError
from mmnotebook.runtime.tracking import Tracker
from mmnotebook.runtime.user_code import ENDS_RUN, storable

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
        self.errors: dict[int, BaseException] = {}

    def make(self) -> None:
        """Call the model with as many rows at a time as it takes."""
        for start, stop in self._batches():
            self.track.came(stop - start)
            before = len(self.places)
            self._try(start, stop)
            self.track.gave(len(self.places) - before)

    def _batches(self) -> Iterator[tuple[int, int]]:
        rows, start, size = self.handler.rows, 0, 0.0
        for place, more in enumerate(self._sizes()):
            if start < place and (more is None or size + more > rows):
                yield start, place
                start, size = place, 0.0
            if more is None:  # it is in no batch
                self.track.came(1)
                start = place + 1
            else:
                size += more
        if start < len(self.examples):
            yield start, len(self.examples)

    def _sizes(self) -> Iterable[float | None]:
        """The size of each row by the handler's own function; None, and an error, without one."""
        size_of = self.handler.size_of
        if size_of is None:
            return itertools.repeat(1, len(self.examples))
        return (self._size(size_of, *row) for row in enumerate(self.examples))

    def _size(self, size_of: Callable[[Any], Any], place: int, example: Any) -> float | None:
        try:
            size = float(size_of(example))
            if not size >= 0:
                raise ValueError(f"element_size_fn returned {size:g}; allowed: a number from 0")
        except ENDS_RUN:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the user's function raises
            self.errors[place] = error
            return None
        return size

    def _try(self, start: int, stop: int) -> None:
        """A batch that raises is halved until a bad element stands alone."""
        self.track.check()
        try:
            outputs = self._call(self.examples.part(start, stop))
        except ENDS_RUN:
            raise
        except CallTimeoutError as error:
            # Halves would wait as long again, beside a call that has not ended.
            self.errors.update(dict.fromkeys(range(start, stop), error))
            return
        except BaseException as error:  # noqa: BLE001 - whatever the user's model raises
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
            self._take(range(start, start + len(outputs)), outputs)
            return
        good, places = [], []
        for place, output in enumerate(outputs, start):
            try:
                good.append(_inference(_through(self.after, output)))
            except ENDS_RUN:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever the user's function raises
                self.errors[place] = error
            else:
                places.append(place)
        self._take(places, pack(good))

    def _take(self, places: Sequence[int], inferences: Column) -> None:
        """Keep the inferences of these rows that can be stored; the others cost their elements."""
        places, inferences = storable(inferences, places, self.errors)
        self.places += places
        self.inferences.append(inferences)

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
