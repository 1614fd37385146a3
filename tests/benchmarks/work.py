"""Work W: rows of 64 float32 in one .npy file, and two torch models 64 -> 4096 -> 1."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from apache_beam.ml.inference.pytorch_inference import PytorchModelHandlerTensor

import mmnotebook as mm

_OURS = "BENCHMARKS_OF_MMNOTEBOOK"
if _OURS not in os.environ:
    os.environ[_OURS] = tempfile.mkdtemp(prefix="benchmarks-of-mmnotebook-")
    atexit.register(shutil.rmtree, os.environ[_OURS], ignore_errors=True)
FOLDER = Path(os.environ[_OURS])
"""The cache folder of this process and its child processes."""

# A separate cache, so that no entry of the user's cache is evicted.
os.environ["MMNOTEBOOK_CACHE"] = str(FOLDER / "cache")

MODELS = ("first", "second")
BATCH = 64


def rows(count: int) -> Path:
    """Return the file with `count` rows."""
    path = FOLDER / f"{count}.npy"
    if not path.exists():
        np.save(path, np.random.default_rng(0).random((count, 64), dtype=np.float32))
    return path


def network() -> torch.nn.Module:
    """Return a network with the architecture of both models."""
    return torch.nn.Sequential(torch.nn.Linear(64, 4096), torch.nn.ReLU(), torch.nn.Linear(4096, 1))


def model(name: str) -> torch.nn.Module:
    """Return one of the two models; their weights differ, so that nothing can be shared."""
    torch.manual_seed(MODELS.index(name))
    return network()


def register() -> None:
    """Register both models with the batch size of the peers."""
    for name in MODELS:
        if name not in mm.registry:
            mm.register(name, model(name), batch_size=BATCH)


def graph(count: int) -> mm.Graph:
    """Return W as a graph."""
    register()
    return mm.pipeline(f"read({str(rows(count))!r}) | [{', '.join(MODELS)}]")


def run(count: int) -> mm.Result:
    """Run W, with everything computed and stored."""
    return mm.run(graph(count), fresh=True, progress=False)


def tensors(path: Path) -> list[torch.Tensor]:
    """Return the rows as a Beam user passes them to RunInference.

    They are clones: pickling a view would copy the whole array with every row.
    """
    return [torch.from_numpy(row.copy()) for row in np.load(path)]


def handler(name: str, kind: type[Any] = PytorchModelHandlerTensor) -> Any:
    """Return a handler as a Beam user passes it to RunInference."""
    path = FOLDER / f"{name}.pt"
    if not path.exists():
        torch.save(model(name).state_dict(), path)
    return kind(
        state_dict_path=str(path),
        model_class=network,
        model_params={},
        min_batch_size=BATCH,
        max_batch_size=BATCH,
    )
