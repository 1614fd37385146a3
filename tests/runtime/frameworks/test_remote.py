"""Remote models: a user's handler, and Vertex AI's handler with a test double."""

from __future__ import annotations

import json
import sys
import types
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import google.cloud
import numpy as np
import pytest
import torch
from apache_beam.io.components.adaptive_throttler import ReactiveThrottler
from apache_beam.ml.inference.base import PredictionResult, RemoteModelHandler
from apache_beam.utils import retry

import mmnotebook as mm
from mmnotebook.errors import ModelError

asked: Counter[str] = Counter()


class Service(RemoteModelHandler[Any, PredictionResult, str]):
    """Doubles numbers; rejects the first request as busy, and numbers below 0."""

    def __init__(self) -> None:
        super().__init__("Service", num_retries=2, throttle_delay_secs=0, retry_filter=is_busy)

    def create_client(self) -> str:
        return "client"

    def request(
        self, batch: Sequence[Any], model: str, inference_args: dict[str, Any] | None = None
    ) -> list[PredictionResult]:
        asked["requests"] += 1
        if asked["requests"] == 1:
            raise ConnectionError("busy")
        if min(batch) < 0:
            raise ValueError("below 0")
        return [PredictionResult(number, number * 2) for number in batch]

    def batch_elements_kwargs(self) -> dict[str, int]:
        return {"min_batch_size": 10, "max_batch_size": 10}


def is_busy(error: Exception) -> bool:
    return isinstance(error, ConnectionError)


def test_a_remote_handler_of_the_users_is_asked_again_when_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(retry.Clock, "sleep", lambda clock, seconds: waited.append(seconds))
    asked.clear()
    spec = mm.register("service", Service())
    assert spec.framework == "beam"
    numbers = [*range(20), -1, *range(20, 40)]
    r = mm.run(mm.pipeline("numbers | service", numbers=numbers))
    assert r["service"]["prediction"].tolist() == [2 * number for number in range(40)]
    assert r.failed["message"].tolist() == ["below 0"] and r.failed["id"].tolist() == ["20"]
    assert r.models.loc["service", "predictions"] == 40
    assert len(waited) == 1


class Endpoint:
    """A double of Vertex AI's endpoint: sums its input, which must be JSON."""

    deployed = ("model-1",)

    def __init__(self, endpoint_name: str, location: str) -> None:
        self.name = f"{endpoint_name} in {location}"

    def list_models(self) -> list[Any]:
        return [types.SimpleNamespace(id=name) for name in self.deployed]

    def predict(self, instances: list[Any], parameters: dict[str, Any] | None) -> Any:
        json.dumps(instances)
        factor = (parameters or {}).get("factor", 1)
        sums = [sum(instance) * factor for instance in instances]
        return types.SimpleNamespace(predictions=sums, deployed_model_id="model-1")


@pytest.fixture
def vertex(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Endpoint]]:
    module = types.ModuleType("google.cloud.aiplatform")
    module.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
    module.__dict__.update(init=lambda **given: None, Endpoint=Endpoint)
    monkeypatch.setitem(sys.modules, "google.cloud.aiplatform", module)
    monkeypatch.setattr(google.cloud, "aiplatform", module, raising=False)
    for name in ("mmnotebook.model.frameworks.remote_handler", "vertex_ai_inference"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    # Beam waits for seconds after a failed request.
    monkeypatch.setattr(ReactiveThrottler, "throttle", lambda self: None)
    yield Endpoint
    sys.modules.pop("mmnotebook.model.frameworks.remote_handler", None)
    sys.modules.pop("apache_beam.ml.inference.vertex_ai_inference", None)


WHERE = {"framework": "vertex", "project": "p", "location": "l"}


def test_an_endpoint_is_sent_plain_values(
    vertex: type[Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = mm.register("sums", "123", **WHERE, inference_args={"factor": 2})
    elements = [np.arange(3), torch.ones(2), [1, 2.5], "text"] * 3
    r = mm.run(mm.pipeline("elements | sums", elements=elements), max_failed=0.5)
    assert r["sums"]["prediction"].tolist() == [6, 4, 7] * 3
    assert r.failed["id"].tolist() == ["3", "7", "11"]
    assert mm.register("again", "123", **WHERE).fingerprint == spec.fingerprint
    monkeypatch.setattr(vertex, "deployed", ("model-2",))
    assert mm.register("again", "123", **WHERE).fingerprint != spec.fingerprint


def test_an_endpoint_that_does_not_answer(
    vertex: type[Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="project is missing"):
        mm.register("sums", "123", framework="vertex", location="l")
    monkeypatch.setattr(vertex, "deployed", ())
    with pytest.raises(ModelError, match="no models deployed.*\n.*credentials"):
        mm.register("sums", "123", **WHERE)
