"""Comparison of two answers, from a run's table or from the model itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd


def plain(value: Any) -> Any:
    """Return a value as Python numbers, texts, lists, tuples and dicts."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    elif hasattr(value, "numpy") and not isinstance(value, np.ndarray):
        value = value.numpy()
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist()) if value.dtype.hasobject else value.tolist()
    if isinstance(value, (pd.DataFrame, pd.Series)):
        return plain(value.to_dict())
    if isinstance(value, dict):
        return {plain(name): plain(part) for name, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(plain(part) for part in value)
    return value


def is_plain(value: Any) -> bool:
    """Return whether a value consists of Python's numbers, texts and containers."""
    if type(value) in (list, tuple, set, frozenset):
        return all(map(is_plain, value))
    if type(value) is dict:
        return all(map(is_plain, [*value, *value.values()]))
    return value is None or type(value) in (int, float, complex, bool, str, bytes)


def agree(one: Any, other: Any) -> bool:
    """Return whether two plain values are equal up to float32's rounding, with types and order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return _are_close(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and agree(list(one.values()), list(other.values()))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(agree, one, other))
    return bool(one == other)


def _are_close(one: float, other: float) -> bool:
    if one == other == 0:
        return math.copysign(1, one) == math.copysign(1, other)
    both_nan = math.isnan(one) and math.isnan(other)
    return both_nan or math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-6)
