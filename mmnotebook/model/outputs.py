"""Conversion of the return value of a model to one output per element."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mmnotebook.elements.columns import Arrays, Column, Objects, Records, Tensors, Tuples
from mmnotebook.elements.packing import pack
from mmnotebook.elements.user_code import ENDS_RUN
from mmnotebook.graph.names import is_a
from mmnotebook.model import layouts
from mmnotebook.model.layouts import (
    Axes,
    Each,
    Layout,
    Left,
    NamedOutputs,
    OutputRows,
    WrongOutputsError,
    is_array,
)
from mmnotebook.results.values import plain

_AS_ARRAYS = (torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128)
"""The dtypes that NumPy has too, and that may contain NaN or infinity."""


def rows(made: Any, count: int, layout: Layout | None = None) -> Column:
    """Return the outputs of a batch, one per element, on the CPU.

    Parameters
    ----------
    made
        The return value of the model: an array, tensor, list or frame, or several of these in a
        dict, tuple, list or dataclass.
    count
        The number of elements in the batch.
    layout
        The position of each element in `made`; None determines it from this batch, without proof.

    Raises
    ------
    WrongOutputsError
        If `made` does not match the layout.

    Examples
    --------
    >>> rows({"label": ["a", "b"], "loss": 0.1}, 2).rows()
    [{'label': 'a'}, {'label': 'b'}]
    """
    if layout is None:
        found = layouts.fits(made, count)
        if not found:
            raise WrongOutputsError(f"returned {layouts.words(made)} for a batch of {count}")
        layout = found[0]
    return _rows(made, count, layout)


def whole(made: Any) -> Column:
    """Return the return value of a model for a single element as the output of this element."""
    return pack([_taken(_plain(made))])


def _rows(made: Any, count: int, layout: Layout) -> Column:
    if isinstance(layout, NamedOutputs):
        return _fields(made, count, layout)
    if not isinstance(layout, OutputRows) or made is None:
        raise _misfit(made, count)
    axis = min(layout.axes)
    if axis == 0 and type(made) is torch.Tensor and not made.is_nested and len(made) == count:
        return _tensors(made.detach())  # the common case, without the checks for other types
    made = _plain(made)
    shape = layouts.shape_of(made)
    sizes = shape if shape is not None else (len(made),) if hasattr(made, "__len__") else ()
    if axis >= len(sizes) or sizes[axis] != count or (axis and not is_array(made)):
        raise _misfit(made, count)
    return _column(_moved(made, axis))


def _fields(made: Any, count: int, layout: NamedOutputs) -> Column:
    found = layouts.parts_of(_plain(made))
    if found is None or tuple(found[1]) != layout.names:
        raise _misfit(made, count)
    parts = zip(found[1].items(), layout.parts, strict=True)
    kept = {name: _rows(part, count, where) for (name, part), where in parts if not _is_left(where)}
    named = hasattr(layout.kind, "_fields")
    if layout.kind is dict or (named and len(kept) < len(layout.names)):
        return _records(kept)
    if len(kept) == 1 < len(layout.names):
        return next(iter(kept.values()))
    return Tuples(layout.kind if named else tuple, tuple(kept.values()))


def _records(kept: dict[Any, Column]) -> Column:
    """Return a dict for each element, with the keys that the model returned."""
    if all(type(name) is str for name in kept):
        return Records(kept)
    whole = zip(*(column.rows() for column in kept.values()), strict=True)
    return Objects([dict(zip(kept, row, strict=True)) for row in whole])


def _is_left(layout: Layout) -> bool:
    if isinstance(layout, NamedOutputs):
        return all(map(_is_left, layout.parts))
    return isinstance(layout, Left)


def _misfit(made: Any, count: int) -> WrongOutputsError:
    return WrongOutputsError(f"returned {layouts.words(made)} for a batch of {count}")


def _plain(made: Any) -> Any:
    """Return outputs that can be split: dense, without a mask, in the order of the batch."""
    if hasattr(type(made), "toarray"):  # a sparse matrix of SciPy, as returned by vectorizers
        return made.toarray()
    if np.ma.isMaskedArray(made):
        return made.filled(np.nan) if made.dtype.kind in "fc" else made.tolist()
    if is_a(made, {("pandas", "Series"), ("pandas", "DataFrame")}):
        return _in_order(made)
    return made


def _in_order(table: Any) -> Any:
    """Sort a table whose index is a permutation of the batch's rows."""
    index = table.index
    if index.dtype.kind not in "iu" or index.is_monotonic_increasing or not index.is_unique:
        return table
    return table.sort_index() if index.min() == 0 and index.max() == len(index) - 1 else table


def _moved(made: Any, axis: int) -> Any:
    if not axis:
        return made
    return made.movedim(axis, 0) if isinstance(made, torch.Tensor) else np.moveaxis(made, axis, 0)


def _column(made: Any) -> Column:
    """Return a copy of outputs as a column: the model may reuse their memory in its next call."""
    if isinstance(made, torch.Tensor):
        return _tensors(made.detach())
    if is_a(made, {("pandas", "Series")}) and isinstance(made.dtype, np.dtype):
        made = made.to_numpy()
    if isinstance(made, np.ndarray) and made.dtype.kind in "biufcmM":
        return Arrays(np.array(made, subok=False))
    return pack(list(made) if isinstance(made, Each) else [_taken(output) for output in made])


def _tensors(tensor: torch.Tensor) -> Column:
    if tensor.is_nested:
        return pack([part.cpu().clone() for part in tensor.unbind(0)])
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout not in (torch.strided, torch.sparse_coo):
        tensor = tensor.to_dense()
    tensor = tensor.cpu() if tensor.device.type != "cpu" else tensor.clone()
    plain_one = not (tensor.is_sparse or tensor.is_conj())
    return Tensors(tensor) if plain_one else Objects(list(tensor.unbind(0)))


def _taken(output: Any) -> Any:
    """Copy one output, to the CPU; return the error if it cannot be copied."""
    try:
        return _kept(output)
    except ENDS_RUN:
        raise
    except BaseException as error:  # noqa: BLE001 - an object of the user's class
        return error


def _kept(output: Any) -> Any:
    """Copy all parts that the model could change later: arrays, tensors, lists and records."""
    if isinstance(output, torch.Tensor):
        return output.detach().cpu().clone()
    kind = type(output)
    if kind is list:
        plain_one = bool(output) and type(output[0]) in (str, bytes, int, float)
        return list(output) if plain_one else [_kept(part) for part in output]
    if isinstance(output, Mapping) and not isinstance(output, dict):
        return {name: _kept(part) for name, part in output.items()}
    if kind is dict:
        return {name: _kept(part) for name, part in output.items()}
    if isinstance(output, tuple):
        parts = map(_kept, output)
        return kind._make(parts) if hasattr(kind, "_make") else tuple(parts)
    return output.copy() if kind is np.ndarray else output


def listed(results: Any, of: Any) -> Any:
    """Return a list of `of(result)` for each result; return one array, record or text unchanged."""
    one = is_array(results) or isinstance(results, (Mapping, str, bytes, Column))
    one = one or is_a(results, {("pandas", "DataFrame")})
    if one or not isinstance(results, Iterable):
        return results
    return [of(result) for result in results]


def not_finite(column: Sequence[Any]) -> int:
    """Return how many outputs contain NaN or infinity."""
    bad = _not_finite(column)
    return 0 if bad is None else int(np.count_nonzero(bad))


def _not_finite(column: Sequence[Any]) -> np.ndarray[Any, Any] | None:
    """Return whether each output contains NaN or infinity; None if no output does."""
    if isinstance(column, Arrays):
        array = column.array
        if array.dtype.kind not in "fc":
            return None
        finite = np.isfinite(array)
        return None if finite.all() else ~finite.reshape(len(array), -1).all(axis=1)
    if isinstance(column, Tensors):
        tensor = column.tensor
        if not (tensor.is_floating_point() or tensor.is_complex()) or not len(tensor):
            return None
        if tensor.dtype in _AS_ARRAYS:  # NumPy checks a small array ten times as fast
            return _not_finite(Arrays(tensor.numpy(force=True)))
        flat = tensor.reshape(len(tensor), -1)
        flat = flat.float() if tensor.itemsize == 1 else flat  # for isfinite()
        return np.asarray(~flat.isfinite().all(dim=1))
    if isinstance(column, (Records, Tuples)):
        parts = column.columns.values() if isinstance(column, Records) else column.columns
        found = [bad for part in parts if (bad := _not_finite(part)) is not None]
        return np.logical_or.reduce(found) if found else None
    if isinstance(column, Objects):
        return np.array([_is_not_finite(value) for value in column.values], dtype=bool)
    return None


def _is_not_finite(value: Any, depth: int = 0) -> bool:
    """Return whether a value contains NaN or infinity, without calling any user code."""
    if isinstance(value, (float, complex, np.inexact)):
        return not np.isfinite(value)
    if depth > _DEPTH:
        return False
    if isinstance(value, (dict, list, tuple)):
        items = list(value.values() if isinstance(value, dict) else value)
        if all(type(item) is float for item in items):
            return not np.isfinite(items).all()
        return any(_is_not_finite(item, depth + 1) for item in items)
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return any(_is_not_finite(item, depth + 1) for item in value.flat)
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fc" and not np.isfinite(value).all()
    if isinstance(value, torch.Tensor) and value.layout == torch.strided:
        plain_one = value.is_floating_point() or value.is_complex()
        return plain_one and not bool(value.isfinite().all())
    return False


_DEPTH = 20
"""The maximum depth of nested values that is searched."""


def argmax(output: Any) -> int:
    """Return the position of the highest score in the output for one element."""
    scores = np.asarray(plain(output))
    if scores.ndim != 1:
        raise ValueError(f"argmax takes one row of scores; the output has shape {scores.shape}")
    return int(scores.argmax())


__all__ = ["Axes", "Each", "WrongOutputsError", "argmax", "listed", "not_finite", "rows", "whole"]
