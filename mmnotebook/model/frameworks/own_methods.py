"""Methods of a torch module besides forward, and their inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmnotebook.elements.columns import Column, Records
from mmnotebook.elements.packing import pack
from mmnotebook.model import inputs
from mmnotebook.results.values import plain


def given(batch: Sequence[Any], model: Any, device: Any, method: str | None) -> Any:
    """Return the input of forward, or of the registered method, for a batch.

    The input consists of tensors, as returned by `inputs.torch_batch`. Methods other than forward
    receive texts and other objects as a list.

    Raises
    ------
    TypeError
        If the examples for forward are not numbers; the error suggests other methods.
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
    """Return examples that are texts or other objects as a list; None for numbers and records."""
    first = column[0]
    if isinstance(first, Mapping):
        return None
    try:
        kind = np.asarray(plain(first)).dtype.kind
    except ValueError:  # nested lists of unequal lengths
        return None
    return None if kind in "biufc" else list(column.rows())


def _remedy(model: Any) -> str:
    own = named_by(model)
    if not own:
        return (
            "preprocess= can convert it to numbers, "
            "or set method= to a method of the model that takes it"
        )
    choice = " or ".join(f'method="{name}"' for name in own[:3])
    return f"{choice} calls a method of the model with a list of such values"


def named_by(model: Any) -> list[str]:
    """List the public methods of a module that torch does not define."""
    classes = [cls for cls in type(model).__mro__ if cls.__module__.split(".")[0] != "torch"]
    held = [name for cls in classes for name, part in vars(cls).items() if callable(part)]
    torch_own = dir(next(cls for cls in type(model).__mro__ if cls not in classes))
    return [name for name in dict.fromkeys(held) if name[0] != "_" and name not in torch_own]
