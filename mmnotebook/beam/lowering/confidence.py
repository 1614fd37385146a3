"""The confidence of a model, from its raw scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mmnotebook.beam.lowering.combine import Array, numbers
from mmnotebook.elements.columns import Column
from mmnotebook.elements.elements import own
from mmnotebook.errors import ModelError, shown
from mmnotebook.results.labels import labeled
from mmnotebook.results.values import plain

SUM = 1e-3
"""Tolerance for the sum of probabilities."""


def of_column(outputs: Column) -> Array:
    """Return the confidence in each of a model's raw outputs, from 0 to 1; NaN where there is none.

    If the scores are not negative and add up to 1, the confidence is the highest score; otherwise
    it is the highest softmax of the scores. For a single number p from 0 to 1, the confidence is
    max(p, 1 - p). For a dict {"label", "score"}, or a list of such dicts, it is the highest score,
    if this is from 0 to 1. Integers, and labels without a score, have no confidence.
    """
    whole = numbers(outputs)
    if whole is not None:
        return _of_array(whole)
    alone = [_of_output(output) for output in outputs]
    return np.concatenate(alone) if alone else np.empty(0)


def _of_output(output: Any) -> Array:
    found = labeled(output)
    if found is None:
        return _of_array(_array(output)[np.newaxis])
    return np.array([found.score if 0 <= found.score <= 1 else np.nan], dtype=float)


def _array(output: Any) -> Array:
    try:
        return np.asarray(plain(output))
    except ValueError:  # a ragged list
        return np.empty(0, dtype=object)


def _of_array(outputs: Array) -> Array:
    """Return the confidence in each row."""
    none = np.full(len(outputs), np.nan)
    if outputs.dtype.kind != "f" or outputs.ndim > 2 or not outputs.size:
        return none
    scores = outputs.astype(float)
    if scores.ndim == 1 or scores.shape[1] == 1:
        chance = scores.reshape(-1)
        known = (chance >= 0) & (chance <= 1)
        return np.asarray(np.where(known, np.maximum(chance, 1 - chance), np.nan))
    with np.errstate(invalid="ignore", over="ignore"):
        known = (scores >= 0).all(axis=1) & (np.abs(scores.sum(axis=1) - 1) <= SUM)
        grown = np.exp(scores - scores.max(axis=1, keepdims=True))
        softmax = grown.max(axis=1) / grown.sum(axis=1)
    return np.asarray(np.where(known, scores.max(axis=1), softmax))


def missing(model: str, output: Any) -> ModelError:
    """Return the error for an output without confidence."""
    return ModelError(
        f"model {model!r} returned {shown(plain(output))}, which has no confidence; "
        'allowed: class scores, a number from 0 to 1, or {"label": ..., "score": ...}',
        remedy=f'register {model!r} with method="predict_proba", or pass score=f to cascade',
    )


def scored(score: Callable[[Any], Any], output: Any) -> float:
    """Return the confidence that the user's function computes from a raw output.

    Raises
    ------
    ValueError
        If the function does not return a number from 0 to 1.
    """
    found = plain(score(own(output)))
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 <= found <= 1:
        message = f"score returned {shown(found)}; allowed: a number from 0 to 1"
        raise ValueError(message)
    return float(found)
