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

    def caller(
        self, model: Any, inference_args: dict[str, Any] | None = None
    ) -> Callable[[Any], Any]:
        """Return a function that calls a model with a batch, and returns the model's output.

        The function raises a `CallTimeoutError` if the call takes longer than `timeout`.
        """
        arguments = self._arguments(inference_args)

        # A model that has its own copies of classes gets instances of these copies, and returns
        # instances of the original classes.
        made = pickling.made_for(model)
        own = pickling.by_origin([*self._made, *made]) if made or self._made else {}
        call = self._own_call(model, arguments, own) if own else self._call(model, arguments)
        timeout = self.spec.timeout
        return call if timeout is None else self._limited(call, timeout)

    def _call(self, model: Any, arguments: dict[str, Any] | None) -> Callable[[Any], Any]:
        if self.shares:
            return lambda batch: model.infer(batch, arguments)
        return _caller(self.base, model, arguments)

    def _own_call(
        self, model: Any, arguments: dict[str, Any] | None, own: dict[type, type]
    ) -> Callable[[Any], Any]:
        """Return a function that exchanges the original classes and the model's own copies."""
        call = self._call(model, pickling.exchanged(arguments, own))
        origins = {one: origin for origin, one in own.items()}
        return lambda batch: pickling.exchanged(call(pickling.exchanged(batch, own)), origins)

    def _limited(self, call: Callable[[Any], Any], timeout: float) -> Callable[[Any], Any]:
        def limited(batch: Any) -> Any:
            try:
                return within(timeout, lambda: call(batch))
            except CallTimeoutError as error:
                raise CallTimeoutError(
                    f"model {self.spec.name!r} {error} for a batch of {len(batch)}; "
                    "a smaller batch_size=, or a longer timeout="
                ) from None

        return limited

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Sequence[Any]:
        made = self.caller(model, inference_args)(batch)
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
        return _caller(self._base, self._model, inference_args)(batch)


def inference(result: Any) -> Any:
    """Return a model's output without the `PredictionResult` around it."""
    return result.inference if isinstance(result, PredictionResult) else result


def _caller(base: Any, model: Any, arguments: dict[str, Any] | None) -> Callable[[Any], Any]:
    """Return a function that calls a framework's handler with a batch.

    An mmnotebook handler returns the model's raw output; for others, it is one output per element.
    """
    if hasattr(base, "caller"):
        call: Callable[[Any], Any] = base.caller(model, arguments)
        return call
    takes_columns = getattr(base, "takes_columns", False)
    of = inference if not list(base.get_postprocess_fns()) else _unchanged

    def call_handler(batch: Any) -> Any:
        results = base.run_inference(batch, model, arguments)
        if takes_columns or isinstance(results, outputs.Each):
            return results
        if isinstance(results, PredictionResult):
            return results.inference  # of the whole batch
        return outputs.listed(results, of)

    return call_handler


def _unchanged(result: Any) -> Any:
    return result
