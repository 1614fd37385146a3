"""Users' models and handlers for the tests of this folder."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from apache_beam.ml.inference.base import ModelHandler, PredictionResult

from mmnotebook.graph.models import ModelSpec


class Scale(torch.nn.Module):
    """A model that multiplies by a factor; it raises for values above `most`."""

    def __init__(self, factor: float = 2.0, most: float = 1e9) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor([factor]))
        self.most = most

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool((x > self.most).any()):
            raise ValueError(f"above {self.most}")
        return x * self.factor


class Slotted:
    """A model that cannot be weakly referenced."""

    __slots__ = ("factor",)

    def __init__(self, factor: float) -> None:
        self.factor = factor


class OwnHandler(ModelHandler[Any, PredictionResult, Slotted]):
    """A ModelHandler as users write them."""

    def __init__(self, factor: float = 3.0) -> None:
        super().__init__()
        self.factor = factor

    def load_model(self) -> Slotted:
        return Slotted(self.factor)

    def run_inference(
        self, batch: Sequence[Any], model: Slotted, inference_args: dict[str, Any] | None = None
    ) -> Iterable[PredictionResult]:
        for example in batch:
            yield PredictionResult(example, float(np.sum(example)) * model.factor)

    def batch_elements_kwargs(self) -> dict[str, int]:
        return {"min_batch_size": 5, "max_batch_size": 5}


class Gate:
    """Lets a test wait for a step, and a step for the test."""

    def __init__(self) -> None:
        self.started, self.release = threading.Event(), threading.Event()


GATE = Gate()


def hold(x: Any) -> Any:
    """Signal that the step has begun, and wait for its release."""
    GATE.started.set()
    if not GATE.release.wait(60):
        raise TimeoutError
    return x


class Mute(Exception):
    """An exception that cannot be printed."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def mute(x: Any) -> Any:
    """Raise an exception without a text."""
    raise Mute


def letters(text: str) -> Any:
    """Return an object that cannot be pickled."""
    return (letter for letter in text)


def shared(spec: ModelSpec) -> list[Path]:
    """Return the permissions of other users on a stored model."""
    folder = Path(str(spec.path)).parent
    return [path for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o077]
