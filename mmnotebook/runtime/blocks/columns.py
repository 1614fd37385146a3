"""Values of many elements held together: arrays and tensors stacked, records field by field.

`pack` chooses the form; `Column.rows` gives back equal values of the same types.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch


class Column(Sequence[Any]):
    """The values of several elements, in order.

    Attributes
    ----------
    nbytes
        About how many bytes they take; known without looking at each.
    """

    nbytes: int

    @abstractmethod
    def rows(self) -> list[Any]:
        """The values as a list. Arrays and tensors in it are views of the column."""

    @abstractmethod
    def take(self, places: Sequence[int]) -> Column:
        """The values at these places."""

    @abstractmethod
    def part(self, start: int, stop: int) -> Column:
        """The values from `start` to before `stop`."""

    def field(self, name: str) -> Column | None:
        """That field of every value; None when not all are records that have it."""
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
    """Equal numpy arrays as one, a row each; numpy scalars as an array of one dimension."""

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


class Numbers(Arrays):
    """Python's own numbers of one type: bool, int or float."""

    def rows(self) -> list[Any]:
        return self.array.tolist()  # type: ignore[no-any-return]


@dataclass(eq=False)
class Tensors(Column):
    """Equal tensors on the CPU as one, a row each."""

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
    """One value for all."""

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
    """Dicts with the same fields in the same order, a column per field."""

    columns: dict[str, Column]

    def __post_init__(self) -> None:
        self.nbytes = sum(column.nbytes for column in self.columns.values())

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def rows(self) -> list[Any]:
        names = tuple(self.columns)
        whole = zip(*(column.rows() for column in self.columns.values()), strict=True)
        return [dict(zip(names, row, strict=True)) for row in whole]

    def take(self, places: Sequence[int]) -> Column:
        return Records({name: column.take(places) for name, column in self.columns.items()})

    def part(self, start: int, stop: int) -> Column:
        return Records({name: column.part(start, stop) for name, column in self.columns.items()})

    def field(self, name: str) -> Column | None:
        return self.columns.get(name)


@dataclass(eq=False)
class Tuples(Column):
    """Tuples of one class and length, predictions among them, a column per item."""

    kind: type
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        self.nbytes = sum(column.nbytes for column in self.columns)

    def __len__(self) -> int:
        return len(self.columns[0])

    def rows(self) -> list[Any]:
        whole = zip(*(column.rows() for column in self.columns), strict=True)
        make: Callable[[Any], Any] = getattr(self.kind, "_make", tuple)
        return list(map(make, whole))

    def take(self, places: Sequence[int]) -> Column:
        return Tuples(self.kind, tuple(column.take(places) for column in self.columns))

    def part(self, start: int, stop: int) -> Column:
        return Tuples(self.kind, tuple(column.part(start, stop) for column in self.columns))


def pack(values: Sequence[Any]) -> Column:
    """Values as the column that holds them best; a column as it is."""
    if isinstance(values, Column):
        return values
    rows = list(values)
    kinds = set(map(type, rows))
    column = _packed(kinds.pop(), rows) if len(kinds) == 1 else None
    return Objects(rows) if column is None else column


def concat(columns: Sequence[Column]) -> Column:
    """The values of several columns, one after the other."""
    parts = [column for column in columns if len(column)] or list(columns[:1])
    if len(parts) == 1:
        return parts[0]
    joined = _joined(parts[0], parts) if len({*map(type, parts)}) == 1 else None
    if joined is None:
        return pack(list(itertools.chain.from_iterable(part.rows() for part in parts)))
    return joined


def _joined(first: Column, parts: Sequence[Any]) -> Column | None:
    """Columns of one class as one, None where they do not fit."""
    if isinstance(first, Arrays):
        if len({(p.array.dtype, p.array.dtype.num, p.array.shape[1:]) for p in parts}) == 1:
            return type(first)(np.concatenate([p.array for p in parts]))
    elif isinstance(first, Tensors):
        if len({(p.tensor.dtype, p.tensor.shape[1:]) for p in parts}) == 1:
            return Tensors(torch.cat([p.tensor for p in parts]))
    elif isinstance(first, Records):
        if len({tuple(p.columns) for p in parts}) == 1:
            return Records({n: concat([p.columns[n] for p in parts]) for n in first.columns})
    elif isinstance(first, Tuples):
        if len({(p.kind, len(p.columns)) for p in parts}) == 1:
            whole = zip(*(p.columns for p in parts), strict=True)
            return Tuples(first.kind, tuple(map(concat, whole)))
    elif isinstance(first, Same) and all(p.value is first.value for p in parts):
        return Same(first.value, sum(map(len, parts)))
    return None


def _packed(kind: type, rows: list[Any]) -> Column | None:
    """Rows of one type as a column better than a list, None where there is none."""
    if kind in _NUMBERS:
        return _numbers(rows, _NUMBERS[kind])
    if kind is type(None):
        return Same(None, len(rows))
    if kind is np.ndarray or issubclass(kind, np.generic):
        return _arrays(kind, rows)
    if kind is torch.Tensor:
        return _tensors(rows)
    if kind is dict:
        names = tuple(rows[0])
        if names and all(type(n) is str for n in names) and all(tuple(r) == names for r in rows):
            return Records({name: pack([row[name] for row in rows]) for name in names})
    elif (
        (kind is tuple or (issubclass(kind, tuple) and hasattr(kind, "_make")))
        and rows[0]
        and len(set(map(len, rows))) == 1
        and not any(map(_has_more, rows))
    ):
        return Tuples(kind, tuple(map(pack, zip(*rows, strict=True))))
    return None


_NUMBERS: dict[type, Any] = {bool: np.bool_, int: np.int64, float: np.float64}


def _numbers(rows: list[Any], dtype: Any) -> Column | None:
    try:
        return Numbers(np.array(rows, dtype=dtype))
    except OverflowError:
        return None


def _arrays(kind: type, rows: list[Any]) -> Column | None:
    first = rows[0]
    dtype = first.dtype
    if dtype.kind not in "biufcmM" or not dtype.isnative:
        return None
    if kind is np.ndarray and (
        not first.ndim or any(row.shape != first.shape or row.dtype != dtype for row in rows)
    ):
        return None
    if dtype.kind in "mM" and any(row.dtype != dtype for row in rows):
        return None
    return Arrays(np.stack(rows) if kind is np.ndarray else np.array(rows, dtype=dtype))


def _tensors(rows: list[Any]) -> Column | None:
    first = rows[0]
    shape, dtype = first.shape, first.dtype
    for row in rows:
        if (
            row.shape != shape
            or row.dtype != dtype
            or row.requires_grad
            or row.layout != torch.strided
            or row.device.type != "cpu"
            or row.is_conj()
            or row.is_neg()
            or row.is_quantized
        ):
            return None
    return Tensors(torch.stack(rows))


def _has_more(value: Any) -> bool:
    """Has a named tuple attributes beside its items?"""
    return bool(getattr(value, "__dict__", None))


def size_of(value: Any) -> int:
    """About how many bytes a value takes, two levels deep; the same for equal values."""
    if isinstance(value, dict):
        return 64 + sum(map(_flat_size, value.values()))
    if isinstance(value, (list, tuple)):
        return 64 + sum(map(_flat_size, value))
    return _flat_size(value)


def _flat_size(value: Any) -> int:
    if isinstance(value, (str, bytes, bytearray)):
        return 64 + len(value)
    if isinstance(value, torch.Tensor):  # a sparse one does not say its bytes
        return 64 + value.numel() * value.element_size()
    if isinstance(value, (dict, list, tuple)):
        return 64 + 16 * len(value)
    size = getattr(value, "nbytes", None)
    return 64 + size if isinstance(size, int) else 64
