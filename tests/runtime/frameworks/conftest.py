"""What the frameworks' tests share: rows of scikit-learn's digits, and one that is no row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def pixels(digits: pd.DataFrame) -> np.ndarray[Any, Any]:
    """60 digits of 64 pixels, float32."""
    return np.stack(list(digits["x"][:60])).astype(np.float32)


@pytest.fixture(scope="session")
def rows(pixels: np.ndarray[Any, Any]) -> list[Any]:
    """Those digits, with a row that is too short in seventh place."""
    elements: list[Any] = list(pixels)
    elements.insert(7, np.ones(3, np.float32))
    return elements
