"""Columns of values: stacked arrays and tensors, and records by field.

`packing.pack` chooses the class of a column. `Column.rows` returns values that are equal to the
packed values and have the same types.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
import torch


class Column(Sequence[Any]):
    """The values of several elements, in order.

    Attributes
    ----------
    nbytes
        The approximate size in bytes, computed without reading each value.
    """

    nbytes: int

    @abstractmethod
    def rows(self) -> list[Any]:
        """Return the values as a list; arrays and tensors in it are views of the column."""

    @abstractmethod
    def take(self, places: Sequence[int]) -> Column:
        """Return the values at these positions."""

    @abstractmethod
    def part(self, start: int, stop: int) -> Column:
        """Return the values from `start` to before `stop`."""

    def field(self, name: str) -> Column | None:
        """Return a field of every value; None unless all values are records with this field."""
        return None

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> Column: ...

    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return self.take(range(*place.indices(len(self))))
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        place %= len(self)
        return self.part(place, place + 1).rows()[0]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows())


@dataclass(eq=False)
class Objects(Column):
    """Values of any kind, as a list."""

    values: list[Any]

    def __post_init__(self) -> None:
        step = max(1, len(self.values) // 16)
        self.nbytes = sum(map(size_of, self.values[::step])) * step

    def __len__(self) -> int:
        return len(self.values)

    def rows(self) -> list[Any]:
        return self.values

    def take(self, places: Sequence[int]) -> Column:
        return Objects([self.values[place] for place in places])

    def part(self, start: int, stop: int) -> Column:
        return Objects(self.values[start:stop])


@dataclass(eq=False)
class Arrays(Column):
    """NumPy arrays of one shape and dtype, stacked; NumPy scalars as a one-dimensional array."""

    array: np.ndarray[Any, Any]

    def __post_init__(self) -> None:
        self.nbytes = int(self.array.nbytes)

    def __len__(self) -> int:
        return len(self.array)

    def rows(self) -> list[Any]:
        return list(self.array)

    def take(self, places: Sequence[int]) -> Column:
        return type(self)(self.array[np.asarray(places, dtype=np.intp)])

    def part(self, start: int, stop: int) -> Column:
        return type(self)(self.array[start:stop])

    def field(self, name: str) -> Column | None:
        return Arrays(self.array[name]) if name in (self.array.dtype.names or ()) else None


class Numbers(Arrays):
    """Python numbers of one type: bool, int or float."""

    def rows(self) -> list[Any]:
        return self.array.tolist()  # type: ignore[no-any-return]


@dataclass(eq=False)
class Tensors(Column):
    """Tensors on the CPU with one shape and dtype, stacked."""

    tensor: torch.Tensor

    def __post_init__(self) -> None:
        self.nbytes = self.tensor.nbytes

    def __len__(self) -> int:
        return len(self.tensor)

    def rows(self) -> list[Any]:
        return list(self.tensor.unbind(0))

    def take(self, places: Sequence[int]) -> Column:
        return Tensors(self.tensor[torch.as_tensor(list(places), dtype=torch.long)])

    def part(self, start: int, stop: int) -> Column:
        return Tensors(self.tensor[start:stop])


@dataclass(eq=False)
class Same(Column):
    """One value that all elements share."""

    value: Any
    length: int

    def __post_init__(self) -> None:
        self.nbytes = size_of(self.value)

    def __len__(self) -> int:
        return self.length

    def rows(self) -> list[Any]:
        return [self.value] * self.length

    def take(self, places: Sequence[int]) -> Column:
        return Same(self.value, len(places))

    def part(self, start: int, stop: int) -> Column:
        return Same(self.value, len(range(self.length)[start:stop]))


@dataclass(eq=False)
class Records(Column):
    """Dicts with the same fields in the same order, a column per field.

    Attributes
    ----------
    columns
        The columns by field.
    dtypes
        The pandas dtypes, by field, of the fields that were read from a DataFrame.
    """

    columns: dict[str, Column]
    dtypes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.nbytes = sum(column.nbytes for column in self.columns.values())

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def rows(self) -> list[Any]:
        return list(self.joined(zip(*(one.rows() for one in self.columns.values()), strict=True)))

    def joined(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
        """Yield the values of the fields of each element as a record."""
        names = tuple(self.columns)
        return (dict(zip(names, row, strict=True)) for row in rows)

    def take(self, places: Sequence[int]) -> Column:
        return self.having({name: column.take(places) for name, column in self.columns.items()})

    def part(self, start: int, stop: int) -> Column:
        return self.having({n: column.part(start, stop) for n, column in self.columns.items()})

    def having(self, columns: dict[str, Column]) -> Records:
        """Return records with the same fields and other columns."""
        return Records(columns, self.dtypes)

    def field(self, name: str) -> Column | None:
        return self.columns.get(name)

    def alone(self, name: str) -> Column:
        """Return the values of one field, as `Cells` if pandas would infer another dtype."""
        dtype = self.dtypes.get(name)
        known = dtype is None or (isinstance(dtype, np.dtype) and dtype.str[1:] in _OWN)
        return self.columns[name] if known else Cells(self.columns[name], dtype)


_OWN = ("b1", "i8", "f8", "O")
"""The dtypes that pandas infers for Python's bools, numbers and other objects."""


@dataclass(eq=False)
class Cells(Column):
    """The values of a single field, with the pandas dtype of the field in its DataFrame."""

    cells: Column
    dtype: Any

    def __post_init__(self) -> None:
        self.nbytes = self.cells.nbytes

    def __len__(self) -> int:
        return len(self.cells)

    def rows(self) -> list[Any]:
        return self.cells.rows()

    def take(self, places: Sequence[int]) -> Column:
        return Cells(self.cells.take(places), self.dtype)

    def part(self, start: int, stop: int) -> Column:
        return Cells(self.cells.part(start, stop), self.dtype)

    def field(self, name: str) -> Column | None:
        return self.cells.field(name)


@dataclass(eq=False)
class Tuples(Column):
    """Tuples of one class and length, such as predictions, with a column per item."""

    kind: type
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        self.nbytes = sum(column.nbytes for column in self.columns)

    def __len__(self) -> int:
        return len(self.columns[0])

    def rows(self) -> list[Any]:
        return list(self.joined(zip(*(column.rows() for column in self.columns), strict=True)))

    def joined(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """Yield the items of each element as a tuple of the elements' class."""
        make: Callable[[Any], Any] = getattr(self.kind, "_make", tuple)
        return map(make, rows)

    def take(self, places: Sequence[int]) -> Column:
        return Tuples(self.kind, tuple(column.take(places) for column in self.columns))

    def part(self, start: int, stop: int) -> Column:
        return Tuples(self.kind, tuple(column.part(start, stop) for column in self.columns))


class SelectedFields(dict[str, Any]):
    """Several selected fields of one element, before they are packed as `Selected`."""


@dataclass(eq=False)
class Selected(Column):
    """Several selected fields of each value.

    A function receives the fields as one NumPy row. A model with input names receives the fields by
    name.

    Attributes
    ----------
    records
        The fields by name, in the order in which they were selected.
    """

    records: Column

    def __post_init__(self) -> None:
        self.nbytes = self.records.nbytes

    def __len__(self) -> int:
        return len(self.records)

    def rows(self) -> list[Any]:
        whole = self._stacked()
        return [row_of(one.values()) for one in self.fields()] if whole is None else list(whole)

    def fields(self) -> list[SelectedFields]:
        """Return the values as records."""
        return list(map(SelectedFields, self.records.rows()))

    def stacked(self) -> Column:
        """Return the NumPy rows: stacked into one array if possible, otherwise as a list."""
        whole = self._stacked()
        return Objects(self.rows()) if whole is None else Arrays(whole)

    def _stacked(self) -> np.ndarray[Any, Any] | None:
        parts = self.records.columns.values() if isinstance(self.records, Records) else ()
        arrays = [part.array for part in parts if isinstance(part, Arrays)]
        fits = bool(parts) and len(arrays) == len(parts)
        if not fits or len({a.shape for a in arrays}) > 1 or any(_is_time(a) for a in arrays):
            return None
        return np.stack(arrays, axis=1)

    def take(self, places: Sequence[int]) -> Column:
        return Selected(self.records.take(places))

    def part(self, start: int, stop: int) -> Column:
        return Selected(self.records.part(start, stop))

    def field(self, name: str) -> Column | None:
        return self.records.field(name)


def _is_time(array: np.ndarray[Any, Any]) -> bool:
    return array.dtype.kind in "mM"


def row_of(fields: Iterable[Any]) -> np.ndarray[Any, Any]:
    """Return a NumPy array of several fields; numbers and strings are not converted."""
    values = list(fields)
    texts = [next((k for k in (str, bytes) if isinstance(one, k)), None) for one in values]
    if len(set(texts)) <= 1:
        try:
            return np.array(values)
        except ValueError:  # arrays of unequal shapes
            pass
    row = np.empty(len(values), dtype=object)
    row[:] = values
    return row


def size_of(value: Any) -> int:
    """Estimate the bytes of a value, two levels deep; equal values have equal sizes."""
    try:
        return _size(value)
    except Exception:  # noqa: BLE001 - an object of another package can raise anything
        return 64


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return 64 + sum(map(_flat_size, value.values()))
    if isinstance(value, (list, tuple)):
        return 64 + sum(map(_flat_size, value))
    return _flat_size(value)


def _flat_size(value: Any) -> int:
    if isinstance(value, (str, bytes, bytearray)):
        return 64 + len(value)
    if isinstance(value, torch.Tensor):  # a sparse tensor has no `nbytes`
        return 64 + value.numel() * value.element_size()
    if isinstance(value, (dict, list, tuple)):
        return 64 + 16 * len(value)
    size = getattr(value, "nbytes", None)
    return 64 + size if isinstance(size, int) else 64
