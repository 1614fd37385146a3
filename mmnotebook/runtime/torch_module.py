"""Beam's torch handler for a whole module that mmnotebook stored, class and weights together."""

from __future__ import annotations

from typing import Any

import torch
from apache_beam.ml.inference.pytorch_inference import PytorchModelHandlerTensor


class StoredModuleHandler(PytorchModelHandlerTensor):
    """Loads the private file that `register` made of a live module."""

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__(torch_script_model_path=path, **options)
        self._path = path

    def load_model(self) -> torch.nn.Module:
        wanted = self._device
        if wanted.type == "cuda" and not torch.cuda.is_available():
            wanted = torch.device("cpu")
        # Only this process's own private files come here; the user's are loaded weights_only.
        module: torch.nn.Module = torch.load(self._path, map_location=wanted, weights_only=False)
        self._device = wanted
        module.requires_grad_(False)
        return module.eval()
