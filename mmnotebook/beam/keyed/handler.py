"""RunInference over blocks for a model per key, with batches per model."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from apache_beam.ml.inference.base import ModelHandler

from mmnotebook.beam.dofns.tracking import Tracker, weight
from mmnotebook.beam.inference.inference import BlockHandler
from mmnotebook.beam.keyed.keys import Routes, by_model, row_size
from mmnotebook.beam.keyed.model_set import ModelSet
from mmnotebook.elements.block import Block
from mmnotebook.elements.packing import concat, pack
from mmnotebook.state import run_state


class KeyedBlockHandler(ModelHandler[Block, Block, ModelSet]):
    """Calls the model to which the key of each row is mapped.

    The rows of a window are processed together: each model is called once for all of its rows, in
    its own batch size, in the order of the models' first rows.

    Parameters
    ----------
    node
        The node's name.
    members
        The handler of each model by its name, each with its own batch size and input.
    routes
        The model of each key.
    rows
        The number of rows in a window.
    limit
        The maximum number of loaded models; None for no limit.
    run_id
        The id of the run.
    """

    def __init__(
        self,
        node: str,
        members: Mapping[str, BlockHandler],
        routes: Routes,
        rows: int,
        limit: int | None,
        run_id: str,
    ) -> None:
        super().__init__()
        self.node, self.members, self.routes = node, members, routes
        self.rows, self.limit, self.run_id = rows, limit, run_id
        self.owner = uuid.uuid4().hex

    def load_model(self) -> ModelSet:
        models = ModelSet(self.members, self.limit, self.owner)
        if (run := run_state.find(self.run_id)) is not None:
            run.leases.append(models)
        return models

    def run_inference(
        self,
        batch: Sequence[Block],
        model: ModelSet,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[Block]:
        if not batch:
            return []
        track = Tracker(self.node, self.run_id)
        whole = merged(batch)
        made = [Block([], pack([]), failed=whole.failed)] if whole.failed else []
        for name, places in by_model(whole, self.routes).items():
            rows = whole.take(places)
            track.check()
            with model.using(name) as loaded:
                made += self.members[name].predictions(track, [rows], loaded, inference_args)
        track.publish()
        track.flow.given += sum(map(weight, made))
        track.flow.taken += sum(map(weight, made))
        return made

    def get_num_bytes(self, batch: Sequence[Block]) -> int:
        return sum(block.nbytes for block in batch)

    def override_metrics(self, metrics_namespace: str = "") -> bool:
        return True  # Beam's metrics would count blocks

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        size: Callable[[Block], int] = _Size(self.rows)
        return {
            "min_batch_size": self.rows,
            "max_batch_size": self.rows,
            "element_size_fn": size,
        }

    def get_resource_hints(self) -> dict[str, Any]:
        return together(self.members)

    def set_environment_vars(self) -> None:
        for member in self.members.values():
            member.set_environment_vars()

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        for member in self.members.values():
            member.validate_inference_args(inference_args)


class _Size:
    """Returns the size of a block in rows of a window; big elements count as several rows."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __call__(self, block: Block) -> int:
        return len(block) * row_size(block, self.rows)


def together(members: Mapping[str, BlockHandler]) -> dict[str, Any]:
    """Return the merged resource hints of all models, which have no conflicts."""
    return {key: v for m in members.values() for key, v in m.get_resource_hints().items()}


def merged(blocks: Sequence[Block]) -> Block:
    """Merge the rows of several blocks into one, failures included."""

    def chained(name: str, otherwise: Callable[[Block], list[Any]]) -> Any:
        parts = [getattr(block, name) for block in blocks]
        if all(part is None for part in parts):
            return None
        whole = zip(blocks, parts, strict=True)
        return _flat(otherwise(block) if part is None else part for block, part in whole)

    return Block(
        _flat(block.ids for block in blocks),
        concat([block.values for block in blocks]),
        chained("origins", lambda block: block.ids),
        model_keys=chained("model_keys", lambda block: [None] * len(block)),
        fields=chained("fields", lambda block: [()] * len(block)),
        failed=_flat(block.failed for block in blocks),
    )


def _flat(parts: Iterable[list[Any]]) -> list[Any]:
    return list(itertools.chain.from_iterable(parts))
