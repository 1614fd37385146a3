"""Checks of a model's first calls: whether the model is remote, and how its outputs are laid out.

The first call of a model in a process has one element. A model whose first call connects to a
network is remote, unless it was registered with `remote=False`. Remote models are called only for
predictions. Other models are also called for checks, which are not counted: the checks show which
output belongs to which element, and whether an output depends on the other elements of the batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mmnotebook.elements.columns import Column
from mmnotebook.elements.user_code import ENDS_RUN
from mmnotebook.errors import MMError, ModelWarning
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import knowledge, layouts, outputs, probes, stateful
from mmnotebook.model.knowledge import Knowledge
from mmnotebook.model.layouts import Layout, WrongOutputsError
from mmnotebook.model.loaded.sockets import Watch
from mmnotebook.model.time_limit import CallTimeoutError
from mmnotebook.state import run_state
from mmnotebook.state.places import holding_warnings

if TYPE_CHECKING:
    from mmnotebook.beam.inference.calls import Calls

_PROOFS = (2, 3)
"""Sizes of the test batches that are used if the run's batches do not show the layout."""
_TRIES = 3
"""Maximum number of comparisons that may end early because the model fails or is slow."""


class Examination:
    """Finds out the properties of a model from its calls."""

    def __init__(self, calls: Calls) -> None:
        self.calls, self.spec = calls, calls.spec
        self.known = knowledge.of(calls.base.identity)
        self._alone: dict[int, Any] = {}
        run = calls.track.run
        self._cost = run_state.ModelCost() if run is None else run.costs[calls.handler.node]

    def begin(self, group: Sequence[int]) -> int:
        """Make the model's first calls, if necessary; return the number of rows with an outcome."""
        known, box, done = self.known, self.calls.box, 0
        if known.started and (known.probed or known.remote):
            return 0
        before = stateful.mark(self.spec, box.model)
        if not known.started:
            done = self._first(group[0])
        if not known.remote and (known.layout is not None or not self.spec.batched):
            with suppress(WrongOutputsError):  # the first batch of the run reports it better
                self._compare(group)
        if not known.remote and before != stateful.mark(self.spec, box.model):
            known.changes = True
            self.calls.handler.load_again(box)
        return done

    def end(self, group: Sequence[int]) -> None:
        """Make the comparisons for which there was no time at the beginning."""
        self._cost.working += self.calls.meter.seconds
        if not self.known.remote:
            self._compare(group)
        self.say()

    def check(self, batch: Sequence[int], rows: Column) -> None:
        """Compare outputs in a batch of the run with earlier outputs for single elements."""
        for place in [place for place in self._alone if place in batch]:
            at = batch.index(place)
            alone, beside = self._alone.pop(place), rows.part(at, at + 1).rows()
            found = probes.difference([alone], beside)
            if found and self.known.invariant:
                self._judge(probes.Verdict(None, False, found))

    def _judge(self, verdict: probes.Verdict) -> None:
        run = self.calls.track.run
        self.known.judge(verdict)
        if verdict.difference and run is not None:
            self.known.seen_in = run.run_id

    def say(self) -> None:
        """Warn, once in a run, about outputs that differ or are left out of the predictions."""
        calls, known = self.calls, self.known
        run, handler = calls.track.run, calls.handler
        if run is None or handler.said:
            return
        if known.layout is not None and (left := layouts.left_out(known.layout)):
            handler.said = True
            run.warn(handler.node, self.spec.name, ModelWarning, _left_out(self.spec, left))
        if (known.repeatable, known.invariant) in _FINE:
            return
        handler.said = True
        earlier = known.seen_in not in ("", run.run_id)
        text = f"model {self.spec.name!r} {_difference(known, self.spec)}"
        text += "; seen in an earlier run" if earlier else ""
        run.warn(handler.node, self.spec.name, ModelWarning, text)

    def rows(self, batch: Sequence[int], made: Any) -> Column | None:
        """Return the output of each element of a batch; None if their layout is not known yet.

        Raises
        ------
        WrongOutputsError
            If the outputs are not one per element.
        """
        if not self.spec.batched:
            return outputs.whole(made)
        layout = self._layout(batch, made)
        if layout is None:
            return None
        try:
            return outputs.rows(made, len(batch), layout)
        except WrongOutputsError:
            if len(batch) > 1 or self.known.remote:
                raise knowledge.wrong(made, len(batch), self.spec.output_batch_axis) from None
        # The model squeezes its outputs: a batch with the element twice keeps the batch axis.
        twice = self._again([batch[0], batch[0]])
        try:
            return outputs.rows(twice, 2, layout).part(0, 1)
        except WrongOutputsError:
            raise knowledge.wrong(made, 1, self.spec.output_batch_axis) from None

    def settle(self, made: Any, count: int) -> None:
        """Determine the layout from the batches so far, after the last batch.

        Raises
        ------
        WrongOutputsError
            If these batches do not determine the layout.
        """
        self.known.settle(made, count, self.spec.output_batch_axis)

    def _layout(self, batch: Sequence[int], made: Any) -> Layout | None:
        known, count = self.known, len(batch)
        if known.is_proven:
            return known.layout
        with known.lock:
            if known.layout is None or (len(known.sizes) < 2 and count not in known.sizes):
                known.learn(made, count, self.spec.output_batch_axis)
            if known.layout is None and not known.remote:
                self._prove(batch, made)
            return known.layout

    def _prove(self, batch: Sequence[int], made: Any) -> None:
        for size in _PROOFS:
            if size in self.known.sizes:
                continue
            try:
                again = self._again([batch[place % len(batch)] for place in range(size)])
            except (*ENDS_RUN, MMError):
                raise
            except BaseException:  # noqa: BLE001 - a model may take batches of one size alone
                continue
            axes = self.spec.output_batch_axis
            try:
                self.known.learn(again, size, axes)
            except WrongOutputsError as error:  # a batch of the run will raise it
                said = knowledge.wrong(made, len(batch), axes)
                raise WrongOutputsError(str(said), error.remedy) from None
            if self.known.layout is not None:
                return
        self.settle(made, len(batch))

    def _first(self, place: int) -> int:
        """Observe a call with one element; return 1 if its outcome is recorded, else 0."""
        calls, known = self.calls, self.known
        if calls.base.is_remote:
            known.started = known.remote = True
            calls.one(place)
            return 1
        started = time.perf_counter()
        made, error = None, None
        with Watch() as watch, holding_warnings() as held:
            try:
                made = calls.raw([place])
            except (*ENDS_RUN, MMError):
                raise
            except BaseException as raised:  # noqa: BLE001 - whatever the user's model raises
                error = raised
        # The time of the first call is the estimate for a comparison; later calls may be faster.
        seconds = known.needed = time.perf_counter() - started
        self._cost.probing += seconds
        known.started = True
        known.remote = watch.connected and calls.base.is_remote is None
        if known.remote or isinstance(error, CallTimeoutError):
            held.report(calls.track.run, calls.handler.node, self.spec.name)
            calls.take(place, made, error, seconds)
            return 1
        if error is None and self.spec.batched:
            with suppress(WrongOutputsError):  # the first batch of the run reports it better
                known.learn(made, 1, self.spec.output_batch_axis)
        return 0

    def _compare(self, group: Sequence[int]) -> None:
        """Compare outputs of repeated calls with the same elements, if there is time."""
        known = self.known
        limit = probes.allowance(self._cost.working) - self._cost.probing
        if known.probed or known.tries >= _TRIES or known.needed > limit or not group:
            return
        known.tries += 1
        started = time.perf_counter()
        near = group[: probes.NEAR]
        places = [near[place] for place in probes.chosen(self.calls.given.take(list(near)))]
        try:
            verdict = probes.compare(self._outputs, places, limit, self._has_neighbors())
        except probes.TooSlow as slow:
            known.needed = slow.needed
            return
        finally:
            self._cost.probing += time.perf_counter() - started
            stateful.reset(self.spec, self.calls.box.model)
        self._judge(verdict)
        self._alone = dict(verdict.alone) if verdict.repeatable else {}
        if verdict.repeatable is False and self.spec.reset is None:
            self.calls.handler.load_again(self.calls.box)

    def _has_neighbors(self) -> bool:
        """Return whether the model's calls can have more than one element."""
        handler = self.calls.handler
        return self.spec.batched and (handler.rows > 1 or handler.size_of is not None)

    def _outputs(self, places: Sequence[int]) -> Column:
        stateful.reset(self.spec, self.calls.box.model)
        made = self.rows(places, self._again(places))
        if made is None:
            raise probes.TooSlow(math.inf)
        return made

    def _again(self, places: Sequence[int]) -> Any:
        """Return the model's output for some rows, in a call that is not counted."""
        with holding_warnings():
            return self.calls.raw(places)


_FINE = {(None, None), (None, True), (True, None), (True, True)}


def _difference(known: Knowledge, spec: ModelSpec) -> str:
    """Describe how a model's outputs differ, with a remedy, on one line."""
    seen = f" ({known.difference})" if known.difference else ""
    if known.repeatable is False:
        if spec.reset is not None:
            return (
                f"returns a different output when called again with the same element{seen}, "
                "also after reset"
            )
        return (
            f"returns a different output when called again with the same element{seen}: it draws "
            "random numbers, or keeps state between calls. Its predictions are not cached, and it "
            "is loaded again in every run; reset= names the method that resets its state"
        )
    return (
        f"returns a different output for an element alone than in a batch with others{seen}: "
        "its predictions depend on what else is in the batch. batch_size=1 makes them independent; "
        "usual causes are padding, batch statistics or fitting inside predict"
    )


def _left_out(spec: ModelSpec, names: Sequence[Any]) -> str:
    listed = ", ".join(repr(name) for name in names)
    one = len(names) == 1
    return (
        f"model {spec.name!r}: its {'output' if one else 'outputs'} {listed} "
        f"{'is' if one else 'are'} one number per batch, and not included in the predictions"
    )
