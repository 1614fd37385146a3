"""Model predictions without Beam's `PredictionResult` around them."""

from __future__ import annotations

from typing import Any

from mmnotebook.elements.columns import Column, Objects, Records, Tuples
from mmnotebook.elements.packing import pack
from mmnotebook.results.values import is_prediction


def inferences(values: Column) -> Column:
    """Return the inference of each prediction; return any other column unchanged."""
    if isinstance(values, Tuples) and is_prediction(values.kind):
        names: tuple[str, ...] = values.kind._fields  # type: ignore[attr-defined]
        return values.columns[names.index("inference")]
    if isinstance(values, Objects) and any(map(is_prediction, set(map(type, values.values)))):
        return pack([_inference(value) for value in values.values])
    return values


def bare(values: Column) -> Column:
    """Replace predictions by their inferences, also in joined records: the input of a model.

    This works on whole columns; only dicts with different fields are processed one by one.
    """
    values = inferences(values)
    if isinstance(values, Records):
        return values.having({name: bare(column) for name, column in values.columns.items()})
    if isinstance(values, Tuples):
        return Tuples(values.kind, tuple(map(bare, values.columns)))
    if isinstance(values, Objects) and dict in set(map(type, values.values)):
        return pack([_bare(value) for value in values.values])
    return values


def _bare(value: Any) -> Any:
    if type(value) is not dict:
        return value
    return {name: _inference(item) for name, item in value.items()}


def _inference(value: Any) -> Any:
    return value.inference if is_prediction(type(value)) else value
