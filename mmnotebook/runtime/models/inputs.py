"""A batch of examples as what a framework takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmnotebook.analysis.values import plain
from mmnotebook.errors import nearest, shown
from mmnotebook.graph.inputs import InputNames
from mmnotebook.runtime.blocks.columns import Arrays, Column, Records, Selected, Tensors
from mmnotebook.runtime.blocks.packing import pack
from mmnotebook.runtime.models import naming


def by_name(batch: Sequence[Any], names: InputNames | None) -> Column:
    """A batch as a model with these inputs is given it.

    Of records the model is given the fields that are its inputs, in its own order; without names
    it is given whole records, and several selected fields as one numpy row.

    Raises
    ------
    ValueError
        When an input has no field, with the nearest one.
    """
    column = pack(batch)
    if isinstance(column, Selected):
        fields = _fields_of(column.records)
        if names is None or not names.match(fields):
            return column.stacked()
        column = column.records
    if names is None or not isinstance(column[0], (Mapping, np.void)):
        return column
    if names.open and not names.known:
        return column
    fields = _fields_of(column)
    for name in names.missing(fields):
        raise ValueError(no_field(name, fields, names))
    return Records({name: _part(column, name) for name in names.taken(fields)})


def unnamed(batch: Sequence[Any]) -> Column:
    """A batch packed; several selected fields as one numpy row."""
    column = pack(batch)
    return column.stacked() if isinstance(column, Selected) else column


def no_field(name: str, fields: Sequence[str], names: InputNames) -> str:
    """Says that an input has no field."""
    close = nearest(name, names.extra(fields) or fields)
    hint = f"; did you mean {close!r}?" if close else ""
    if names.known == (name,) and not names.always:
        hint += '; one field alone: data["x"], or input="x"'
    return f"no field {name!r} for the model's input; the record has {', '.join(fields)}{hint}"


def _fields_of(column: Column) -> list[str]:
    """The fields that all values have, and those that only some have: these cost their batch."""
    if isinstance(column, Records):
        return list(column.columns)
    names: dict[str, None] = {}
    for value in column:
        names.update(dict.fromkeys(value if isinstance(value, Mapping) else value.dtype.names))
    return list(names)


def _part(column: Column, name: str) -> Column:
    """One field of all values."""
    part = column.field(name)
    if part is None:
        lacking = next((value for value in column if name not in value), None)
        if lacking is not None:
            raise ValueError(
                f"no field {name!r} for the model's input; the record has {', '.join(lacking)}"
            )
        part = pack([value[name] for value in column])
    return unnamed(part)


def frame(column: Column) -> Any:
    """Records as a DataFrame, a column per field."""
    import pandas as pd

    return pd.DataFrame(column.rows())


def torch_batch(batch: Sequence[Any], model: Any, device: Any) -> Any:
    """A batch of examples as the tensor that a torch module takes.

    Examples are tensors, numpy rows, lists or numbers, all of one shape; records become a dict of
    tensors. Numbers are given in the module's own floating type, but whole numbers stay whole for
    a module that looks them up in an embedding. The tensor is a copy: the module may change it.
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
    dtype = _float_type(model)
    if dtype is not None and not (stacked.is_complex() or _keeps_whole(stacked, model)):
        stacked = stacked.to(dtype)
    return stacked.to(device)


def _stack(batch: Sequence[Any]) -> np.ndarray[Any, Any]:
    arrays = [np.asarray(example) for example in batch]
    _same_shapes(arrays)
    array = np.stack(arrays)
    if array.dtype == object or array.dtype.kind in "USOV":
        raise TypeError(f"a torch module takes numbers; the example is {shown(batch[0])}")
    return array


def _same_shapes(examples: Sequence[Any]) -> None:
    shapes = dict.fromkeys(tuple(example.shape) for example in examples)
    if len(shapes) > 1:
        raise ValueError(
            f"a batch of {len(examples)} examples of unequal shapes: "
            f"{', '.join(map(str, list(shapes)[:3]))}; preprocess= can bring them to one shape, "
            "batch_size=1 gives the model one at a time"
        )


def _float_type(model: Any) -> Any:
    for tensor in model.parameters():
        if tensor.is_floating_point():
            return tensor.dtype
    return None


def _keeps_whole(stacked: Any, model: Any) -> bool:
    if stacked.is_floating_point():
        return False
    names = {getattr(m, "original_name", type(m).__name__) for m in model.modules()}
    return any(name.startswith("Embedding") for name in names)


def sklearn_batch(model: Any, batch: Sequence[Any]) -> Any:
    """A batch as a DataFrame where names are known, texts as a list, else an array of rows."""
    names = naming.of_estimator(model)
    column = by_name(batch, names)
    if isinstance(column[0], Mapping):
        return frame(column)
    if isinstance(column[0], str):
        return column.rows()
    if isinstance(column, Arrays):
        array = column.array.copy()
    else:
        array = np.stack([np.asarray(plain(example)) for example in column])
    if array.ndim == 1:
        array = array.reshape(-1, 1)
    return labelled(array, names)


def labelled(array: Any, names: InputNames | None) -> Any:
    """Rows of numbers under the names of a model's columns, where they are as many."""
    if names is None or array.ndim != 2 or array.shape[1] != len(names.needed):
        return array
    import pandas as pd

    return pd.DataFrame(array, columns=list(names.needed))


def python_batch(batch: Sequence[Any], names: InputNames | None = None) -> Any:
    """A numpy array with a row per example where these are numbers of one shape, else a list.

    Fields that were selected for an object that knows the names of its inputs stand in its order.
    """
    column = pack(batch)
    if isinstance(column, Selected):
        column = unnamed(column if names is None else Selected(by_name(column, names)))
    if isinstance(column, Arrays):
        return column.array.copy()
    if isinstance(column, Tensors):
        return np.array(plain(column.tensor))
    examples = column.rows()
    if any(isinstance(example, (str, bytes, Mapping)) for example in examples):
        return examples
    try:
        array = np.stack([np.asarray(plain(example)) for example in examples])
    except ValueError:  # unequal shapes
        return examples
    return array if array.dtype.kind in "biufcmM" else examples
