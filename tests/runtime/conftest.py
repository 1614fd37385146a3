"""Fixtures of the runtime tests: real data, and models that are trained within a second."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from mmnotebook.graph.models import registry

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def registry_of_the_module() -> Iterator[None]:
    """Remove the models that fixtures of a module registered, when the module is done."""
    yield
    for name in list(registry):
        registry.remove(name)


@pytest.fixture(autouse=True)
def working_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Change to an empty folder: runs observe the files that any process opens in theirs.

    Worker processes find the modules of the tests by PYTHONPATH, since not in this folder.
    """
    monkeypatch.chdir(tmp_path_factory.mktemp("work"))
    found = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(found))


@pytest.fixture(scope="session")
def digits() -> pd.DataFrame:
    """Return 300 of scikit-learn's digits: `x` (64 pixels), `label` and `user`."""
    data = load_digits()
    rows = range(300)
    pixels = data.data[:300].astype(np.float32)
    users = [f"user{row % 40}" for row in rows]
    return pd.DataFrame({"x": list(pixels), "label": data.target[:300], "user": users})


@pytest.fixture(scope="session")
def forest(digits: pd.DataFrame) -> RandomForestClassifier:
    """Return a forest fitted on `digits`."""
    model = RandomForestClassifier(10, random_state=0)
    return model.fit(np.stack(list(digits["x"])), digits["label"])


@pytest.fixture(scope="session")
def mlp(digits: pd.DataFrame) -> torch.nn.Module:
    """Return a small network trained on `digits`."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
    inputs = torch.from_numpy(np.stack(list(digits["x"])))
    labels = torch.tensor(digits["label"].to_numpy())
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(inputs), labels).backward()
        optimizer.step()
    return net
