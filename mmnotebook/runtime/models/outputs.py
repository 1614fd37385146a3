"""What a model returns for a batch, as one output per example."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mmnotebook.analysis.values import plain
from mmnotebook.errors import shown
from mmnotebook.graph.names import is_a
from mmnotebook.runtime.blocks.columns import Arrays, Column, Objects, Records, Tensors, Tuples
from mmnotebook.runtime.blocks.packing import pack


class WrongOutputsError(ValueError):
    """What a model gave for a batch is not one output per example."""


class SingleNumberError(WrongOutputsError):
    """A model gave one number for a whole batch."""


def rows(outputs: Any, count: int) -> Column:
    """A batch's outputs, one per example: of a tensor, a dict or tuple of tensors, or a list.

    Raises
    ------
    WrongOutputsError
        When there is another number of outputs than of examples. Beam would pair them up as far
        as they go.
    """
    if isinstance(outputs, Mapping) and outputs:
        return Records({str(name): _part(name, part, count) for name, part in outputs.items()})
    if is_a(outputs, {("pandas", "DataFrame")}):
        return rows({name: outputs[name].to_numpy() for name in outputs.columns}, count)
    if isinstance(outputs, tuple) and outputs:
        return Tuples(tuple, tuple(_part(n, part, count) for n, part in enumerate(outputs)))
    if hasattr(outputs, "detach"):
        outputs = outputs.detach().cpu()
    if getattr(outputs, "shape", None) == ():
        raise SingleNumberError(f"gave a single number for a batch of {count}")
    if hasattr(outputs, "detach"):
        return _counted(_tensors(outputs), count)
    if isinstance(outputs, np.ndarray) and outputs.dtype.kind in "biufcmM":
        return _counted(Arrays(outputs), count)
    if isinstance(outputs, (str, bytes)) or not isinstance(outputs, Iterable):
        raise WrongOutputsError(f"gave {shown(outputs)} for a batch of {count}")
    return _counted(pack([_on_cpu(output) for output in outputs]), count)


def _part(name: Any, part: Any, count: int) -> Column:
    try:
        return rows(part, count)
    except WrongOutputsError as error:
        raise WrongOutputsError(f"{error} as its output {name!r}") from None


def _tensors(outputs: Any) -> Column:
    plain_one = not (outputs.is_sparse or outputs.is_quantized or outputs.is_conj())
    return Tensors(outputs) if plain_one else Objects(list(outputs.unbind(0)))


def _on_cpu(output: Any) -> Any:
    """One output, such as a detection model's dict of tensors, off the GPU."""
    if hasattr(output, "detach"):
        return output.detach().cpu()
    if isinstance(output, Mapping):
        return {name: _on_cpu(part) for name, part in output.items()}
    return output


def _counted(outputs: Column, count: int) -> Column:
    if len(outputs) != count:
        plural = "s" * (len(outputs) != 1)
        raise WrongOutputsError(f"gave {len(outputs)} output{plural} for a batch of {count}")
    return outputs


def argmax(output: Any) -> int:
    """The position of the highest of one example's scores."""
    scores = np.asarray(plain(output))
    if scores.ndim != 1:
        raise ValueError(f"argmax takes one row of scores; the output has shape {scores.shape}")
    return int(scores.argmax())
