"""Conversion of elements to the rows of one table, without loss of values, block by block."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.types import is_object_dtype

from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import Column, Records, Selected
from mmnotebook.elements.packing import loose, shared_dtypes
from mmnotebook.errors import RunError, shown
from mmnotebook.results.frames import free_names
from mmnotebook.results.values import column, is_prediction
from mmnotebook.sources import cells
from mmnotebook.sources.cells import AS_THEY_ARE, Refused, cell, in_json

_NESTED = (list, dict, bytes)
_SIMPLE = {str, bool, float, type(None)}
"""Types of cells whose column type does not depend on their values."""


@dataclass(frozen=True)
class FileColumns:
    """The columns of a file.

    Attributes
    ----------
    columns
        The names of the columns, in the order in which the elements first have them.
    names
        The name of the column of each field. A field whose name is that of a fixed column, such as
        `id`, is written as `<name>_field`.
    dtypes
        The pandas dtypes, by column, of the fields that were read from a DataFrame.
    counts
        The number of elements in each block that has elements.
    """

    columns: Sequence[str]
    names: Mapping[Any, str]
    dtypes: Mapping[str, Any]
    counts: Sequence[int]

    @classmethod
    def of(cls, blocks: Iterable[Block]) -> FileColumns:
        """Return the columns of a file with the elements of some blocks.

        Raises
        ------
        RunError
            If two fields would have the same name.
        """
        fixed: dict[str, None] = {}
        fields: dict[Any, None] = {}
        order: dict[tuple[bool, Any], None] = {}
        dtypes: list[Mapping[str, Any]] = []
        counts: list[int] = []
        are_records = True
        for block in filter(len, blocks):
            counts.append(len(block))
            for own, more in _kinds_of_rows(block):
                fixed.update(dict.fromkeys(own))
                fields.update(dict.fromkeys(more))
                order.update(dict.fromkeys((False, name) for name in own))
                order.update(dict.fromkeys((True, name) for name in more))
            found = _dtypes(block.values)
            are_records = are_records and found is not None
            if found is not None and (not dtypes or found != dtypes[-1]):
                dtypes.append(found)
        names = _names(list(fields), set(fixed))
        shared = shared_dtypes(dtypes) if dtypes and are_records else {}
        return cls(
            [names[name] if is_field else name for is_field, name in order] or ["id"],
            names,
            {names[name]: dtype for name, dtype in shared.items()},
            counts,
        )

    def tables(self, blocks: Iterable[Block]) -> Iterator[CellTable]:
        """Yield the elements of each block as rows; leave out blocks without elements.

        Raises
        ------
        RunError
            If a file cannot store a value.
        """
        return map(self._table, filter(len, blocks))

    def _table(self, block: Block) -> CellTable:
        rows = []
        for own, more in _rows(block):
            own.update((self.names[name], part) for name, part in more.items())
            rows.append(own)
        return CellTable(self.columns, rows).having(cell, AS_THEY_ARE)


@dataclass
class CellTable:
    """Rows of plain cells.

    Attributes
    ----------
    columns
        The names of the columns.
    rows
        One dict per element. It contains the id, then the key, branch or model if a step chose one,
        then the fields of a record, or a prediction and its model, or any other value.
    """

    columns: Sequence[str]
    rows: list[dict[str, Any]]

    def having(self, made: Callable[[Any], Any], without: set[type]) -> CellTable:
        """Replace each cell whose type is not in `without` by `made(cell)`; return self."""
        for row in self.rows:
            for name, value in row.items():
                if type(value) not in without:
                    row[name] = _tried(made, value, row, name)
        return self

    def as_text(self) -> CellTable:
        """Replace lists, records and bytes by JSON text; return self."""

        def text(value: Any) -> Any:
            return in_json(value) if isinstance(value, _NESTED) else value

        return self.having(text, AS_THEY_ARE)

    def each(self, made: Callable[[Any], Any]) -> Iterator[Any]:
        """Yield `made(row)` for each row."""
        for row in self.rows:
            try:
                yield made(row)
            except Refused:
                for name, value in row.items():
                    _tried(made, value, row, name)
                raise

    def cells(self) -> dict[str, list[Any]]:
        """Return the cells of each column; None for a field that a row does not have."""
        return {name: [row.get(name) for row in self.rows] for name in self.columns}


@dataclass
class ColumnTypes:
    """The types of columns, found from all of their cells, block by block.

    The type of a column follows from the different properties that its blocks have. So the cells of
    one block for each property are kept, and the type of these cells is that of the whole column.

    Attributes
    ----------
    dtypes
        The dtype that each column should have, where known. It is used if it can represent all
        cells of the column.
    """

    dtypes: Mapping[str, Any]
    _kept: dict[str, dict[Any, list[Any]]] = field(default_factory=dict)
    _seen: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, cells: Mapping[str, list[Any]]) -> None:
        """Add the cells of a block."""
        for name, values in cells.items():
            if values:
                kept = self._kept.setdefault(name, {})
                kept.setdefault(_property(values, self.dtypes.get(name)), values)

    def frame(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return a few of the rows, with the dtypes of all of them."""
        few = {
            name: [value for values in self._kept.get(name, {}).values() for value in values]
            for name in columns
        }
        count = max(map(len, few.values()))
        return pd.DataFrame(
            {
                name: _series(_repeated(values, count), self.dtypes.get(name))
                for name, values in few.items()
            }
        )


@dataclass
class TimeFormats:
    """The times in a csv file that determine the format of all times of a column.

    pandas leaves out the hours of a column without any, and the parts of a second that no time of
    the column has. So each block is formatted together with times that have these parts.
    """

    _kept: dict[str, dict[int, Any]] = field(default_factory=dict)

    def add(self, cells: Mapping[str, list[Any]]) -> None:
        """Add the cells of a block."""
        for name, values in cells.items():
            for value in values:
                if isinstance(value, (datetime.datetime, datetime.timedelta)):
                    self._kept.setdefault(name, {}).setdefault(_precision(value), value)

    def as_text(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a DataFrame whose columns of times are text."""
        texts = {
            name: self._texts(name, times)
            for name, times in frame.items()
            if name in self._kept and times.dtype.kind in "mM"
        }
        return frame.assign(**texts)

    def _texts(self, name: Any, times: pd.Series) -> pd.Series:
        kept = pd.Series(list(self._kept[name].values()), dtype=times.dtype)
        whole = pd.concat([times, kept]).to_csv(index=False, header=False, na_rep="NaT")
        texts = [None if text == "NaT" else text for text in whole.splitlines()[: len(times)]]
        return pd.Series(texts, dtype=object)


def _precision(value: datetime.datetime | datetime.timedelta) -> int:
    """Return the number of the smallest part that a time has: days, seconds, ..., nanoseconds."""
    if isinstance(value, datetime.datetime):
        local = pd.Timestamp(value).tz_localize(None)
        value = local - local.normalize()
    parts = pd.Timedelta(value).components
    clock = parts.hours or parts.minutes or parts.seconds
    smaller = (clock, parts.milliseconds, parts.microseconds, parts.nanoseconds)
    return max((place for place, part in enumerate(smaller, 1) if part), default=0)


def frame_of(cells: Mapping[str, list[Any]], dtypes: Mapping[str, Any]) -> pd.DataFrame:
    """Return cells as a DataFrame with known dtypes."""
    return pd.DataFrame({name: _typed(name, cells[name], dtypes[name]) for name in cells})


def arrow_of(frame: pd.DataFrame, schema: pa.Schema | None = None) -> pa.Table:
    """Return a DataFrame as a pyarrow table."""
    made = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    for name in frame:
        if frame[name].dtype == object and _has_dates(made.schema.field(name).type):
            _check_dates(name, frame[name], made[name].to_pylist())
    return made


def _repeated(values: list[Any], count: int) -> list[Any]:
    return (values * math.ceil(count / max(1, len(values))))[:count]


def _property(values: list[Any], dtype: Any) -> Any:
    """Return what the type of a column depends on, if these are some of its cells."""
    kinds = frozenset(map(type, values))
    is_free = dtype is None or is_object_dtype(dtype)
    if is_free and len(kinds - {type(None)}) <= 1 and kinds <= _SIMPLE:
        return kinds
    made = _series(values, dtype)
    sign = kinds <= {int, type(None)} and any(value is not None and value < 0 for value in values)
    return kinds, made.dtype, sign, _inside(values) if made.dtype == object else None


def _inside(values: list[Any]) -> Any:
    """Return pyarrow's type of some cells, or the class of the error if there is no such type."""
    try:
        return pa.infer_type(values, from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        return type(error)


def _typed(name: str, values: list[Any], dtype: Any) -> pd.Series:
    if is_object_dtype(dtype):
        return pd.Series(np.fromiter(values, dtype=object, count=len(values)), dtype=object)
    return _floats(name, values) if dtype == "float64" else _of_dtype(values, dtype)


def _of_dtype(values: list[Any], dtype: Any) -> pd.Series:
    """Return a Series of a dtype; pandas rounds large integers without missing ones as UInt64."""
    if dtype != "UInt64":
        return pd.Series(values, dtype=dtype)
    missing = np.array([value is None or value is pd.NA for value in values], dtype=bool)
    whole = [0 if lacks else value for value, lacks in zip(values, missing, strict=True)]
    return pd.Series(pd.arrays.IntegerArray(np.array(whole, dtype=np.uint64), missing))


def _rows(block: Block) -> Iterator[tuple[dict[str, Any], Mapping[Any, Any]]]:
    """Yield the fixed columns of each element, and the fields of its record."""
    choices = block.choices or [None] * len(block)
    return map(_parts, block.ids, choices, loose(block.values))


def _kinds_of_rows(block: Block) -> Iterable[tuple[Iterable[str], Iterable[Any]]]:
    """Yield the names of the fixed columns and of the fields of each element, or of all."""
    if isinstance(block.values, Records) and block.choices is None:
        return [(("id",), block.values.columns)]
    return dict.fromkeys((tuple(own), tuple(more)) for own, more in _rows(block))


def _parts(own: str, choice: str | None, value: Any) -> tuple[dict[str, Any], Mapping[Any, Any]]:
    """Return the fixed columns of an element, and the fields of its record."""
    row: dict[str, Any] = {"id": own}
    if choice is not None:
        row["key"] = choice
    if is_prediction(value):
        return {**row, "prediction": value.inference, "model": value.model_id}, {}
    return (row, value) if isinstance(value, Mapping) else ({**row, "value": value}, {})


def _names(given: list[Any], own: set[str]) -> dict[Any, str]:
    """Return the column name of each field in the file."""
    texts = list(map(str, given))
    if len(set(texts)) < len(texts):
        raise RunError(
            f"two field names look the same: {cells.same_text(given)}", remedy="rename one"
        )
    return dict(zip(given, free_names(texts, own), strict=True))


def _dtypes(values: Column) -> Mapping[str, Any] | None:
    """Return the dtypes of the fields of records; None for other values."""
    records = values.records if isinstance(values, Selected) else values
    return records.dtypes if isinstance(records, Records) else None


def _tried(made: Callable[[Any], Any], value: Any, row: Mapping[str, Any], name: str) -> Any:
    try:
        return made(value)
    except Refused as refused:
        where = f"field {name!r} of element {row['id']!r}"
        raise RunError(f"{where} {refused.what}", remedy=refused.remedy) from refused


def _series(values: list[Any], dtype: Any) -> pd.Series:
    kinds = {*map(type, values)} - {type(None)}
    if kinds == {int, float}:
        # Not all blocks are here, so `_floats` finds what float64 cannot represent, in order.
        return pd.Series(values, dtype="float64")
    own = [dtype] if dtype is not None and not is_object_dtype(dtype) else []
    if kinds and all(issubclass(kind, cells.SCALARS) for kind in kinds):
        own.append(None)
    if kinds == {int}:  # unsigned integers that are too large for int64
        own += [] if column(values).dtype != object else ["UInt64" if None in values else "uint64"]
    for one in own:
        try:
            made = _of_dtype(values, one)
        except (TypeError, ValueError, OverflowError):
            continue
        if _is_equal(made, values):
            return made
    return column(values)


def _has_dates(kind: pa.DataType) -> bool:
    inside = [kind.field(place).type for place in range(kind.num_fields)]
    return pa.types.is_temporal(kind) or any(map(_has_dates, inside))


def _check_dates(name: str, values: Sequence[Any], found: Sequence[Any]) -> None:
    """Raise an error for dates that pyarrow would change, for example to another time zone."""
    for one, other in zip(values, found, strict=True):
        if not _is_kept(one, other):
            raise RunError(
                f"field {name!r}: parquet would store {shown(other)} instead of {shown(one)}",
                remedy="write a .jsonl, which does not change dates, or put a function before "
                "write that converts all dates to one type",
            )


def _is_kept(value: Any, found: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_kept(part, found.get(name)) for name, part in value.items())
    if isinstance(value, list):
        return all(map(_is_kept, value, found))
    return bool(value == found or found is None or value != value)


def _is_equal(made: pd.Series, values: Sequence[Any]) -> bool:
    """Return whether a Series has these values, and missing values at the same positions."""
    return all(
        one == other or (pd.isna(one) and (other is None or other != other))
        for one, other in zip(made.astype(object), values, strict=True)
    )


def _floats(name: str, values: Sequence[Any]) -> pd.Series:
    for one in values:
        if type(one) is int and not _is_float(one):
            raise RunError(
                f"field {name!r} contains both integers and fractions, "
                f"and float64 cannot represent {one}",
                remedy="write a .jsonl, which does not change numbers, or put a function before "
                "write that converts them all to integers or strings",
            )
    return pd.Series(values, dtype="float64")


def _is_float(number: int) -> bool:
    try:
        return int(float(number)) == number
    except OverflowError:
        return False
