"""Comparison of two values in every respect that a step could notice."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from mmnotebook.errors import GraphError


def same(one: Any, other: Any) -> bool:
    """Return whether type, dtype, shape, field order and values are equal; -0.0 is not 0.0."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return (
            (one.dtype, one.shape, one.requires_grad) == (other.dtype, other.shape, False)
            or bool(one.requires_grad and other.requires_grad)
        ) and torch.equal(
            *(t.detach().resolve_conj().contiguous().reshape(-1).view(torch.uint8)
              for t in (one, other))
        )  # fmt: skip
    if isinstance(one, (np.ndarray, np.generic)):
        if one.dtype != other.dtype or one.shape != other.shape:
            return False
        if one.dtype.hasobject:
            return same(one.tolist(), other.tolist())
        return np.asarray(one).tobytes() == np.asarray(other).tobytes()
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, complex):
        return same(one.real, other.real) and same(one.imag, other.imag)
    if isinstance(one, float):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


NEVER = (
    "have no element in common",
    "are children of different flat_map steps",
    "never have the same element",
)


def never_meet(error: GraphError) -> bool:
    """Return whether a graph is refused because it joins nodes without common elements."""
    return any(text in str(error) for text in NEVER)
