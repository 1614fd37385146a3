"""The methods of a torch module's own, beside forward: what they are, and what they are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmnotebook.elements.columns import Column, Records
from mmnotebook.elements.packing import pack
from mmnotebook.model import inputs
from mmnotebook.results.values import plain


def given(batch: Sequence[Any], model: Any, device: Any, method: str | None) -> Any:
    """What forward, or the method that `register` names, is given for a batch.

    Tensors, as `inputs.torch_batch` makes them; but a named method is given texts and other
    objects as the list that they are, in place of a tensor.

    Raises
    ------
    TypeError
        When forward is to be given what is no number, with the methods that may take it.
    """
    column = pack(batch)
    if method is None:
        try:
            return inputs.torch_batch(column, model, device)
        except inputs.NoNumbersError as error:
            raise TypeError(f"{error}; {_remedy(model)}") from error
    if isinstance(column, Records):
        parts = column.columns.items()
        return {name: given(part, model, device, method) for name, part in parts}
    texts = as_list(column)
    return inputs.torch_batch(column, model, device) if texts is None else texts


def as_list(column: Column) -> list[Any] | None:
    """Examples that are texts or other objects; None for numbers, and for records."""
    first = column[0]
    if isinstance(first, Mapping):
        return None
    try:
        kind = np.asarray(plain(first)).dtype.kind
    except ValueError:  # a list of lists of unequal lengths
        return None
    return None if kind in "biufc" else list(column.rows())


def _remedy(model: Any) -> str:
    own = named_by(model)
    if not own:
        return "preprocess= makes numbers of it, or method= names a method of its own that takes it"
    choice = " or ".join(f'method="{name}"' for name in own[:3])
    return f"{choice} calls a method of its own with a list of such"


def named_by(model: Any) -> list[str]:
    """The public methods that the classes of a module add to those of torch."""
    classes = [cls for cls in type(model).__mro__ if cls.__module__.split(".")[0] != "torch"]
    held = [name for cls in classes for name, part in vars(cls).items() if callable(part)]
    torch_own = dir(next(cls for cls in type(model).__mro__ if cls not in classes))
    return [name for name in dict.fromkeys(held) if name[0] != "_" and name not in torch_own]
