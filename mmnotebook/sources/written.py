"""Conversion of elements to the rows of one table, without loss of values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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


@dataclass
class CellTable:
    """Rows of plain cells.

    Attributes
    ----------
    rows
        One dict per element. It contains the id, then the key, branch or model if a step chose one,
        then the fields of a record, or a prediction and its model, or any other value.
    dtypes
        The pandas dtypes, by name, of the fields that were read from a DataFrame.
    """

    rows: list[dict[str, Any]]
    dtypes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> CellTable:
        """Create a table of the elements of some blocks, in order.

        A field whose name is that of a fixed column, such as `id`, is written as `<name>_field`.

        Raises
        ------
        RunError
            If two fields would have the same name, or a file cannot store a value.
        """
        rows: list[dict[str, Any]] = []
        fields: list[Mapping[Any, Any]] = []
        for block in blocks:
            choices = block.choices or [None] * len(block)
            for name, choice, value in zip(block.ids, choices, loose(block.values), strict=True):
                own, more = _parts(name, choice, value)
                rows.append(own)
                fields.append(more)
        names = _names(fields, {name for row in rows for name in row})
        for row, more in zip(rows, fields, strict=True):
            row.update((names[name], part) for name, part in more.items())
        found = _dtypes([block.values for block in blocks if len(block)])
        table = cls(rows, {names[name]: dtype for name, dtype in found.items()})
        return table.having(cell, AS_THEY_ARE)

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

    def arrow(self) -> pa.Table:
        """Return the rows as a pyarrow table."""
        frame = self.frame(self.dtypes)
        made = pa.Table.from_pandas(frame, preserve_index=False)
        for name in frame:
            if frame[name].dtype == object and _has_dates(made.schema.field(name).type):
                _check_dates(name, frame[name], made[name].to_pylist())
        return made

    def frame(self, dtypes: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return the rows as a DataFrame; None for a field that a row does not have.

        Parameters
        ----------
        dtypes
            The dtypes by field name. A dtype is used if it can represent all cells of the field.
        """
        names = dict.fromkeys(name for row in self.rows for name in row) or ["id"]
        return pd.DataFrame(
            {
                name: _series(name, [row.get(name) for row in self.rows], (dtypes or {}).get(name))
                for name in names
            }
        )


def _parts(own: str, choice: str | None, value: Any) -> tuple[dict[str, Any], Mapping[Any, Any]]:
    """Return the fixed columns of an element, and the fields of its record."""
    row: dict[str, Any] = {"id": own}
    if choice is not None:
        row["key"] = choice
    if is_prediction(value):
        return {**row, "prediction": value.inference, "model": value.model_id}, {}
    return (row, value) if isinstance(value, Mapping) else ({**row, "value": value}, {})


def _names(fields: Sequence[Mapping[Any, Any]], own: set[str]) -> dict[Any, str]:
    """Return the column name of each field in the file."""
    given = list(dict.fromkeys(name for more in fields for name in more))
    texts = list(map(str, given))
    if len(set(texts)) < len(texts):
        raise RunError(
            f"two field names look the same: {cells.same_text(given)}", remedy="rename one"
        )
    return dict(zip(given, free_names(texts, own), strict=True))


def _dtypes(columns: Sequence[Column]) -> Mapping[str, Any]:
    records = [one.records if isinstance(one, Selected) else one for one in columns]
    known = [one.dtypes for one in records if isinstance(one, Records)]
    return shared_dtypes(known) if known and len(known) == len(records) else {}


def _tried(made: Callable[[Any], Any], value: Any, row: Mapping[str, Any], name: str) -> Any:
    try:
        return made(value)
    except Refused as refused:
        where = f"field {name!r} of element {row['id']!r}"
        raise RunError(f"{where} {refused.what}", remedy=refused.remedy) from refused


def _series(name: str, values: list[Any], dtype: Any) -> pd.Series:
    kinds = {*map(type, values)} - {type(None)}
    if kinds == {int, float}:
        return _floats(name, values)
    own = [dtype] if dtype is not None and not is_object_dtype(dtype) else []
    if kinds and all(issubclass(kind, cells.SCALARS) for kind in kinds):
        own.append(None)
    if kinds == {int}:  # unsigned integers that are too large for int64
        own += [] if column(values).dtype != object else ["UInt64" if None in values else "uint64"]
    for one in own:
        try:
            made = pd.Series(values, dtype=one)
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
