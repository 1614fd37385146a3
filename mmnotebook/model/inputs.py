"""Conversion of examples to batches for each framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np

from mmnotebook.elements import frames
from mmnotebook.elements.columns import (
    Arrays,
    Cells,
    Column,
    Objects,
    Records,
    Same,
    Selected,
    Tensors,
)
from mmnotebook.elements.elements import array_of, own
from mmnotebook.elements.packing import pack, records_of
from mmnotebook.errors import nearest, shown
from mmnotebook.graph.inputs import InputNames
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.model import input_names
from mmnotebook.results.values import plain


@dataclass(frozen=True)
class Collated:
    """The return value of `collate=` for a batch."""

    value: Any
    count: int

    def __len__(self) -> int:
        return self.count


def is_collated(batch: Any) -> bool:
    """Return whether a batch is a result of `collate=`."""
    return isinstance(batch, Collated)


def arranged(
    batch: Sequence[Any] | Collated, spec: ModelSpec, convert: Callable[[Sequence[Any]], Any]
) -> Any:
    """Convert a batch to the type of a framework, with the batch axis of the model.

    Parameters
    ----------
    batch
        The elements.
    spec
        The model, with its batch axis.
    convert
        Converts elements to the type of the framework, with the batch along the first axis.
    """
    if isinstance(batch, Collated):
        return batch.value
    if not spec.batched:
        value = batch[0]
        return value if is_a(value, {("pandas", "DataFrame")}) else _each(convert(batch), _first)
    given = convert(batch)
    return _each(given, lambda a: _moved(a, spec.batch_axis)) if spec.batch_axis else given


def _each(given: Any, change: Callable[[Any], Any]) -> Any:
    """Apply a function to each array of a model input."""
    if isinstance(given, dict):
        return {name: _each(part, change) for name, part in given.items()}
    return change(given)


def _first(batch: Any) -> Any:
    return batch.iloc[0] if hasattr(batch, "iloc") else batch[0]


def _moved(array: Any, axis: int) -> Any:
    """Return an array with its first axis moved to another position."""
    if not hasattr(array, "ndim") or hasattr(array, "iloc"):
        raise TypeError(f"batch_axis={axis} is for arrays; the batch is a {type(array).__name__}")
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(
            f"batch_axis={axis}: the batch has {array.ndim} axes, its elements {array.ndim - 1}"
        )
    return array.movedim(0, axis) if hasattr(array, "movedim") else np.moveaxis(array, 0, axis)


class NoNumbersError(TypeError):
    """The examples of a batch are not numbers, so they cannot be converted to tensors."""


def by_name(batch: Sequence[Any], names: InputNames | None) -> Column:
    """Return a batch as the input of a model with these input names.

    For records, only the fields that are inputs of the model are used, in the order of the inputs.
    If the model has no names, whole records are used, and several selected fields become one NumPy
    row.

    Raises
    ------
    ValueError
        If there is no field for an input; the error suggests the nearest field.
    """
    column = pack(batch)
    if _has_no_fields(column):
        return column
    if isinstance(column, Selected):
        fields = _fields_of(column.records)
        if names is None or not names.match(fields):
            return column.stacked()
        column = column.records
    if names is None or isinstance(column, Cells):
        return unnamed(column)
    column = records_of(column)
    if not isinstance(column[0], Mapping):
        return column
    if names.open and not names.known:
        return column
    fields = _fields_of(column)
    for name in names.missing(fields):
        raise ValueError(no_field(name, fields, names))
    taken = names.taken(fields)
    known = column.dtypes if isinstance(column, Records) else {}
    dtypes = {name: known[name] for name in taken if name in known}
    return Records({name: _part(column, name) for name in taken}, dtypes)


def _has_no_fields(column: Column) -> bool:
    """Return whether the values are tensors, or arrays without named fields."""
    if isinstance(column, Arrays):
        return column.array.dtype.names is None
    return isinstance(column, Tensors)


def of_table(batch: Sequence[Any], names: InputNames | None) -> Column:
    """Return a batch for a model of named columns; values without names become its only column."""
    column = pack(batch)
    if names is None or len(names.known) > 1 or isinstance(column, Selected):
        return by_name(column, names)
    bare = unnamed(column)
    if not _are_cells(bare):
        return by_name(column, names)
    name = names.known[0]
    return Records({name: bare}, {name: column.dtype} if isinstance(column, Cells) else {})


def _are_cells(column: Column) -> bool:
    """Return whether each value can be a cell of a table, not a row."""
    if isinstance(column, Arrays):
        return column.array.ndim == 1 and not column.array.dtype.names
    if isinstance(column, Tensors):
        return column.tensor.ndim == 1
    if not isinstance(column, (Objects, Same)):
        return False
    kinds = set(map(type, column.rows()))
    if any(issubclass(kind, (Mapping, list, tuple, np.void)) for kind in kinds):
        return False
    sized = any(hasattr(kind, "shape") for kind in kinds)
    return not (sized and any(getattr(value, "shape", ()) != () for value in column))


def unnamed(batch: Sequence[Any]) -> Column:
    """Return a batch as a column; several selected fields become one NumPy row."""
    column = pack(batch)
    if isinstance(column, Cells):
        return column.cells
    return column.stacked() if isinstance(column, Selected) else column


def no_field(name: str, fields: Sequence[str], names: InputNames) -> str:
    """Return the error message for a model input for which the record has no field."""
    close = nearest(name, names.extra(fields) or fields)
    hint = f"; did you mean {close!r}?" if close else ""
    if names.known == (name,) and not names.always:
        hint += '; a single field: data["x"], or input="x"'
    return f"no field {name!r} for the model's input; the record has {', '.join(fields)}{hint}"


def _fields_of(column: Column) -> list[str]:
    """List all fields that occur in the values."""
    if isinstance(column, Records):
        return list(column.columns)
    names: dict[str, None] = {}
    for value in column:
        names.update(dict.fromkeys(value))
    return list(names)


def _part(column: Column, name: str) -> Column:
    """Return one field of all values."""
    part = column.field(name)
    if part is None:
        lacking = next((value for value in column if name not in value), None)
        if lacking is not None:
            raise ValueError(
                f"no field {name!r} for the model's input; the record has {', '.join(lacking)}"
            )
        part = pack([value[name] for value in column])
    return unnamed(part)


def torch_batch(batch: Sequence[Any], model: Any, device: Any) -> Any:
    """Return a batch of examples as an input tensor of a torch module.

    Examples are tensors, NumPy rows, lists or numbers of equal shape; records become a dict of
    tensors. Floating-point numbers are converted to the dtype of the module; integers and booleans
    are not, see `torch_types`. The tensor is a copy, so the module may change it.
    """
    column = unnamed(batch)
    if isinstance(column, Records):
        return {name: torch_batch(part, model, device) for name, part in column.columns.items()}
    import torch

    if isinstance(column, Tensors):
        stacked = column.tensor.clone()
    elif isinstance(column, Arrays):
        stacked = torch.from_numpy(column.array.copy())
    elif isinstance(column[0], torch.Tensor):
        examples = column.rows()
        _same_shapes(examples)
        stacked = torch.stack(examples)
    else:
        stacked = torch.from_numpy(_stack(column))
    dtype = float_type(model) if stacked.is_floating_point() else None
    return stacked.to(device) if dtype is None else stacked.to(device, dtype)


def on_device(given: Any, model: Any, device: Any) -> Any:
    """Move a result of `collate=` to the device of a module; convert arrays to its dtype."""
    import torch

    if isinstance(given, Mapping):
        return {name: on_device(part, model, device) for name, part in given.items()}
    if isinstance(given, np.ndarray):
        given = torch.from_numpy(given)
    if not isinstance(given, torch.Tensor):
        return given.to(device) if hasattr(given, "to") else given
    dtype = float_type(model) if given.is_floating_point() else None
    return given.to(device) if dtype is None else given.to(device, dtype)


def _stack(batch: Sequence[Any]) -> np.ndarray[Any, Any]:
    arrays = [np.asarray(example) for example in batch]
    _same_shapes(arrays)
    array = np.stack(arrays)
    if array.dtype == object or array.dtype.kind in "USOV":
        raise NoNumbersError(f"a torch module takes numbers; the example is {shown(batch[0])}")
    return array


def _same_shapes(examples: Sequence[Any]) -> None:
    shapes = dict.fromkeys(tuple(example.shape) for example in examples)
    if len(shapes) > 1:
        raise ValueError(
            f"a batch of {len(examples)} examples of unequal shapes: "
            f"{', '.join(map(str, list(shapes)[:3]))}; preprocess= can convert them to one shape; "
            "batch_size=1 passes one example per call"
        )


def float_type(model: Any) -> Any:
    """Return the floating-point dtype of a module's weights; None if it has none."""
    for tensor in model.parameters():
        if tensor.is_floating_point():
            return tensor.dtype
    return None


def sklearn_batch(model: Any, batch: Sequence[Any]) -> Any:
    """Return a batch as a DataFrame if names are known, as a list for texts, else as an array."""
    names = input_names.of_estimator(model)
    column = of_table(batch, names)
    if isinstance(column[0], Mapping):
        return frames.frame_of(column)
    if isinstance(column[0], str):
        return column.rows()
    if isinstance(column, Arrays):
        array = column.array.copy()
    else:
        array = np.stack([array_of(plain(example)) for example in column])
    if array.ndim == 1:
        array = array.reshape(-1, 1)
    return labelled(array, names)


def labelled(array: Any, names: InputNames | None) -> Any:
    """Return an array as a DataFrame with the model's column names if the column counts match."""
    if names is None or array.ndim != 2 or array.shape[1] != len(names.needed):
        return array
    import pandas as pd

    return pd.DataFrame(array, columns=list(names.needed))


def python_batch(batch: Sequence[Any], names: InputNames | None = None) -> Any:
    """Return the input of a Python model for a batch.

    Numbers, arrays, tensors and lists of numbers become one NumPy array with a row per example, or
    a list of arrays if their shapes differ. Other values, such as PIL images, are passed as a list,
    unchanged. If the model has input names, selected fields are passed in the order of these names.
    """
    column = pack(batch)
    column = column.cells if isinstance(column, Cells) else column
    if names is not None and not isinstance(column, (Records, Selected)):
        known = records_of(column)
        column = Selected(known) if isinstance(known, Records) else column
    if isinstance(column, Selected):
        column = unnamed(column if names is None else Selected(by_name(column, names)))
    if isinstance(column, Arrays):
        return column.array.copy()
    if isinstance(column, Tensors):
        return np.array(plain(column.tensor))
    examples = column.rows()
    rows = [_numbers(example) for example in examples]
    arrays = [row for row in rows if row is not None]
    if len(arrays) < len(rows) or not rows:
        return [own(example) for example in examples]
    return arrays if len({array.shape for array in arrays}) > 1 else np.stack(arrays)


def _numbers(example: Any) -> np.ndarray[Any, Any] | None:
    """Return an example as an array; None if it is not numeric."""
    example = plain(example)
    if not isinstance(example, (np.ndarray, np.generic, Number, list, tuple)):
        return None
    try:
        array = np.asarray(example)
    except ValueError:  # nested lists of unequal lengths
        return None
    return array if array.dtype.kind in "biufcmM" else None
