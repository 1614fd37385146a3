"""From a `ModelSpec` to the Beam handler that loads and runs the model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mmnotebook.graph.models import ModelSpec
from mmnotebook.runtime.blocks.columns import Column
from mmnotebook.runtime.models import frameworks
from mmnotebook.runtime.models.delegate import Delegate
from mmnotebook.runtime.models.outputs import SingleNumberError, WrongOutputsError
from mmnotebook.runtime.models.patience import CallTimeoutError, within


def base_handler(spec: ModelSpec) -> Any:
    """The handler of the model's framework, with what was registered beside the model."""
    return SpecHandler(spec, frameworks.by_name(spec.framework).handler(spec))


class SpecHandler(Delegate):
    """A framework's handler with what `register` was given for every framework.

    What each example goes through first, arguments and a time limit for every call, environment
    variables, and how many processes share how many copies. What comes of a batch that is not one
    output per example is refused with the model's name.
    """

    def __init__(self, spec: ModelSpec, base: Any) -> None:
        super().__init__(base)
        self.spec = spec
        self.takes_columns: bool = getattr(base, "takes_columns", False)
        self.shares = spec.large_model or spec.model_copies is not None

    def load_model(self) -> Any:
        model = self.base.load_model()
        return Served(self.base, model) if self.shares else model

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Sequence[Any]:
        arguments = self._arguments(inference_args)

        def infer(examples: Sequence[Any]) -> Sequence[Any]:
            if self.shares:
                results = model.infer(examples, arguments)
            else:
                results = self.base.run_inference(examples, model, arguments)
            return _counted(results, len(examples))

        def call() -> Sequence[Any]:
            try:
                return infer(batch)
            except SingleNumberError as error:
                return _squeezed(infer, batch, error)

        name = f"model {self.spec.name!r}"
        try:
            return call() if self.spec.timeout is None else within(self.spec.timeout, call)
        except WrongOutputsError as error:
            remedy = "it must give one output per example, in their order, or a dict of such"
            raise WrongOutputsError(f"{name} {error}; {remedy}") from None
        except CallTimeoutError as error:
            remedy = "a smaller batch_size=, or a longer timeout="
            raise CallTimeoutError(
                f"{name} {error} for a batch of {len(batch)}; {remedy}"
            ) from None

    def _arguments(self, inference_args: dict[str, Any] | None) -> dict[str, Any] | None:
        return {**self.spec.inference_args, **(inference_args or {})} or None

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        self.base.validate_inference_args(self._arguments(inference_args))

    def get_preprocess_fns(self) -> Iterable[Callable[[Any], Any]]:
        first = [] if self.spec.preprocess is None else [self.spec.preprocess]
        return [*first, *self.base.get_preprocess_fns()]

    def set_environment_vars(self) -> None:
        self.base.set_environment_vars()
        os.environ.update(self.spec.env_vars)

    def share_model_across_processes(self) -> bool:
        return self.shares or super().share_model_across_processes()

    def model_copies(self) -> int:
        return self.spec.model_copies or super().model_copies()


class Served:
    """A loaded model that processes share: each asks it for whole batches.

    Beam gives the other processes a proxy, which has the methods of the object and nothing else;
    most models are more than that.
    """

    def __init__(self, base: Any, model: Any) -> None:
        self._base, self._model = base, model

    def infer(self, batch: Sequence[Any], inference_args: dict[str, Any] | None) -> Sequence[Any]:
        """What the model gives for a batch."""
        results = self._base.run_inference(batch, self._model, inference_args)
        return results if isinstance(results, Column) else list(results)


def _squeezed(
    infer: Callable[[Sequence[Any]], Sequence[Any]], batch: Sequence[Any], error: SingleNumberError
) -> Sequence[Any]:
    """The output of a model that squeezes its outputs, for a batch of one.

    One number may as well be of the whole batch; of the example given twice, it is one again.
    """
    if len(batch) > 1:
        raise error
    try:
        outputs = infer([batch[0], batch[0]])
    except SingleNumberError:
        raise error from None
    return outputs.part(0, 1) if isinstance(outputs, Column) else outputs[:1]


def _counted(results: Iterable[Any], count: int) -> Sequence[Any]:
    outputs = results if isinstance(results, Column) else list(results)
    if len(outputs) != count:
        plural = "s" * (len(outputs) != 1)
        raise WrongOutputsError(f"gave {len(outputs)} output{plural} for a batch of {count}")
    return outputs
