"""Any handler of Beam's tests, called through the handler of blocks that every run uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from apache_beam.ml.inference.base import PredictionResult

from mmnotebook.beam.inference.handlers import SpecHandler
from mmnotebook.beam.inference.inference import BlockHandler
from mmnotebook.elements.block import Block
from mmnotebook.elements.elements import Key
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model.delegate import Delegate


class _Noting(Delegate):
    """Records whether a handler returns `PredictionResult` objects, and of which model.

    Blocks always contain such objects, with the registered name of the model.
    """

    wraps = False
    model_id: str | None = None

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Any]:
        results = list(self.base.run_inference(batch, model, inference_args))
        for one in results:
            if isinstance(one, PredictionResult):
                self.wraps, self.model_id = True, one.model_id
        return results


class ByBlocks(Delegate):
    """Calls a handler through `BlockHandler`, and returns what the handler returns."""

    def __init__(self, base: Any) -> None:
        super().__init__(base)
        spec = ModelSpec("model", "beam", "handler", "a test of Beam's", None, "", target=base)
        handler = SpecHandler(spec, _Noting(base))
        self.blocks = BlockHandler("node", spec, handler, None, "", None)
        self.blocks.meter.standard = None  # Beam itself counts the elements of this handler

    def load_model(self) -> Any:
        return self.blocks.load_model()

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Iterable[Any]:
        block = Block.of([(Key(str(n), str(n)), example) for n, example in enumerate(batch)])
        (made,) = self.blocks.run_inference([block], model, inference_args)
        if made.failed:
            raise RuntimeError(f"{made.failed[0].error}: {made.failed[0].message}")
        results = made.values.rows()
        noted = self.blocks.base.base  # the key of the handler in this process
        if not noted.wraps:
            return [one.inference for one in results]
        return [one._replace(model_id=noted.model_id) for one in results]

    def update_model_path(self, model_path: str | None = None) -> None:
        self.blocks.base.base.update_model_path(model_path)  # the handler that is called

    def get_preprocess_fns(self) -> Iterable[Callable[[Any], Any]]:
        return []  # the handler of blocks called them

    def get_postprocess_fns(self) -> Iterable[Callable[[Any], Any]]:
        return []
