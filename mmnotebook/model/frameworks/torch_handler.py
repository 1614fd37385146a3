"""Beam's torch handler, extended to every format of a stored torch model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from apache_beam.ml.inference.pytorch_inference import PytorchModelHandlerTensor

from mmnotebook.elements.columns import Arrays
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import inputs
from mmnotebook.model.frameworks import exported, own_methods, torch_types


class TorchHandler(PytorchModelHandlerTensor):
    """A handler that loads the registered model, on the CPU if there is no GPU.

    Beam's handler also falls back to the CPU, but logs this with the root logger, and thereby adds
    a log handler to the root logger.
    """

    takes_columns = True
    types_apart = True

    def __init__(self, spec: ModelSpec) -> None:
        self._spec, self._casts = spec, torch_types.Casts()
        super().__init__(device=spec.device, **_file(spec))
        self._own = (spec.form, str(spec.path)) if spec.form in ("module", "exported") else None

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Any:
        return self.caller(model, inference_args)(batch)

    def caller(
        self, model: Any, inference_args: dict[str, Any] | None = None
    ) -> Callable[[Any], Any]:
        """Return a function that calls a module with a batch."""
        self._fall_back()  # another handler may have loaded the model
        return TorchCall(self._spec, self._casts, model, self._device, inference_args)

    def _fall_back(self) -> None:
        if self._device.type == "cuda" and not torch.cuda.is_available():
            self._device = torch.device("cpu")

    def load_model(self) -> torch.nn.Module:
        self._fall_back()
        model: torch.nn.Module
        if self._own is None:
            model = super().load_model()
            return model
        form, path = self._own
        if form == "exported":
            # The export fixed the mode of the program: training or evaluation.
            model = exported.load(path).to(self._device)
            return model.requires_grad_(False)
        # Only private files of mmnotebook have this form; files of users are loaded weights_only.
        model = torch.load(path, map_location=self._device, weights_only=False)
        model.requires_grad_(False)
        return model.eval()


def _file(spec: ModelSpec) -> dict[str, Any]:
    if spec.form != "state_dict":
        return {"torch_script_model_path": spec.path}
    return {
        "state_dict_path": spec.path,
        "model_class": spec.target,
        "model_params": dict(spec.params),
        "load_model_args": {"weights_only": True},
    }


class TorchCall:
    """Calls a module with batches.

    Parameters
    ----------
    casts
        What is known about the integer inputs of the module.
    arguments
        Further arguments of each call.
    """

    def __init__(
        self,
        spec: ModelSpec,
        casts: torch_types.Casts,
        model: Any,
        device: Any,
        arguments: dict[str, Any] | None = None,
    ) -> None:
        self.spec, self.casts, self.model, self.device = spec, casts, model, device
        self.arguments = arguments or {}
        self.function = model if spec.method is None else getattr(model, spec.method)
        self._dtype = inputs.float_type(model)
        self._is_plain = spec.batched and not spec.batch_axis and spec.method is None

    def __call__(self, batch: Sequence[Any]) -> Any:
        with torch.no_grad():
            if self._is_plain and isinstance(batch, Arrays) and batch.array.dtype.kind == "f":
                return self._call(torch.from_numpy(batch.array.copy()).to(self.device, self._dtype))
            given = inputs.arranged(batch, self.spec, self._tensors)
            if inputs.is_collated(batch):
                return self._call(inputs.on_device(given, self.model, self.device))
            return self.casts.call(self._call, given, self.model)

    def _tensors(self, part: Sequence[Any]) -> Any:
        column = inputs.by_name(part, self.spec.fields)
        return own_methods.given(column, self.model, self.device, self.spec.method)

    def _call(self, given: Any) -> Any:
        if isinstance(given, dict):
            return self.function(**given, **self.arguments)
        return self.function(given, **self.arguments)
