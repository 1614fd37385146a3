"""Work W: rows of 64 float32 in one .npy file, two torch models 64 -> 4096 -> 1."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

import mmnotebook as mm

FOLDER = Path(tempfile.mkdtemp(prefix="mmnotebook-benchmark-"))
MODELS = ("first", "second")


def rows(count: int) -> Path:
    """The file of `count` rows."""
    path = FOLDER / f"{count}.npy"
    if not path.exists():
        np.save(path, np.random.default_rng(0).random((count, 64), dtype=np.float32))
    return path


def module() -> torch.nn.Module:
    """One of the two models."""
    return torch.nn.Sequential(torch.nn.Linear(64, 4096), torch.nn.ReLU(), torch.nn.Linear(4096, 1))


def graph(count: int) -> mm.Graph:
    """W as mmnotebook runs it."""
    for name in MODELS:
        if name not in mm.registry:
            torch.manual_seed(0)
            mm.register(name, module())
    return mm.pipeline(f"read({str(rows(count))!r}) | [{', '.join(MODELS)}]")


def handlers() -> list[object]:
    """The models as a Beam user hands them to RunInference."""
    from apache_beam.ml.inference.pytorch_inference import PytorchModelHandlerTensor

    made = []
    for name in MODELS:
        path = FOLDER / f"{name}.pt"
        torch.manual_seed(0)
        torch.save(module().state_dict(), path)
        made.append(PytorchModelHandlerTensor(state_dict_path=str(path), model_class=module))
    return made
