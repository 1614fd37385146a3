"""Batches of examples as NumPy arrays or tables."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmnotebook.elements import frames
from mmnotebook.elements.columns import Arrays, Records, Tensors
from mmnotebook.errors import shown
from mmnotebook.graph.inputs import InputNames
from mmnotebook.model import input_names
from mmnotebook.model.inputs import by_name, labelled, of_table, unnamed
from mmnotebook.results.values import plain

Array = np.ndarray[Any, Any]


def stacked(batch: Sequence[Any], names: InputNames | None = None) -> Array | dict[str, Array]:
    """Return a batch as one array with a row per example, or records as a dict of arrays by field.

    For records, only the fields that are inputs of the model (`names`) are used. The arrays may
    share memory with the batch: a caller must copy an array before writing to it.
    """
    column = by_name(batch, names)
    if isinstance(column, Records):
        return {name: _array(part) for name, part in column.columns.items()}
    if isinstance(column[0], Mapping):
        return {name: _array([record[name] for record in column]) for name in column[0]}
    return _array(column)


def _array(batch: Sequence[Any]) -> Array:
    column = unnamed(batch)
    if isinstance(column, Arrays):
        return column.array
    if isinstance(column, Tensors):
        return np.asarray(plain(column.tensor))
    if all(isinstance(value, str) for value in column):
        return np.array(list(column), dtype=object)
    array = np.stack([np.asarray(plain(example)) for example in column])
    if array.dtype == object or array.dtype.kind in "USOV":
        raise TypeError(f"the model takes numbers; the example is {shown(column[0])}")
    return array


def table(batch: Sequence[Any], names: Sequence[str] | None) -> Any:
    """Return a batch as a DataFrame if column names are known, else as a two-dimensional array.

    For records, the names are those of the fields. A model that was fitted on named columns
    receives only these columns, in the order of the fit.
    """
    known = input_names.of_columns(names)
    column = of_table(batch, known)
    if isinstance(column[0], Mapping):
        return frames.frame_of(column)
    array = _array(column)
    return labelled(array.reshape(-1, 1) if array.ndim == 1 else array, known)


def inputs(batch: Sequence[Any], names: Sequence[str]) -> dict[str, Array]:
    """Return a batch as an array for each named input of a model.

    Fields of records are matched by name; other values become the only input of a model.

    Raises
    ------
    ValueError
        If there is no field for an input; the error suggests the nearest field.
    """
    given = stacked(batch, InputNames(tuple(names)))
    if isinstance(given, dict):
        return given
    if len(names) == 1:
        return {names[0]: given}
    raise ValueError(
        f"the model has {len(names)} inputs, {', '.join(names)}: pass records with these fields; "
        f"the example is {shown(batch[0])}"
    )


def own_memory(array: Array) -> Array:
    """Return an array that owns its memory, since the model may keep it or write to it."""
    return np.ascontiguousarray(array) if array.flags.owndata else np.array(array, order="C")


def held(given: Array, dtype: Any, takes: str) -> Array:
    """Convert an array to another number type, without changing values; floats may be rounded.

    Parameters
    ----------
    takes
        The start of the error message, with the type that the model takes.

    Raises
    ------
    ValueError
        If the type cannot represent a value: for example, int8 has no 300, and integers have no
        0.5.
    """
    if given.dtype == dtype:
        return given
    with np.errstate(invalid="ignore", over="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # changed values are found below
        made = given.astype(dtype)
        lost = _lost(given, made)
    if lost.any():
        value = given[lost].reshape(-1)[:1].tolist()[0]
        raise ValueError(f"{takes}, which cannot hold {shown(value)}; preprocess= can convert it")
    return made


def _lost(given: Array, made: Array) -> Array:
    """Return a mask of the values that a cast changed."""
    if np.can_cast(given.dtype, made.dtype, "safe"):
        return np.zeros(given.shape, bool)
    if given.dtype.kind == "f" and made.dtype.kind in "fV":  # "V": bfloat16 is no NumPy type
        return np.asarray(np.isinf(made) & ~np.isinf(given))
    if given.dtype.kind in "mM":
        return np.ones(given.shape, bool)
    return np.asarray(made != given)
