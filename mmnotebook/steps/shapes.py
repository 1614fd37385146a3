"""The fields of data, as far as they are known without reading all data."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mmnotebook.graph.names import is_a

Shape = Mapping[str, Any] | None
"""The fields of a value, each with its shape; {} for a value without fields, None if unknown."""

MOST = 100_000
"""The maximum number of values that are inspected; the shape of more values is unknown."""
_FRAME = {("pandas", "DataFrame")}
_NUMBERS = {("numpy", "ndarray"), ("torch", "Tensor")}


class RecordFields(Mapping[str, Any]):
    """The fields of records, each with its shape. A shape is computed on access.

    Parameters
    ----------
    names
        The names of the fields.
    shape
        Returns the shape of the field with this name.
    """

    def __init__(self, names: Iterable[str], shape: Callable[[str], Shape]) -> None:
        self._names, self._shape = dict.fromkeys(names), shape

    def __getitem__(self, name: str) -> Shape:
        if name not in self._names:
            raise KeyError(name)
        return self._shape(name)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def of_data(value: Any) -> Shape:
    """Return the shape of the elements of data: a DataFrame, a list, an array or a tensor."""
    if is_a(value, _FRAME):
        names = [str(column) for column in value.columns]
        return RecordFields(names, lambda name: _of_cells(value.iloc[:, names.index(name)]))
    if is_a(value, _NUMBERS):
        dtype = getattr(value, "dtype", None)
        if getattr(dtype, "hasobject", False):
            return None
        return {name: {} for name in getattr(dtype, "names", None) or ()}
    return of_values(value) if type(value) is list else None


def _of_cells(series: Any) -> Shape:
    if getattr(series.dtype, "kind", "O") != "O":
        return {}
    return of_values(list(series)) if len(series) <= MOST else None


def of_values(values: Sequence[Any]) -> Shape:
    """Return the common shape of values.

    None for no values, more than `MOST` values, or records with different fields.
    """
    kinds = set(map(type, values)) if len(values) <= MOST else set()
    if kinds and not any(issubclass(kind, Mapping) for kind in kinds):
        return {}
    if not kinds or not all(issubclass(kind, dict) for kind in kinds):
        return None
    if len({frozenset(value) for value in values}) > 1:
        return None
    names = {str(name): name for name in values[0]}
    return RecordFields(names, lambda name: of_values([value[names[name]] for value in values]))


def together(shapes: Sequence[Shape]) -> Shape:
    """Return the combined shape of values that have different shapes."""
    known = [shape for shape in shapes if shape is not None]
    if not known or len(known) < len(shapes):
        return None
    names = dict.fromkeys(itertools.chain.from_iterable(known))
    return RecordFields(
        names, lambda name: together([shape[name] for shape in known if name in shape])
    )
