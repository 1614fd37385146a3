"""Beam's torch handler, extended to every format of a stored torch model."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from apache_beam.ml.inference.pytorch_inference import PytorchModelHandlerTensor

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
        casts = torch_types.Casts()
        inference = functools.partial(torch_inference, spec=spec, casts=casts)
        super().__init__(device=spec.device, inference_fn=inference, **_file(spec))
        self._own = (spec.form, str(spec.path)) if spec.form in ("module", "exported") else None

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Any:
        self._fall_back()  # another handler may have loaded the model
        return super().run_inference(batch, model, inference_args)

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


def torch_inference(
    batch: Sequence[Any],
    model: Any,
    device: Any,
    inference_args: dict[str, Any] | None = None,
    model_id: str | None = None,
    *,
    spec: ModelSpec,
    casts: torch_types.Casts | None = None,
) -> Any:
    """Call the module with a batch: the `inference_fn` of Beam's torch handler."""

    def tensors(part: Sequence[Any]) -> Any:
        return own_methods.given(inputs.by_name(part, spec.fields), model, device, spec.method)

    arguments = inference_args or {}
    function = model if spec.method is None else getattr(model, spec.method)

    def call(given: Any) -> Any:
        named = isinstance(given, dict)
        return function(**given, **arguments) if named else function(given, **arguments)

    with torch.no_grad():
        given = inputs.arranged(batch, spec, tensors)
        if inputs.is_collated(batch):
            return call(inputs.on_device(given, model, device))
        casts = torch_types.Casts() if casts is None else casts
        return casts.call(call, given, model)
