"""A batch of examples as what a framework takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np

from mmnotebook.analysis.values import plain
from mmnotebook.errors import shown
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.runtime.blocks.columns import Arrays, Records, Tensors
from mmnotebook.runtime.blocks.packing import pack
from mmnotebook.runtime.data import frames
from mmnotebook.runtime.data.elements import array_of


@dataclass(frozen=True)
class Collated:
    """What `collate=` made of a batch, in place of the batch."""

    value: Any
    count: int

    def __len__(self) -> int:
        return self.count


def is_collated(batch: Any) -> bool:
    """Was the batch made by `collate=`?"""
    return isinstance(batch, Collated)


def arranged(
    batch: Sequence[Any] | Collated, spec: ModelSpec, convert: Callable[[Sequence[Any]], Any]
) -> Any:
    """A batch as a framework takes it, with the batch where the model wants it.

    Parameters
    ----------
    batch
        The elements.
    spec
        Says whether the model takes a batch, and along which axis.
    convert
        Makes of some elements what the framework takes, the batch along the first axis.
    """
    if isinstance(batch, Collated):
        return batch.value
    if not spec.batched:
        value = batch[0]
        return value if is_a(value, {("pandas", "DataFrame")}) else _each(convert(batch), _first)
    given = convert(batch)
    return _each(given, lambda a: _moved(a, spec.batch_axis)) if spec.batch_axis else given


def _each(given: Any, change: Callable[[Any], Any]) -> Any:
    """Every array in what a model is given, changed."""
    if isinstance(given, dict):
        return {name: _each(part, change) for name, part in given.items()}
    return change(given)


def _first(batch: Any) -> Any:
    return batch.iloc[0] if hasattr(batch, "iloc") else batch[0]


def _moved(array: Any, axis: int) -> Any:
    """An array with its first axis at another place."""
    if not hasattr(array, "ndim") or hasattr(array, "iloc"):
        raise TypeError(f"batch_axis={axis} is for arrays; the batch is a {type(array).__name__}")
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(
            f"batch_axis={axis}: the batch has {array.ndim} axes, its elements {array.ndim - 1}"
        )
    return array.movedim(0, axis) if hasattr(array, "movedim") else np.moveaxis(array, 0, axis)


class NoNumbersError(TypeError):
    """Examples that cannot be tensors."""


def torch_batch(batch: Sequence[Any], model: Any, device: Any) -> Any:
    """A batch of examples as the tensor that a torch module takes.

    Examples are tensors, numpy rows, lists or numbers, all of one shape; records become a dict of
    tensors. Numbers are given in the module's own floating type, but whole numbers stay whole for
    a module that looks them up in an embedding. The tensor is a copy: the module may change it.
    """
    column = pack(batch)
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


def on_device(given: Any, model: Any, device: Any) -> Any:
    """What `collate=` made, on the module's device: arrays as tensors, in its floating type."""
    import torch

    if isinstance(given, Mapping):
        return {name: on_device(part, model, device) for name, part in given.items()}
    if isinstance(given, np.ndarray):
        given = torch.from_numpy(given)
    if not isinstance(given, torch.Tensor):
        return given.to(device) if hasattr(given, "to") else given
    dtype = _float_type(model) if given.is_floating_point() else None
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


def unknown_field(call: Any, record: Mapping[str, Any]) -> TypeError | None:
    """The refusal of a record with a field that is no argument of the module's."""
    try:
        taken = inspect.signature(getattr(call, "forward", call)).parameters.values()
    except (TypeError, ValueError):  # of some compiled modules it is not known
        return None
    names = [one.name for one in taken if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    unknown = [name for name in record if name not in names]
    if not unknown or any(one.kind == one.VAR_KEYWORD for one in taken):
        return None
    return TypeError(
        f"a record's fields are given by name, and the module has no argument {unknown[0]!r}; "
        f'its arguments: {", ".join(names)}; one field alone: data["x"], or input="x"'
    )


def sklearn_batch(model: Any, batch: Sequence[Any]) -> Any:
    named = getattr(model, "feature_names_in_", None)
    column = pack(batch)
    if isinstance(column[0], Mapping):
        frame = frames.frame_of(column)
        if named is None:
            return frame
        missing = [str(name) for name in named if name not in frame]
        if missing:
            fields = ", ".join(map(str, frame.columns))
            message = (
                f"the estimator was fitted on a field {missing[0]!r}; the example has: {fields}"
            )
            raise ValueError(message)
        return frame[list(named)]
    if isinstance(column[0], str):
        return column.rows()
    if isinstance(column, Arrays):
        array = column.array.copy()
    else:
        array = np.stack([array_of(plain(example)) for example in column])
    if array.ndim == 1:
        array = array.reshape(-1, 1)
    if named is not None and array.ndim == 2 and array.shape[1] == len(named):
        import pandas as pd

        return pd.DataFrame(array, columns=named)
    return array


def python_batch(batch: Sequence[Any]) -> Any:
    """What a Python model is given, by what the examples are and not by what they are with.

    Numbers, arrays, tensors and lists of numbers are numpy rows: one array of those of one shape,
    a list of them otherwise. Anything else, a PIL image too, is in a list as it is.
    """
    column = pack(batch)
    if isinstance(column, Arrays):
        return column.array.copy()
    if isinstance(column, Tensors):
        return np.array(plain(column.tensor))
    examples = column.rows()
    rows = [_numbers(example) for example in examples]
    arrays = [row for row in rows if row is not None]
    if len(arrays) < len(rows) or not rows:
        return examples
    return arrays if len({array.shape for array in arrays}) > 1 else np.stack(arrays)


def _numbers(example: Any) -> np.ndarray[Any, Any] | None:
    """An example as an array, None for what holds no numbers."""
    example = plain(example)
    if not isinstance(example, (np.ndarray, np.generic, Number, list, tuple)):
        return None
    try:
        array = np.asarray(example)
    except ValueError:  # lists of unequal lengths
        return None
    return array if array.dtype.kind in "biufcmM" else None
