"""Beam's torch handler, for every form in which a torch model is stored."""

from __future__ import annotations

from typing import Any

import torch
from apache_beam.ml.inference.pytorch_inference import PytorchModelHandlerTensor

from mmnotebook.graph.models import ModelSpec
from mmnotebook.runtime.models import adapters


class TorchHandler(PytorchModelHandlerTensor):
    """Loads what `register` was given, on the CPU where there is no GPU for it.

    Beam falls back to the CPU too, but says so through the root logger, for which it then sets up
    a handler.
    """

    takes_columns = True

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(device=spec.device, inference_fn=adapters.torch_inference, **_file(spec))
        self._stored_module = spec.path if spec.form == "module" else None

    def load_model(self) -> torch.nn.Module:
        if self._device.type == "cuda" and not torch.cuda.is_available():
            self._device = torch.device("cpu")
        if self._stored_module is None:
            model: torch.nn.Module = super().load_model()
            return model
        # Only our own private files come here; the user's are loaded weights_only.
        model = torch.load(self._stored_module, map_location=self._device, weights_only=False)
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
