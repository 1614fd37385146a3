"""Fixtures of the framework tests: rows of scikit-learn's digits, and a row that is too short."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def pixels(digits: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Return 60 digits with 64 pixels each, float32."""
    return np.stack(list(digits["x"][:60])).astype(np.float32)


@pytest.fixture(scope="session")
def rows(pixels: np.ndarray[Any, Any]) -> list[Any]:
    """Return these digits, with a row that is too short in seventh place."""
    elements: list[Any] = list(pixels)
    elements.insert(7, np.ones(3, np.float32))
    return elements
