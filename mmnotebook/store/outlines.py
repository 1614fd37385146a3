"""Outlines of shards: a small file beside each shard, for tables that read only some shards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import (
    Arrays,
    Cells,
    Column,
    Numbers,
    Objects,
    Records,
    Same,
    Selected,
    Tensors,
    Tuples,
)
from mmnotebook.errors import StorageError
from mmnotebook.results import values
from mmnotebook.results.frames import lineage
from mmnotebook.results.records import Outline
from mmnotebook.store import eviction, shards, timed
from mmnotebook.store.entries import Entry
from mmnotebook.store.shards import ShardInfo

SUFFIX = ".outline"
_OPAQUE: Any = frozenset()
"""Stands for all values to which pandas gives the dtype object, except strings."""
_SCALARS = (bool, int, float, type(None))
_OBJECTS = {bytes, list, tuple, dict, set, frozenset, np.ndarray}
_TIMES = {pd.Timestamp, pd.Timedelta}
_RANGED = {int, float, *_TIMES}
_PLAIN = {*_SCALARS, str, bytes, dict, list, tuple}
"""Types of values whose plain values have the same type."""
_MISSING = {type(None), type(pd.NaT)}


class _Unknown(Exception):
    """The dtype of a column cannot be inferred from example values."""


def write_shard(draft: Path, number: int, value: Any, rows: int = 0) -> ShardInfo:
    """Write a shard of a draft with its outline; see `eviction.write_shard`."""
    info = eviction.write_shard(draft, number, value, rows)
    outline = None if isinstance(value, timed.Timed) else of_blocks(timed.values(value))
    if outline is not None:
        with suppress(OSError, StorageError):  # without an outline, tables read whole nodes
            shards.write(_beside(draft, info), (info.checksum, outline))
    return info


def read(entry: Entry) -> list[Outline] | None:
    """Return the outlines of an entry's shards; None if one is missing or damaged."""
    found = []
    for info in entry.infos:
        path = _beside(entry.path, info)
        try:
            checksum, outline = shards.read(path, shards.info(path))
        except (shards.Damaged, TypeError, ValueError):
            return None
        if checksum != info.checksum:
            return None
        found.append(outline)
    return found


def _beside(folder: Path, info: ShardInfo) -> Path:
    return folder / Path(info.name).with_suffix(SUFFIX)


def of_blocks(blocks: Sequence[Any]) -> Outline | None:
    """Return the outline of some blocks; None if there is none, for example for odd ids."""
    if not all(isinstance(block, Block) for block in blocks):
        return None
    full = [block for block in blocks if len(block)]
    origins = [block.ids if block.origins is None else block.origins for block in full]
    try:
        hashed = [_hashes(ids) for ids in origins]
        children = _children(full)
    except (UnicodeEncodeError, OverflowError, TypeError):
        return None
    columns = [block.values for block in full]
    given = [one for column in columns for one in _typed(_kinds(column))]
    plain = [one for column in columns for one in _typed(_plain_kinds(column))]
    return Outline(
        np.concatenate([*hashed, np.empty(0, np.uint64)]),
        children,
        _fewer(given),
        _fewer(plain),
        _fields(columns),
    )


def _hashes(ids: list[str]) -> NDArray[np.uint64]:
    array = np.fromiter(ids, dtype=object, count=len(ids))
    found: NDArray[np.uint64] = pd.util.hash_array(array, categorize=False)
    return found


def _children(blocks: Sequence[Block]) -> NDArray[np.int64]:
    """Return the child numbers of all elements, filled up with -1."""
    if all(block.origins is None for block in blocks):
        return np.empty((sum(map(len, blocks)), 0), np.int64)
    lines = [
        line
        for block in blocks
        for line in (
            [()] * len(block) if block.origins is None else map(lineage, block.ids, block.origins)
        )
    ]
    depth = max(map(len, lines), default=0)
    rows = [line + (-1,) * (depth - len(line)) for line in lines]
    return np.array(rows, dtype=np.int64).reshape(len(rows), depth)


def _kinds(column: Column) -> Iterable[Any]:
    """Return values that have all types, and the limits of all numbers, of a column's values."""
    if isinstance(column, Numbers):
        return _limits(column.array)
    if isinstance(column, Same):
        return [column.value]
    if isinstance(column, Cells):
        return _kinds(column.cells)
    if not isinstance(column, Objects):
        return [_OPAQUE]
    last = dict(zip(map(type, column.values), column.values, strict=True))
    found = [value for kind, value in last.items() if kind not in _RANGED]
    for kind in last.keys() & _RANGED:
        some: list[Any] = [value for value in column.values if type(value) is kind]
        if kind is float:
            found += _limits(np.array(some))
        else:
            found += _fewer(some) if kind in _TIMES else [min(some), max(some)]
    return found


def _plain_kinds(column: Column) -> Iterable[Any]:
    """Return the same as `_kinds` for the plain values of a column."""
    if isinstance(column, Tuples) and values.is_prediction(column.kind):
        fields: tuple[str, ...] = column.kind._fields  # type: ignore[attr-defined]
        return _plain_kinds(column.columns[fields.index("inference")])
    if isinstance(column, Tensors) and column.tensor.ndim == 1:
        column = Arrays(values.array(column.tensor))
    if isinstance(column, Arrays):
        known = column.array.ndim == 1 and column.array.dtype.kind in "biuf"
        return _limits(column.array) if known else [_OPAQUE]
    if isinstance(column, Same):
        return [values.plain(column.value)]
    if isinstance(column, Cells):
        return _plain_kinds(column.cells)
    if isinstance(column, Objects):
        return _kinds(column) if _PLAIN.issuperset(map(type, column.values)) else _each(column)
    return _each(column) if isinstance(column, Tuples) and column.kind is not tuple else [_OPAQUE]


def _each(column: Column) -> Iterable[Any]:
    return map(values.plain, column.rows())


def _limits(array: NDArray[Any]) -> list[Any]:
    """Return items of an array of numbers from which pandas infers the dtype of all items."""
    if not len(array):
        return []
    if array.dtype.kind in "iu":
        return [array.min().item(), array.max().item()]
    if array.dtype.kind == "f" and array.dtype.itemsize <= np.dtype(float).itemsize:
        missing = np.isnan(array)
        return [*([float("nan")] if missing.any() else []), *([0.0] if not missing.all() else [])]
    return [array[0].item()]


def _typed(items: Iterable[Any]) -> Iterable[Any]:
    """Replace all values that do not have a scalar type; they get the dtype object."""
    return (item if type(item) in _SCALARS else _OPAQUE for item in items)


def _fewer(items: Iterable[Any]) -> list[Any]:
    """Return one item of each type, both limits of integers and times, and one NaN."""
    found: dict[Any, Any] = {}
    for item in items:
        kind = type(item)
        if kind is int or kind in _TIMES:
            zone = getattr(item, "tzinfo", None)
            least, most = found.get((kind, zone), (item, item))
            found[kind, zone] = min(least, item), max(most, item)
        else:
            found.setdefault((kind, item != item if kind is float else None), (item,))
    return [item for some in found.values() for item in dict.fromkeys(some)]


def _fields(columns: Sequence[Column]) -> dict[str, list[Any]] | None:
    """Return example values of each field; None if the dtypes depend on more than these."""
    if not any(map(_may_have_fields, columns)):
        return {}
    if not all(isinstance(column, Records) for column in columns):
        return None
    records: list[Any] = list(columns)
    if len({tuple(one.columns) for one in records}) > 1:
        return None
    try:
        return {
            name: _fewer(item for one in records for item in _cells(one.columns[name]))
            for name in records[0].columns
        }
    except _Unknown:
        return None


def _may_have_fields(column: Column) -> bool:
    if isinstance(column, Objects):
        return any(issubclass(kind, Mapping) for kind in set(map(type, column.values)))
    return isinstance(column, Records)


def _cells(column: Column) -> Iterable[Any]:
    """Return example values of the cells of a field; raise `_Unknown` for unusual types."""
    if isinstance(column, (Numbers, Same, Cells, Objects)):
        return map(_known, _kinds(column))
    stacked = isinstance(column, Arrays) and column.array.ndim > 1
    if stacked or isinstance(column, (Records, Tuples, Selected)):
        return [_OPAQUE]
    raise _Unknown


def _known(cell: Any) -> Any:
    kind = type(cell)
    if kind in _SCALARS or kind in _TIMES or kind in _MISSING:
        return cell
    if kind is str:
        return ""
    if kind in _OBJECTS:
        return _OPAQUE
    raise _Unknown
