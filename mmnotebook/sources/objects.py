"""Notebook data as blocks: frames, lists, arrays, tensors, tables and iterators.

Blocks contain copies, so that the notebook can change its data later.
"""

from __future__ import annotations

import datetime
import decimal
import io
import itertools
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import numpy as np
import torch

from mmnotebook.elements import coders, frames, routing
from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import (
    Arrays,
    Cells,
    Column,
    Objects,
    Records,
    Tensors,
    Tuples,
    size_of,
)
from mmnotebook.elements.elements import failure
from mmnotebook.elements.packing import pack
from mmnotebook.elements.user_code import storable
from mmnotebook.errors import RunError, counted, nearest, one_line
from mmnotebook.graph.names import is_a
from mmnotebook.sources import block_size, iterators, tables

_UNCHANGING = {
    *(str, bytes, bool, int, float, complex, type(None), range, decimal.Decimal),
    *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta),
}


def is_path(value: Any) -> bool:
    """Return whether an object is a path, which `sources.plan_path` reads."""
    return isinstance(value, (str, PurePath))


def blocks(
    name: str, value: Any, id_column: str | None = None, limit: int | None = None
) -> list[Block]:
    """Convert an object of the notebook, other than a path, to blocks of elements.

    Parameters
    ----------
    name
        The name of the object in the notebook, for error messages.
    value
        A DataFrame or Series, a list or other sequence, a numpy array or torch tensor, a dict of
        columns, a generator or other iterator, or a data set of `datasets`.
    id_column
        The column with the ids; None for the index of a frame, or the positions in other data.
    limit
        The maximum number of elements; None for all.

    Raises
    ------
    RunError
        If the object has another type, its ids are not unique, or an element is not plain data.
    """
    value = _aligned(name, value)
    if is_a(value, {("pandas", "DataFrame")}):
        return _frame(name, value if limit is None else value.head(limit), id_column)
    if isinstance(value, np.ma.MaskedArray):
        raise RunError(
            f"source {name!r} is a masked array, whose mask would be lost",
            remedy="array.filled(numpy.nan), or select the valid rows",
        )
    table = tables.table_of(name, value)
    if table is not None:
        return _table(name, table.first(limit), id_column)
    if id_column is not None:
        raise RunError(
            f"source {name!r}: id={id_column!r} names a column, but data of type "
            f"{type(value).__name__} has no columns",
            remedy="leave id= out: the positions of the elements are their ids",
        )
    if is_a(value, {("pandas", "Series")}):
        return _series(name, value if limit is None else value.head(limit))
    if is_a(value, {("numpy", "ndarray")}):
        return _array(name, value, limit)
    if is_a(value, {("torch", "Tensor")}):
        return _tensor(name, value, limit)
    return _list(name, _items(name, value, limit))


def _aligned(name: str, value: Any) -> Any:
    """Convert a dict with Series to a DataFrame, aligned by index; return others unchanged."""
    series = {("pandas", "Series")}
    if not isinstance(value, Mapping) or not any(is_a(one, series) for one in value.values()):
        return value
    import pandas as pd

    try:
        return pd.DataFrame(value)
    except ValueError as error:
        raise RunError(
            f"source {name!r} is not a dict of columns: {one_line(error)}",
            remedy="to ignore the index, use series.to_numpy() instead of each Series",
        ) from error


def _items(name: str, value: Any, limit: int | None) -> list[Any]:
    """Return the first items of an ordered object."""
    text = isinstance(value, (str, bytes, bytearray, memoryview))
    if isinstance(value, Sequence) and not text:
        return _first(name, value, limit)
    if is_a(value, {("datasets", "IterableDataset")}):
        return _first(name, value, limit)
    if isinstance(value, Iterator):
        return iterators.first(name, value, limit)
    several = isinstance(value, Iterable) and not text
    raise RunError(
        f"source {name!r} is a {type(value).__name__}; allowed: a DataFrame, Series, list, tuple, "
        "range, numpy array, torch tensor, dict of columns, generator, data set of `datasets`, "
        "path, glob, or a Beam transform that reads",
        remedy=f"{name} = list({name})" if several else None,
    )


def _first(name: str, values: Iterable[Any], limit: int | None) -> list[Any]:
    found: list[Any] = []
    try:
        found.extend(itertools.islice(values, limit))
    except Exception as error:
        raise iterators.raised(name, type(values).__name__, len(found), error) from error
    return found


def unstorable_element(error: BaseException) -> RunError:
    """Return the error for an element of a source that cannot be pickled."""
    return RunError(
        f"an element of the source cannot be stored: {error}",
        remedy="use plain data: numbers, strings, arrays, tensors, or records of these",
    )


def _frame(name: str, frame: Any, id_column: str | None) -> list[Block]:
    columns = [str(column) for column in frame.columns]
    if len(set(columns)) != len(columns):
        raise RunError(f"source {name!r}: two columns have the same name", remedy="rename one")
    ids = _frame_ids(name, frame, columns, id_column)
    found = []
    for places in block_size.parts(len(frame), lambda places: frames.sizes(frame, places)):
        part = frame.iloc[places.start : places.stop]
        block = Block(ids[places.start : places.stop], frames.records(part, columns))
        found.append(_stored(name, block))
    return found


def _series(name: str, series: Any) -> list[Block]:
    made = _frame(name, series.to_frame("value"), None)
    return [replace(block, values=block.values.alone("value")) for block in made]  # type: ignore[attr-defined]


def _table(name: str, table: tables.ColumnTable, id_column: str | None) -> list[Block]:
    if id_column is not None and id_column not in table.names:
        raise _no_column(name, id_column, table.names)
    found = []
    for places, records in table.parts():
        cells = places if id_column is None else records.columns[id_column].rows()
        found.append(Block(list(map(_id_text, cells)), kept(records)))
    if id_column is not None:
        ids = [text for block in found for text in block.ids]
        _check_unique(name, ids, f"column {id_column!r}")
    return found


def _no_column(name: str, id_column: str, columns: Sequence[str]) -> RunError:
    close = nearest(id_column, columns)
    return RunError(
        f"source {name!r} has no column {id_column!r} for id=; it has: {', '.join(columns)}"
        + (f"; did you mean {close!r}?" if close else "")
    )


def _frame_ids(name: str, frame: Any, columns: list[str], id_column: str | None) -> list[str]:
    if id_column is None:
        ids = [_id_text(label) for label in frame.index]
    elif id_column in columns:
        ids = [_id_text(cell) for cell in frame.iloc[:, columns.index(id_column)]]
    else:
        raise _no_column(name, id_column, columns)
    _check_unique(name, ids, "index" if id_column is None else f"column {id_column!r}")
    return ids


def _id_text(value: Any) -> str:
    if isinstance(value, tuple):
        return "/".join(str(part) for part in value)
    return routing.token(value) if isinstance(value, (float, np.floating)) else str(value)


def _check_unique(name: str, ids: list[str], where: str) -> None:
    twice = len(ids) - len(set(ids))
    if twice:
        seen: set[str] = set()
        first = next(text for text in ids if text in seen or seen.add(text))  # type: ignore[func-returns-value]
        raise RunError(
            f"source {name!r}: its {where} has {counted(twice, 'duplicate')}, first {first!r}; "
            "ids must be unique",
            remedy=f"{name} = {name}.reset_index(drop=True)"
            if where == "index"
            else f"source({name}, id=...) with a column of unique values",
        )


def _list(name: str, values: list[Any]) -> list[Block]:
    found = block_size.parts(len(values), lambda places: [size_of(values[p]) for p in places])
    blocks = _numbered(found, lambda start, stop: pack(values[start:stop]))
    made = [_stored(name, block) for block in blocks]
    records = [block.values for block in made if isinstance(block.values, Records)]
    if len(records) == len(made):
        frames.settle(records)
    return made


def _stored(name: str, block: Block) -> Block:
    """Return a block with copies of values that the notebook could change.

    An error is raised for values that cannot be stored.
    """
    errors: dict[int, BaseException] = {}
    places, values = storable(block.values, range(len(block)), errors)
    failed = [failure(name, block.ids[place], error) for place, error in errors.items()]
    return block.take(places).with_values(kept(values), failed)


def _array(name: str, array: Any, limit: int | None) -> list[Block]:
    if array.ndim == 0:
        raise RunError(f"source {name!r} is an array without rows", remedy="array.reshape(1, -1)")
    array = np.asarray(array)[:limit]
    if array.dtype.hasobject:
        return _list(name, list(array))
    found = block_size.parts(len(array), _alike(array))
    return _numbered(found, lambda start, stop: Arrays(np.array(array[start:stop], order="C")))


def _tensor(name: str, tensor: Any, limit: int | None) -> list[Block]:
    if tensor.dim() == 0:
        raise RunError(f"source {name!r} is a tensor without rows", remedy="tensor.reshape(1, -1)")
    tensor = tensor.detach()
    if tensor.layout != torch.strided or tensor.is_quantized:
        return _list(name, [tensor[row] for row in range(len(tensor))][:limit])
    tensor = tensor[:limit].resolve_conj().resolve_neg()

    def rows(start: int, stop: int) -> Column:
        copy = tensor[start:stop].to("cpu", copy=True, memory_format=torch.contiguous_format)
        return Tensors(copy)

    return _numbered(block_size.parts(len(tensor), _alike(tensor)), rows)


def _alike(rows: Any) -> Callable[[range], Iterable[int]]:
    size = rows.nbytes // max(1, len(rows))
    return lambda places: [size] * len(places)


def _numbered(found: Iterable[range], values: Callable[[int, int], Column]) -> list[Block]:
    """Create blocks of elements whose ids are their positions."""
    return [Block(list(map(str, places)), values(places.start, places.stop)) for places in found]


def kept(column: Column) -> Column:
    """Return a column with copies of all values that the notebook could change."""
    if isinstance(column, Records):
        return column.having({name: kept(part) for name, part in column.columns.items()})
    if isinstance(column, Cells):
        return Cells(kept(column.cells), column.dtype)
    if isinstance(column, Tuples):
        return Tuples(column.kind, tuple(map(kept, column.columns)))
    if isinstance(column, Objects) and not set(map(type, column.values)) <= _UNCHANGING:
        return pack(_pickled(column.values))
    return column


def _pickled(values: list[Any]) -> list[Any]:
    # After pickling, objects are the same as those that a run reads from the cache.
    buffer = io.BytesIO()
    try:
        coders.dump(values, buffer)
        copies: list[Any] = pickle.loads(buffer.getbuffer())
    except Exception as error:
        raise unstorable_element(error) from error
    return copies
