"""Integers and booleans as inputs of a torch module: unchanged, or in its floating-point dtype.

The dtypes that a module accepts cannot be read from its layers: the module may use integers as ids,
check `x.dtype`, or multiply integers by weights. The module is first called with integers and
booleans unchanged. If this call raises an error about types, the module is called again with values
in its floating-point dtype.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from mmnotebook.model import inputs

_TYPES = re.compile(
    r"dtype|scalar type|data type|floating|not implemented for|unsigned char|long (long|int)"
    r"|\b(torch\.)?(cuda\.)?(U?Int|Long|Short|Char|Byte|Bool|Float|Double|Half|BFloat)"
    r"(8|16|32|64)?(Tensor)?(Type)?\b",
)
"""A pattern for the messages of torch errors about the types of tensors."""
_MOST = 4
"""The maximum number of integer inputs for which all combinations are tried."""

Path = tuple[str, ...]
Chosen = frozenset[Path]


class Casts:
    """The integer inputs that a loaded module accepts only in its floating-point dtype.

    They are determined in the first call with inputs of the same names and types, and then kept, so
    that no output depends on the batch.
    """

    def __init__(self) -> None:
        self._chosen: dict[tuple[tuple[Path, str], ...], Chosen] = {}

    def call(self, call: Callable[[Any], Any], given: Any, model: Any) -> Any:
        """Call a module and return its output.

        Parameters
        ----------
        call
            Calls the module with a tensor, or with a dict of tensors.
        given
            The tensor, or the dict.
        model
            The module, which has a floating-point dtype.
        """
        kinds = tuple((path, str(part.dtype)) for path, part in _whole(given))
        if not kinds:
            return call(given)
        dtype = inputs.float_type(model) or torch.get_default_dtype()
        if kinds in self._chosen:
            return call(_cast(given, self._chosen[kinds], dtype))
        made, self._chosen[kinds] = _found(call, given, [path for path, _ in kinds], dtype)
        return made


def _found(
    call: Callable[[Any], Any], given: Any, paths: list[Path], dtype: torch.dtype
) -> tuple[Any, Chosen]:
    """Return the output of a module, and the paths of the few inputs that had to be converted."""
    # Pass a copy in each call: a failed call may have changed its inputs.
    try:
        return call(_copied(given)), frozenset()
    except Exception as error:
        if _TYPES.search(str(error)) is None:
            raise
        first = error
    unheld: ValueError | None = None
    for chosen in _choices(paths):
        try:
            return call(_cast(_copied(given), chosen, dtype)), chosen
        except NotHeldError as error:
            unheld = error
        except Exception as error:
            if _TYPES.search(str(error)) is None:
                raise
    raise unheld or first


def _choices(paths: list[Path]) -> Iterator[Chosen]:
    """Yield sets of inputs, small sets first; for many inputs, only sets of 1, n - 1 and n."""
    count = len(paths)
    sizes = range(1, count + 1) if count <= _MOST else (1, count - 1, count)
    for size in sizes:
        yield from map(frozenset, itertools.combinations(paths, size))


class NotHeldError(ValueError):
    """A floating-point dtype cannot represent an integer."""


def _cast(given: Any, chosen: Chosen, dtype: torch.dtype, path: Path = ()) -> Any:
    if isinstance(given, Mapping):
        return {n: _cast(part, chosen, dtype, (*path, n)) for n, part in given.items()}
    return _exactly(given, dtype) if path in chosen else given


def _exactly(whole: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Convert integers to a floating-point dtype; raise an error if a value would change."""
    made = whole.to(dtype)
    if whole.dtype == torch.bool:
        return made
    lost = made.to(whole.dtype) != whole
    if bool(lost.any()):
        value = whole[lost].reshape(-1)[0].item()
        raise NotHeldError(
            f"the module takes {str(dtype).removeprefix('torch.')}, which cannot represent the "
            f"integer {value}; preprocess= can convert it"
        )
    return made


def _whole(given: Any, path: Path = ()) -> Iterator[tuple[Path, torch.Tensor]]:
    if isinstance(given, Mapping):
        for name, part in given.items():
            yield from _whole(part, (*path, name))
    elif isinstance(given, torch.Tensor) and not (given.is_floating_point() or given.is_complex()):
        yield path, given


def _copied(given: Any) -> Any:
    if isinstance(given, Mapping):
        return {name: _copied(part) for name, part in given.items()}
    return given.clone() if isinstance(given, torch.Tensor) else given
