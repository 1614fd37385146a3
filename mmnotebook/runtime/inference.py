"""RunInference over blocks: a model's calls in its own batch size, bad elements set aside."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from apache_beam.ml.inference.base import ModelHandler, PredictionResult, RunInference

from mmnotebook.errors import ModelError, one_line
from mmnotebook.graph.graph import Node
from mmnotebook.graph.models import ModelSpec
from mmnotebook.runtime.blocks.block import BYTES, ROWS, Block
from mmnotebook.runtime.blocks.columns import Column, Same, Tuples
from mmnotebook.runtime.blocks.packing import concat, pack
from mmnotebook.runtime.data.elements import Select
from mmnotebook.runtime.metering import MeteredHandler
from mmnotebook.runtime.models import adapters
from mmnotebook.runtime.models.warm import Loan, warm
from mmnotebook.runtime.running import live
from mmnotebook.runtime.tracking import Tracker, weight

BATCHES = 16
"""Of how many batches the rows of small blocks are put together before the model is called."""
DEFAULT_BATCH = 64


class Loaded:
    """A loaded model in a box that can be weakly referenced, as Beam's sharing needs."""

    def __init__(self, model: Any) -> None:
        self.model = model


class BlockHandler(ModelHandler[Block, Block, Any]):
    """Gives a model the rows of blocks, and a block of predictions for each block.

    A batch that raises is tried again in halves: each bad element costs itself alone.

    Parameters
    ----------
    node
        The node that runs the model.
    spec
        The registered model; its name becomes each prediction's `model_id`.
    base
        The handler that does the work. One that `takes_columns` is given a `Column`, any other a
        list.
    select
        The fields of the incoming values that the model's `input` then chooses from.
    run_id
        Where to look for the run when it is in this process.
    key
        The identity under which the loaded model stays warm, None for one that does not.
    """

    def __init__(
        self, node: str, spec: ModelSpec, base: Any, select: Select, run_id: str, key: str | None
    ) -> None:
        super().__init__()
        # The spec itself: a private model file stays as long as something holds its spec.
        self.node, self.spec, self.select, self.run_id = node, spec, select, run_id
        self.metered = MeteredHandler(f"{node}.{spec.name}", base)
        self.key = key
        self.rows, self.size_of = batching(spec, base)

    def load_model(self) -> Any:
        shared = self.share_model_across_processes()
        try:
            run = live.find(self.run_id)
            if shared or self.key is None or run is None:
                model = self.metered.load_model()
                # Beam hands a model that processes share to the handler as a proxy, which has its
                # methods and nothing else: a box around it could not be opened.
                return model if shared else Loaded(model)
            loan = warm.get(self.key, self.spec.name, self.metered.base.load_model)
        except Exception as error:
            cause = ModelError(
                f"model {self.spec.name!r} cannot be loaded"
                + (f" from {self.spec.path!r}" if self.spec.path else "")
                + f": {one_line(error)}",
                remedy=f"register {self.spec.name!r} again",
            )
            raise live.stop(self.run_id, cause) from error
        run.loans.append(loan)
        self.metered.meter.loaded(loan.seconds, loan.weight)
        # Beam keeps hold of the last box that it was given; the model must not hang on that.
        return loan

    def run_inference(
        self,
        batch: Sequence[Block],
        model: Any,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[Block]:
        if not batch:  # Beam's batching gives one when the first block is a big one
            return []
        track = Tracker(self.node, self.run_id)
        given = [self._given(track, block) for block in batch]
        inner = model.model if isinstance(model, (Loaded, Loan)) else model
        calls = _Calls(
            self, track, concat([block.values for block in given]), inner, inference_args
        )
        calls.make()
        made = list(calls.blocks(given))
        meter = self.metered.meter
        meter.count(len(calls.places), len(calls.errors))
        track.seconds += meter.seconds
        meter.publish(track.run)
        track.publish()
        track.flow.given += sum(map(weight, made))
        track.flow.taken += sum(map(weight, given))
        return made

    def _given(self, track: Tracker, block: Block) -> Block:
        picked = track.picked(block, self.select)
        return picked if self.spec.input is None else track.picked(picked, self.spec.input)

    def get_num_bytes(self, batch: Sequence[Block]) -> int:
        return sum(block.nbytes for block in batch)

    def override_metrics(self, metrics_namespace: str = "") -> bool:
        return True  # Beam's would count blocks

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        rows = max(self.rows, min(BATCHES * self.rows, ROWS))
        return {"min_batch_size": rows, "max_batch_size": rows, "element_size_fn": _size}

    def get_resource_hints(self) -> dict[str, Any]:
        return self.metered.get_resource_hints()

    def set_environment_vars(self) -> None:
        self.metered.set_environment_vars()

    def share_model_across_processes(self) -> bool:
        return self.metered.share_model_across_processes()

    def model_copies(self) -> int:
        return self.metered.model_copies()

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        self.metered.validate_inference_args(inference_args)


class _Calls:
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
        outputs = meter.call(lambda: base.run_inference(given, self.model, args))
        if len(outputs) != len(part):
            message = f"the model gave {len(outputs)} outputs for {len(part)} elements"
            raise ValueError(message)
        return outputs

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
            yield replace(kept, values=values, arms=None, failed=[*block.failed, *failed])
            first, done = last, end


def infer(node: Node, pcoll: Any, handler: BlockHandler) -> Any:
    """Beam's RunInference over the blocks of a node."""
    return pcoll | node.name >> RunInference(handler).with_output_types(Block)


def batching(spec: ModelSpec, base: Any) -> tuple[int, Callable[[Any], int] | None]:
    """How much the model is given at a time, in elements or by the handler's own size of each."""
    if spec.batch_size is not None:
        return spec.batch_size, None
    own = dict(base.batch_elements_kwargs())
    size_of = own.get("element_size_fn")
    most = own.get("max_batch_weight") if size_of is not None else None
    most = most or own.get("max_batch_size") or max(own.get("min_batch_size", 1), DEFAULT_BATCH)
    return int(most), size_of


def _size(block: Block) -> int:
    """A block in rows; one of big elements counts for more."""
    return max(len(block), block.nbytes * ROWS // BYTES)


def _after(output: Any, functions: list[Any]) -> list[Any]:
    if output is None:
        return functions
    last = adapters.argmax if output == "argmax" else output
    return [*functions, lambda result: last(_inference(result))]


def _inference(result: Any) -> Any:
    return result.inference if isinstance(result, PredictionResult) else result


def _through(functions: Sequence[Any], value: Any) -> Any:
    for function in functions:
        value = function(value)
    return value
