"""Beam model handlers that load and run the model of a `ModelSpec`."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from apache_beam.ml.inference.base import PredictionResult, RemoteModelHandler

from mmnotebook.elements import pickling
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import frameworks, identity, outputs, provenance
from mmnotebook.model.delegate import Delegate
from mmnotebook.model.outputs import WrongOutputsError
from mmnotebook.model.time_limit import CallTimeoutError, within


def base_handler(spec: ModelSpec) -> Any:
    """Return the handler of the model's framework, with the options of `register`."""
    return SpecHandler(spec, frameworks.by_name(spec.framework).handler(spec))


class SpecHandler(Delegate):
    """A framework's handler with the options that `register` has for every framework.

    These options are the preprocessing function, the arguments and the timeout of each call, the
    environment variables, and the number of model copies.

    Attributes
    ----------
    identity
        The identity of the model's content, under which properties of the model are remembered.
    """

    def __init__(self, spec: ModelSpec, base: Any) -> None:
        super().__init__(base)
        self.spec = spec
        self.identity = identity.of(spec).digest or uuid.uuid4().hex
        self.takes_columns: bool = getattr(base, "takes_columns", False)
        self.types_apart: bool = getattr(base, "types_apart", False)
        self._made = pickling.made_for(spec.target)
        self.shares = spec.large_model or spec.model_copies is not None

    @property
    def is_remote(self) -> bool | None:
        """Whether the model is remote; None if only its first call can show it."""
        if self.spec.remote is None and isinstance(self.base, RemoteModelHandler):
            return True
        return self.spec.remote

    def load_model(self) -> Any:
        def load() -> Any:
            with provenance.checked(self.spec):
                model = self.base.load_model()
            return Served(self.base, model) if self.shares else model

        return pickling.owning(load)

    def raw(self, batch: Any, model: Any, inference_args: dict[str, Any] | None = None) -> Any:
        """Return the model's output for a batch, as the model returns it.

        Raises
        ------
        CallTimeoutError
            If the call takes longer than `timeout`.
        """
        arguments = self._arguments(inference_args)

        # A model that has its own copies of classes gets instances of these copies, and returns
        # instances of the original classes.
        made = pickling.made_for(model)
        own = pickling.by_origin([*self._made, *made]) if made or self._made else {}

        def call() -> Any:
            given, named = pickling.exchanged(batch, own), pickling.exchanged(arguments, own)
            if self.shares:
                made = model.infer(given, named)
            else:
                made = _results(self.base, given, model, named)
            return pickling.exchanged(made, {one: origin for origin, one in own.items()})

        try:
            return call() if self.spec.timeout is None else within(self.spec.timeout, call)
        except CallTimeoutError as error:
            raise CallTimeoutError(
                f"model {self.spec.name!r} {error} for a batch of {len(batch)}; "
                "a smaller batch_size=, or a longer timeout="
            ) from None

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Sequence[Any]:
        made = self.raw(batch, model, inference_args)
        try:
            return outputs.rows(made, len(batch)) if self.spec.batched else outputs.whole(made)
        except WrongOutputsError as error:
            raise WrongOutputsError(f"model {self.spec.name!r} {error}") from None

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
    """A loaded model that several processes share; each process sends whole batches to it.

    Beam passes a proxy to the other processes. The proxy has only the methods of the object, and
    most models need other attributes too.
    """

    def __init__(self, base: Any, model: Any) -> None:
        self._base, self._model = base, model

    def infer(self, batch: Any, inference_args: dict[str, Any] | None) -> Any:
        """Return the model's output for a batch."""
        return _results(self._base, batch, self._model, inference_args)


def inference(result: Any) -> Any:
    """Return a model's output without the `PredictionResult` around it."""
    return result.inference if isinstance(result, PredictionResult) else result


def _results(base: Any, batch: Any, model: Any, arguments: dict[str, Any] | None) -> Any:
    """Return the raw output of an mmnotebook handler; of other handlers, one output per element."""
    results = base.run_inference(batch, model, arguments)
    if getattr(base, "takes_columns", False) or isinstance(results, outputs.Each):
        return results
    if isinstance(results, PredictionResult):
        return results.inference  # of the whole batch
    after = list(base.get_postprocess_fns())
    return outputs.listed(results, (lambda result: result) if after else inference)
