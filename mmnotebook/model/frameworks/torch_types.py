"""Whole numbers for a torch module: as they are, or in its floating type, as its own call says.

What a module does with a type cannot be read from its layers: it may look ids up, ask for
`x.dtype`, or multiply by weights. It is called with whole numbers and truths as they are; only
when that call raises an error about types is it called with them in its floating type.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

_TYPES = re.compile(
    r"dtype|scalar type|data type|floating|not implemented for|unsigned char|long (long|int)"
    r"|\b(torch\.)?(cuda\.)?(U?Int|Long|Short|Char|Byte|Bool|Float|Double|Half|BFloat)"
    r"(8|16|32|64)?(Tensor)?(Type)?\b",
)
"""What torch's own errors about the types of tensors say."""
_MOST = 4
"""Of how many inputs of whole numbers every choice is tried."""

Path = tuple[str, ...]
Chosen = frozenset[Path]


class Casts:
    """Which inputs of whole numbers a loaded module takes in its floating type.

    Found by its first call with inputs of these names and types, and kept, so that no answer
    depends on the batch.
    """

    def __init__(self) -> None:
        self._chosen: dict[tuple[tuple[Path, str], ...], Chosen] = {}

    def call(self, call: Callable[[Any], Any], given: Any, dtype: torch.dtype) -> Any:
        """What a module returns.

        Parameters
        ----------
        call
            Calls it with a tensor, or with a dict of tensors.
        dtype
            Its floating type.
        """
        kinds = tuple((path, str(part.dtype)) for path, part in _whole(given))
        if not kinds:
            return call(given)
        if kinds in self._chosen:
            return call(_cast(given, self._chosen[kinds], dtype))
        made, self._chosen[kinds] = _found(call, given, [path for path, _ in kinds], dtype)
        return made


def float_type(model: Any) -> torch.dtype:
    """The floating type of a module: of its weights, or torch's own where it has none."""
    floats = (one.dtype for one in model.parameters() if one.is_floating_point())
    return next(floats, torch.get_default_dtype())


def _found(
    call: Callable[[Any], Any], given: Any, paths: list[Path], dtype: torch.dtype
) -> tuple[Any, Chosen]:
    """What a module returns, with the fewest inputs cast that it takes."""
    # A call that fails may have changed what it was given.
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
    """Some inputs, the fewest first; of many those of one, all but one, and all."""
    count = len(paths)
    sizes = range(1, count + 1) if count <= _MOST else (1, count - 1, count)
    for size in sizes:
        yield from map(frozenset, itertools.combinations(paths, size))


class NotHeldError(ValueError):
    """Whole numbers that a floating type cannot hold."""


def _cast(given: Any, chosen: Chosen, dtype: torch.dtype, path: Path = ()) -> Any:
    if isinstance(given, Mapping):
        return {n: _cast(part, chosen, dtype, (*path, n)) for n, part in given.items()}
    return _exactly(given, dtype) if path in chosen else given


def _exactly(whole: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Whole numbers in a floating type that holds them as they are."""
    made = whole.to(dtype)
    if whole.dtype == torch.bool:
        return made
    lost = made.to(whole.dtype) != whole
    if bool(lost.any()):
        value = whole[lost].reshape(-1)[0].item()
        raise NotHeldError(
            f"the module takes {str(dtype).removeprefix('torch.')}, which cannot hold the whole "
            f"number {value}; preprocess= can bring it to a number that it holds"
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
