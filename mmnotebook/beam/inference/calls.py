"""Calls of a model in batches of rows; if a row fails, the other rows of its batch do not fail."""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from apache_beam.ml.inference.base import PredictionResult

from mmnotebook.beam.dofns.tracking import Tracker
from mmnotebook.beam.inference.first_calls import Examination
from mmnotebook.beam.inference.handlers import inference
from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import Column, Objects, Same, Tuples
from mmnotebook.elements.elements import own, settled
from mmnotebook.elements.packing import concat, pack
from mmnotebook.elements.user_code import ENDS_RUN, storable
from mmnotebook.errors import MMError, RunError
from mmnotebook.model.inputs import Collated
from mmnotebook.model.loaded.sockets import Watch
from mmnotebook.model.outputs import WrongOutputsError, argmax, not_finite
from mmnotebook.model.shapes import alike
from mmnotebook.model.time_limit import CallTimeoutError
from mmnotebook.state import run_state

if TYPE_CHECKING:
    from mmnotebook.beam.inference.inference import BlockHandler

Places = Sequence[int]
_RECORDED_EVERY = 0.05
"""The time in seconds that calls take before their outputs are recorded."""


class Calls:
    """The calls of a model over the rows of some blocks, and the outcome of each row.

    Preprocessing functions are applied once to each row. Only rows that can be stacked are in one
    batch. The results are in the order of the rows.
    """

    def __init__(
        self, handler: BlockHandler, track: Tracker, examples: Column, box: Any, args: Any
    ) -> None:
        self.handler, self.track, self.examples = handler, track, examples
        self.box, self.args = box, args
        self.base, self.spec = handler.base, handler.spec
        self.after = _after(self.spec.output, list(self.base.get_postprocess_fns()))
        self.columns = getattr(self.base, "takes_columns", False)
        self.places: list[int] = []
        self.inferences: list[Column] = []
        self.errors: dict[int, BaseException] = {}
        self.given: Column = pack([])
        self.examination = Examination(self)
        self._of: Places = range(0)
        self._waiting: list[tuple[Places, Any]] = []
        self._called: tuple[Any, Callable[[Any], Any]] | None = None
        self._watch = Watch()
        self._returned: list[tuple[Places, Column]] = []
        self._seconds: list[float] = []

    def make(self) -> None:
        """Call the model for all rows, in batches."""
        self._prepare()
        groups = self._groups()
        if not groups:
            return
        with self._stopping(), self._watch:
            first = groups[0]
            groups[0] = first[self.examination.begin(first) :]
            for group in groups:
                for batch in self._batches(group):
                    self._make(batch)
            self._settle()
            self._record()
            self.examination.end(first)
        self._sort()

    def _prepare(self) -> None:
        """Apply the preprocessing functions to each row."""
        before = list(self.base.get_preprocess_fns())
        self._of = range(len(self.examples))
        self.given = self.examples
        if not before:
            return
        good, made = [], []
        for place, example in enumerate(self.examples):
            self.track.check()
            try:
                made.append(settled(_through(before, own(example))))
            except ENDS_RUN:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever the user's function raises
                self._fail(place, error)
            else:
                good.append(place)
        self._of, self.given = good, pack(made)

    def _fail(self, place: int, error: BaseException) -> None:
        self.track.count_inputs(1)
        self.errors[place] = error

    def _groups(self) -> list[Places]:
        """Group the rows of `given` that can be stacked."""
        if self.spec.collate is not None:
            return [range(len(self.given))] if len(self.given) else []
        return alike(self.given, getattr(self.base, "types_apart", False))

    def _batches(self, group: Places) -> Iterator[Places]:
        rows, size_of = self.handler.rows, self.handler.size_of
        if size_of is None:
            yield from self._by_rows(group)
            return
        batch: list[int] = []
        size = 0.0
        for place, value in zip(group, self._taken(group), strict=True):
            try:
                more = _size(size_of, value)
            except ENDS_RUN:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever the user's function raises
                self._fail(self._of[place], error)
                continue
            if batch and size + more > rows:
                yield batch
                batch, size = [], 0.0
            batch.append(place)
            size += more
        if batch:
            yield batch

    def _by_rows(self, group: Places) -> Iterator[Places]:
        start = 0
        while start < len(group):
            rows = self._rows()
            yield group[start : start + rows]
            start += rows

    def _rows(self) -> int:
        """Return the size of the next batch, from what is known about the model so far."""
        if not (self.examination.known.remote and self.handler.is_called_per_element):
            return self.handler.rows
        # The layout of the outputs can be determined from two rows, but not from one.
        return 2 if self._waiting else 1

    def _make(self, batch: Places) -> None:
        self.track.count_inputs(len(batch))
        self._try(batch)
        if self.examination.known.remote or sum(self._seconds) > _RECORDED_EVERY:
            self._record()

    def _try(self, batch: Places) -> None:
        """Call the model with a batch; if it raises, halve it until each bad element is alone.

        A remote model receives the elements of a failed batch one by one instead, so that each
        element costs at most one more call.
        """
        self._watch.connected = False
        started = time.perf_counter()
        try:
            made = self.raw(batch)
        except (*ENDS_RUN, MMError):
            raise
        except CallTimeoutError as error:
            # Halves would time out too, because the first call still runs.
            self.errors.update(dict.fromkeys((self._of[place] for place in batch), error))
        except BaseException as error:  # noqa: BLE001 - whatever the user's model raises
            self.track.check_exit(error)
            if self.meter.standard is not None:
                self.meter.standard.failed()
            if len(batch) == 1:
                self.errors[self._of[batch[0]]] = error
                return
            if self._watch.connected and self.base.is_remote is None:
                self.examination.known.remote = True
            for part in self._parts(batch):
                self._try(part)
        else:
            self._called_with(len(batch), time.perf_counter() - started)
            self.keep(batch, made)

    def _called_with(self, count: int, seconds: float) -> None:
        """Count a call, whose size is estimated from that of all examples."""
        self._seconds.append(seconds)
        if self.meter.standard is not None:
            nbytes = self.given.nbytes * count // max(1, len(self.given))
            self.meter.standard.called(count, nbytes, seconds)

    def _parts(self, batch: Places) -> Iterator[Places]:
        """Yield the smaller batches to try after a batch has failed."""
        if self.examination.known.remote:
            yield from ([place] for place in batch)
            return
        middle = len(batch) // 2
        yield from (batch[:middle], batch[middle:])

    @property
    def meter(self) -> Any:
        """The meter that counts the calls."""
        return self.handler.meter

    def raw(self, batch: Places) -> Any:
        """Call the model with some rows without counting the call; return its output."""
        self.track.check()
        given: Any = self._taken(batch)
        if self.spec.collate is not None:
            elements = [own(example) for example in given.rows()]
            given = Collated(self.spec.collate(elements), len(batch))
        elif not self.columns:
            given = [own(example) for example in given.rows()]
        try:
            return self._call()(given)
        except CallTimeoutError:
            # The call still runs in this model, which may not support a second call meanwhile.
            if not self.examination.known.remote:
                self.handler.load_again(self.box)
            raise
        finally:
            self._check_interrupt()

    def _call(self) -> Callable[[Any], Any]:
        """Return the function that calls the model; it is made once for each loaded model."""
        model = self.box.model
        if self._called is None or self._called[0] is not model:
            self._called = model, self.base.caller(model, self.args)
        return self._called[1]

    def _check_interrupt(self) -> None:
        """Raise `Stopped` after a Ctrl-C in a call; no later run may use the model."""
        try:
            self.track.check_interrupt()
        except run_state.Stopped:
            self.handler.forget()
            raise

    def one(self, place: int) -> None:
        """Call the model with one row, counted as a batch."""
        self._make([place])

    def take(self, place: int, made: Any, error: BaseException | None, seconds: float) -> None:
        """Record the outcome of an earlier call with one row."""
        self.track.count_inputs(1)
        if error is not None:
            self.errors[self._of[place]] = error
            return
        self._called_with(1, seconds)
        self.keep([place], made)
        self._record()

    def keep(self, batch: Places, made: Any) -> None:
        """Record the model's output for some rows."""
        rows = self.examination.rows(batch, made)
        if rows is None:
            self._waiting.append((batch, own(made)))
            return
        waiting, self._waiting = self._waiting, []
        for earlier, returned in waiting:
            self.keep(earlier, returned)
        self.examination.check(batch, rows)
        self._returned.append((batch, rows))

    def _settle(self) -> None:
        """Record the outputs that were held until their layout was known."""
        if self._waiting:
            batch, made = self._waiting.pop()
            self.examination.settle(made, len(batch))
            self.keep(batch, made)

    def _record(self) -> None:
        """Record the outputs of the latest calls.

        This is done for several calls at once, because code that runs between two short calls of a
        model finds none of its data in the processor's caches.
        """
        for seconds in self._seconds:
            self.meter.called(seconds)
        returned, self._returned, self._seconds = self._returned, [], []
        if returned:
            places = [self._of[place] for batch, _ in returned for place in batch]
            before = len(self.places)
            self._keep(places, concat([rows for _, rows in returned]))
            self.track.count_outputs(len(self.places) - before)

    def _taken(self, batch: Places) -> Column:
        if isinstance(batch, range):
            return self.given.part(batch.start, batch.stop)
        return self.given.take(batch)

    def _keep(self, places: Places, rows: Column) -> None:
        odd = not_finite(rows)
        if self.after:
            places, rows = self._after_each(places, rows)
            odd = max(odd, not_finite(rows))
        places, rows = self._without_errors(places, rows)
        places, rows = storable(rows, places, self.errors)
        self.places += places
        self.inferences.append(rows)
        self.meter.odd(odd)

    def _without_errors(self, places: Places, rows: Column) -> tuple[Places, Column]:
        """Fail elements whose outputs are exceptions; `asyncio.gather` may return such outputs."""
        found = rows.values if isinstance(rows, Objects) else ()
        bad = {at: value for at, value in enumerate(found) if isinstance(value, BaseException)}
        if not bad:
            return places, rows
        self.errors.update((places[at], error) for at, error in bad.items())
        kept = [at for at in range(len(places)) if at not in bad]
        return [places[at] for at in kept], pack(rows.take(kept).rows())

    def _after_each(self, places: Places, rows: Column) -> tuple[Places, Column]:
        """Apply the postprocessing functions to each output."""
        kept, good = [], []
        for place, output in zip(places, rows, strict=True):
            try:
                good.append(settled(inference(_through(self.after, output))))
            except ENDS_RUN:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever the user's function raises
                self.errors[place] = error
            else:
                kept.append(place)
        return kept, pack(good)

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        """Stop the run if the model does not return one output per element."""
        try:
            yield
        except WrongOutputsError as error:
            name, node = self.spec.name, self.handler.node
            remedy = _of_collate(self.spec.collate, error.remedy)
            cause = RunError(f"model {name!r} {error}", remedy=remedy, node=node)
            raise run_state.stop(self.handler.run_id, cause) from None

    def _sort(self) -> None:
        """Sort the outputs in the order of the rows."""
        if self.places == sorted(self.places):
            return
        order = sorted(range(len(self.places)), key=self.places.__getitem__)
        self.inferences = [concat(self.inferences).take(order)]
        self.places = [self.places[place] for place in order]

    def so_far(self, given: Sequence[Block]) -> list[Block]:
        """Return the predictions that were made before the calls were stopped, as blocks."""
        self.errors = {}
        self._record()
        self._sort()
        return list(self.blocks(given))

    def blocks(self, given: Sequence[Block]) -> Iterator[Block]:
        """Yield the rows as blocks of predictions."""
        inferences = concat(self.inferences) if self.inferences else pack([])
        first = done = 0
        for block in given:
            last = first + len(block)
            end = bisect.bisect_left(self.places, last, done)
            kept = block
            if end - done < len(block):
                kept = block.take([place - first for place in self.places[done:end]])
            failed = [
                self.track.fail(block.ids[place - first], error)
                for place, error in sorted(self.errors.items())
                if first <= place < last
            ]
            name = Same(self.spec.name, len(kept))
            predictions = (kept.values, inferences.part(done, end), name)
            values = Tuples(PredictionResult, predictions) if len(kept) else pack([])
            yield replace(
                kept,
                values=values,
                branches=None,
                model_keys=kept.model_keys if self.handler.keeps_keys else None,
                models=None,
                failed=[*block.failed, *failed],
            )
            first, done = last, end


def _of_collate(collate: Any, remedy: str | None) -> str | None:
    """Return the remedy for a model that does not return one output per element.

    With a `collate` function, the cause may be that its batch does not contain all elements.
    """
    if collate is None:
        return remedy
    name = getattr(collate, "__name__", repr(collate))
    first = f"collate={name} makes the batch: it must contain every element passed to it, in order"
    return first if remedy is None else f"{first}; if it does: {remedy}"


def _size(size_of: Callable[[Any], Any], value: Any) -> float:
    size = float(size_of(value))
    if not size >= 0:
        raise ValueError(f"element_size_fn returned {size:g}; allowed: a non-negative number")
    return size


def _after(output: Any, functions: list[Any]) -> list[Any]:
    if output is None:
        return functions
    last = argmax if output == "argmax" else output
    return [*functions, lambda result: last(inference(result))]


def _through(functions: Sequence[Any], value: Any) -> Any:
    for function in functions:
        value = function(value)
    return value
