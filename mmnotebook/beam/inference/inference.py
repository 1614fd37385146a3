"""RunInference over blocks, in the model's batch size, with failures set aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from apache_beam.ml.inference.base import ModelHandler, RunInference

from mmnotebook.beam.dofns.inferences import bare
from mmnotebook.beam.dofns.reuse import Look, Reuse
from mmnotebook.beam.dofns.tracking import Tracker, weight
from mmnotebook.beam.inference import handlers
from mmnotebook.beam.inference.calls import Calls
from mmnotebook.beam.inference.meter import Meter
from mmnotebook.elements import pickling
from mmnotebook.elements.block import BYTES, ROWS, Block
from mmnotebook.elements.elements import Select
from mmnotebook.elements.packing import concat
from mmnotebook.elements.user_code import ENDS_RUN
from mmnotebook.errors import ModelError, one_line
from mmnotebook.graph.graph import Node
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import knowledge, provenance, stateful
from mmnotebook.model.loaded.models import Lease, loaded_models
from mmnotebook.model.registered import newest_file
from mmnotebook.state import places, run_state

BATCHES = 16
"""The number of batches for which rows of small blocks are collected before they are processed."""
DEFAULT_BATCH = 64


class Loaded:
    """A wrapper of a loaded model that supports weak references, which Beam's sharing needs."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def release(self) -> None:
        """Release the model."""
        self.model = None


class BlockHandler(pickling.Sent, ModelHandler[Block, Block, Any]):
    """Calls a model with the rows of blocks, and returns a block of predictions for each.

    If the model raises for a batch, it is called again with smaller batches, so that only the bad
    elements fail.

    Parameters
    ----------
    node
        The node that runs the model.
    spec
        The registered model; its name becomes each prediction's `model_id`.
    base
        The handler that calls the model. If it `takes_columns`, it gets a `Column`, otherwise a
        list.
    select
        The fields of the incoming values, from which the model's `input` then selects.
    run_id
        The id of the run.
    key
        The key under which the model stays loaded; None if it is released after use.
    keeps_keys
        Whether the predictions keep the keys that selected their model.
    reuse
        The stored predictions; None if no prediction is looked up.
    """

    def __init__(
        self,
        node: str,
        spec: ModelSpec,
        base: Any,
        select: Select,
        run_id: str,
        key: str | None,
        keeps_keys: bool = False,
        reuse: Reuse | None = None,
    ) -> None:
        super().__init__()
        self.keeps_keys, self.reuse = keeps_keys, reuse
        # The spec itself: a private model file exists as long as its spec is referenced.
        self.node, self.spec, self.select, self.run_id = node, spec, select, run_id
        self._use(base)
        self.key = key
        self.said = False
        self._newer: str | None = None
        self.rows, self.size_of = batching(spec, base)
        self.is_called_per_element = is_called_per_element(spec, base)

    def _use(self, base: Any) -> None:
        """Use a handler, and count its calls; only a compiled graph has metrics of RunInference."""
        standard = None if self.run_id else base.get_metrics_namespace()
        self.base, self.meter = base, Meter(f"{self.node}.{self.spec.name}", standard)

    def load_model(self) -> Any:
        if self.share_model_across_processes():
            # Beam passes a shared model to the handler as a proxy, which has only the methods of
            # the object. So a wrapper would not give access to the model.
            with self.loading():
                return self.meter.load(self.base.load_model)
        # Beam keeps the last wrapper, which must not keep the model in memory.
        lease = self.lease(self.key)
        if isinstance(lease, Lease) and (run := run_state.find(self.run_id)) is not None:
            run.leases.append(lease)
        return lease

    def lease(self, key: str | None) -> Lease | Loaded:
        """Lease the model: it stays loaded under `key` if the run is in this process."""
        known = knowledge.of(self.base.identity)
        key = self._of_node(key)
        with self.loading():
            if key is None or run_state.find(self.run_id) is None or self._starts_anew(known):
                lease: Lease | Loaded = Loaded(self.meter.load(self.base.load_model))
            else:
                lease = loaded_models.get(key, self.spec.name, self.base.load_model)
                self.meter.loaded(lease.seconds, lease.weight)
            if run_state.find(self.run_id) is not None:
                provenance.check_learnt(self.spec)
        stateful.reset(self.spec, lease.model)
        return lease

    def _starts_anew(self, known: knowledge.Knowledge) -> bool:
        """Return whether each run loads the model again because its state cannot be reset."""
        return known.keeps_state and self.spec.reset is None

    def load_again(self, box: Lease | Loaded) -> None:
        """Load a model again after its state changed; keep the new model only during the run."""
        self.forget()
        with self.loading():
            box.model = self.base.load_model()

    def forget(self) -> None:
        """Release the loaded model at the end of the run."""
        if (key := self._of_node(self.key)) is not None:
            loaded_models.forget(key)

    def _of_node(self, key: str | None) -> str | None:
        """Return the key of this node's own copy of a model that is reset, else the same key."""
        return key if key is None or self.spec.reset is None else f"{key} {self.node}"

    @contextmanager
    def loading(self) -> Iterator[None]:
        """End the run with a `ModelError` if the model raises while it is loaded."""
        try:
            with places.within(run_state.find(self.run_id), self.node, self.spec.name, loads=True):
                yield
        except ENDS_RUN:
            raise
        except provenance.ModelChanged as error:
            raise run_state.stop(self.run_id, error) from None
        except BaseException as error:
            cause = ModelError(
                f"model {self.spec.name!r} cannot be loaded"
                + (f" from {self.spec.path!r}" if self.spec.path else "")
                + f": {one_line(error)}",
                remedy=f"register {self.spec.name!r} again",
            )
            raise run_state.stop(self.run_id, cause) from error

    def run_inference(
        self,
        batch: Sequence[Block],
        model: Any,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[Block]:
        if not batch:  # Beam yields an empty batch if the first block is big
            return []
        track = Tracker(self.node, self.run_id)
        track.report_early()
        made = self.predictions(track, batch, model, inference_args)
        track.publish()
        track.flow.given += sum(map(weight, made))
        track.flow.taken += sum(map(weight, made))
        return made

    def predictions(
        self, track: Tracker, batch: Sequence[Block], model: Any, inference_args: Any = None
    ) -> list[Block]:
        """Return a block of predictions for each block; `model` may be a lease or a wrapper."""
        box = model if isinstance(model, (Loaded, Lease)) else Loaded(model)
        given = [self._given(track, block) for block in batch]
        if self.reuse is None:
            return self._called(track, given, box, inference_args)
        if not self.keeps_keys:  # stored predictions have no key, branch or model of a cascade
            given = [block.with_choices() for block in given]
        looks = [self.reuse.look(block) for block in given]
        seconds = track.seconds
        made = self._called(track, [look.rest for look in looks], box, inference_args, looks)
        self.reuse.worked(track.seconds - seconds)
        track.count_outputs(sum(look.given for look in looks))
        pairs = zip(looks, made, strict=True)
        alone = self._is_remote
        return [block for look, one in pairs for block in look.blocks(track, [one], alone)]

    @property
    def _is_remote(self) -> bool:
        return knowledge.of(self.base.identity).remote

    def _called(
        self,
        track: Tracker,
        given: Sequence[Block],
        box: Any,
        inference_args: Any,
        looks: Sequence[Look] = (),
    ) -> list[Block]:
        """Call the model for all elements of the blocks; return a block of predictions for each."""
        examples = concat([block.values for block in given])
        with places.within(track.run, self.node, self.spec.name):
            calls = Calls(self, track, examples, box, inference_args)
            try:
                calls.make()
            except run_state.Stopped:
                if looks:
                    self._keep(track, looks, calls.so_far(given))
                raise
            made = list(calls.blocks(given))
        meter = self.meter
        meter.count(len(calls.places), len(calls.errors))
        known = calls.examination.known
        meter.judged(batch_invariant=known.invariant, repeatable=known.repeatable)
        track.seconds += meter.seconds
        meter.publish(track.run)
        return made

    def _keep(self, track: Tracker, looks: Sequence[Look], made: Sequence[Block]) -> None:
        """Keep an expensive model's predictions, in case the run is stopped."""
        if track.run is None or not (self._is_remote or self.spec.cache == "element"):
            return
        marked = (look.marked(track, [one]) for look, one in zip(looks, made, strict=True))
        track.run.unfinished[self.node] += [one for some in marked for one in some if len(one)]

    def _given(self, track: Tracker, block: Block) -> Block:
        picked = track.picked(block, self.select)
        track.watch_folders(picked)
        given = picked.with_values(bare(picked.values), picked.failed)
        return given if self.spec.input is None else track.picked(given, self.spec.input)

    def update_model_path(self, model_path: str | None = None) -> None:
        """Use the model in a newer file that Beam has found; without a path, the spec's model."""
        if (model_path or None) == self._newer:
            return
        self._newer = model_path or None
        spec = self.spec if not model_path else newest_file.refreshed(self.spec, model_path)
        self._use(handlers.base_handler(spec))

    def get_num_bytes(self, batch: Sequence[Block]) -> int:
        return sum(block.nbytes for block in batch)

    def override_metrics(self, metrics_namespace: str = "") -> bool:
        return True  # Beam's metrics would count blocks

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        rows = max(self.rows, min(BATCHES * self.rows, ROWS))
        return {"min_batch_size": rows, "max_batch_size": rows, "element_size_fn": _size}

    def get_resource_hints(self) -> dict[str, Any]:
        return dict(self.base.get_resource_hints())

    def set_environment_vars(self) -> None:
        self.base.set_environment_vars()

    def share_model_across_processes(self) -> bool:
        # A run in this process needs no sharing between processes; Beam would open a socket for it.
        return run_state.find(self.run_id) is None and self.base.share_model_across_processes()

    def model_copies(self) -> int:
        return 1 if run_state.find(self.run_id) is not None else self.base.model_copies()

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        self.base.validate_inference_args(inference_args)


def infer(node: Node, pcoll: Any, handler: Any, watch_every: float | None = None) -> Any:
    """Apply Beam's RunInference to the blocks of a node.

    `watch_every` is the number of seconds between checks for newer files of the model, None for a
    node that does not watch.
    """
    inference = RunInference(handler)
    if watch_every is not None:
        newest_file.check_watch(node)
        inference = RunInference(handler, watch_model_pattern=node["watch"], interval=watch_every)
    return pcoll | node.name >> inference.with_output_types(Block)


def batching(spec: ModelSpec, base: Any) -> tuple[int, Callable[[Any], int] | None]:
    """Return the batch size, and the handler's size function, or None if elements are counted."""
    if base.is_remote and is_called_per_element(spec, base):
        return 1, None
    if spec.batch_size is not None:
        return spec.batch_size, None
    own = dict(base.batch_elements_kwargs())
    size_of = own.get("element_size_fn")
    most = own.get("max_batch_weight") if size_of is not None else None
    most = most or own.get("max_batch_size") or max(own.get("min_batch_size", 1), DEFAULT_BATCH)
    return int(most), size_of


def is_called_per_element(spec: ModelSpec, base: Any) -> bool:
    """Return whether a remote model receives one element per call.

    In a larger batch, one failed element would cause all elements to be sent, and paid for, again.
    """
    own = dict(base.batch_elements_kwargs()) if spec.batch_size is None else {}
    return spec.default_batch and not (own.get("max_batch_size") or own.get("max_batch_weight"))


def _size(block: Block) -> int:
    """Return a block's size in rows; big elements count more."""
    return max(len(block), block.nbytes * ROWS // BYTES)
