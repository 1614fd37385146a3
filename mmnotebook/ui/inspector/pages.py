"""Pages of the rows of a node: filtered, sorted and sampled.

Cells are created for the rows of one page only; all rows are searched as text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype

from mmnotebook.results.node_table import NodeTable
from mmnotebook.results.tables import short
from mmnotebook.results.values import plain
from mmnotebook.results.where import matching, renamed
from mmnotebook.ui.inspector.cells import WHOLE, Cell, cell, folded, line

_COLUMNS = 100  # the maximum shown; of more, the middle ones are left out
_NUMBERS = re.compile(r"([0-9]{1,18})")

Places = NDArray[np.intp]


@dataclass(frozen=True)
class Query:
    """The selection of rows of a frame, and their order.

    Attributes
    ----------
    search
        Text that occurs anywhere in a row, ignoring case; "" for all rows.
    where
        An expression as for `mm.inspect`; "" for all rows.
    sort
        The place of a column, and whether the order is ascending; None for source order.
    seed
        The seed of a random sample; None for all rows.
    start
        The first row of the page.
    """

    search: str = ""
    where: str = ""
    sort: tuple[int, bool] | None = None
    seed: int | None = None
    start: int = 0


@dataclass(frozen=True)
class ShownColumn:
    """A column that is shown: its place in the frame, its name, and whether it is numeric."""

    place: int
    name: str
    numeric: bool


class NodeRows:
    """The rows of a node, or of its failures.

    Of a lazy table, only the rows of a page are read. The first query that needs all rows (a
    search, a condition, a sort order) reads all of them, and they stay in memory as long as this
    object.

    Parameters
    ----------
    rows
        A frame or table with a column `id`. The texts of a column `traceback` are collapsed.
    """

    def __init__(self, rows: pd.DataFrame | NodeTable) -> None:
        self._rows = rows
        self._before: tuple[Query, int, Places] | None = None
        self._page: tuple[list[int], pd.DataFrame] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """All rows."""
        return self._rows.to_pandas() if isinstance(self._rows, NodeTable) else self._rows

    @cached_property
    def _head(self) -> pd.DataFrame:
        """A frame with the columns and dtypes of all rows."""
        return self._rows.head(1) if isinstance(self._rows, NodeTable) else self._rows

    @property
    def names(self) -> list[str]:
        """The names of all columns."""
        return [*map(str, self._head.columns)]

    def _chosen(self, places: Sequence[int]) -> pd.DataFrame:
        """Return the rows at these places; the latest ones stay in memory."""
        wanted = list(places)
        if self._page is None or self._page[0] != wanted:
            is_lazy = isinstance(self._rows, NodeTable) and "frame" not in self.__dict__
            self._page = wanted, self._rows.rows(wanted) if is_lazy else self.frame.iloc[wanted]
        return self._page[1]

    @cached_property
    def columns(self) -> tuple[ShownColumn, ...]:
        """The columns that are shown."""
        count = self._head.shape[1]
        half = _COLUMNS // 2
        shown = range(count) if count <= _COLUMNS else [*range(half), *range(count - half, count)]
        return tuple(
            ShownColumn(place, line(self.names[place]), _is_numeric(self._head.iloc[:, place]))
            for place in shown
        )

    def _values(self, place: int) -> pd.Series:
        return self.frame.iloc[:, place]

    def found(self, query: Query) -> Places:
        """Return the places of the rows that match the query, before a sample, in source order.

        Raises
        ------
        ResultError
            If its `where` cannot be evaluated.
        """
        keep = np.ones(len(self), dtype=bool)
        if query.where.strip():
            keep &= matching(self.frame, query.where).to_numpy()
        needle = query.search.strip().casefold()
        if needle:
            keep &= np.fromiter((needle in text for text in self._texts), bool, len(self))
        return np.flatnonzero(keep)

    def empty_text(self, query: Query) -> str:
        """Return the text that is shown if no row matches the query."""
        if not len(self):
            return "No rows"
        hint = renamed(self.frame, query.where) if query.where.strip() else None
        return f"No row matches: {hint}" if hint else "No row matches"

    def ordered(self, found: Places, query: Query, size: int) -> Places:
        """Return the found rows, or a sample of `size` of them, in the query's order.

        The order is stored for the next page.
        """
        whole = replace(query, start=0)
        if self._before is None or self._before[:2] != (whole, size):
            self._before = whole, size, self._in_order(found, query, size)
        return self._before[2]

    def _in_order(self, found: Places, query: Query, size: int) -> Places:
        if query.seed is not None and len(found) > size:
            drawn = np.random.default_rng(query.seed).choice(len(found), size, replace=False)
            found = found[np.sort(drawn)]
        if query.sort is None:
            return found
        place, ascending = query.sort
        return found[_order(self._values(place).iloc[found], ascending)]

    @cached_property
    def _texts(self) -> list[str]:
        """The searchable text of each row: its cells, and numbers also without separators."""
        columns = [map(_searched, self._values(place)) for place in range(self.frame.shape[1])]
        return ["\n".join(texts) for texts in zip(*columns, strict=True)]

    def ids(self, places: Sequence[int]) -> list[str]:
        """Return the ids of the elements in these rows."""
        return [str(id) for id in self._chosen(places)["id"]]

    def cells(self, places: Sequence[int], *, square: bool = False) -> list[list[Cell]]:
        """Return the cells of the rows at these places, row by row."""
        rows = self._chosen(places)
        columns = [
            [
                folded(_last_line(value), value)
                if column.name == "traceback"
                else cell(value, square=square)
                for value in rows.iloc[:, column.place]
            ]
            for column in self.columns
        ]
        return [list(row) for row in zip(*columns, strict=True)]


def _is_numeric(values: pd.Series) -> bool:
    return bool(is_numeric_dtype(values) and not is_bool_dtype(values))


def _last_line(text: Any) -> str:
    lines = str(text).strip().splitlines() or [""]
    return lines[-1][:80]


def _searched(value: Any) -> str:
    """Return a value's searchable text; for plain types without a cell, which would be slow."""
    if type(value) is str:
        return line(value[:WHOLE]).casefold()
    if type(value) is int:
        return f"{value:,} {value}"
    if type(value) is float:
        return f"{short(value)} {value}".casefold()
    shown = cell(value, side=0)
    typed = f" {value!s}" if shown.kind == "number" else ""
    return (shown.more or shown.text + typed).casefold()


def _order(values: pd.Series, ascending: bool) -> Places:
    """Return the places in sorted order; missing values come last in either direction."""
    values = values.reset_index(drop=True)
    if is_numeric_dtype(values) or is_datetime64_any_dtype(values):
        placed = values.sort_values(ascending=ascending, kind="stable", na_position="last")
        places: Places = placed.index.to_numpy(dtype=np.intp)
        return places
    missing, items = values.isna().to_numpy(), values.tolist()
    keys = {place: _key(items[place]) for place in np.flatnonzero(~missing).tolist()}
    known = sorted(keys, key=keys.__getitem__, reverse=not ascending)
    return np.array([*known, *np.flatnonzero(missing).tolist()], dtype=np.intp)


def _key(value: Any) -> tuple[int, Any]:
    """Return a sort key: numbers first, then texts (9 before 10), then all other values as text."""
    value = plain(value) if isinstance(value, np.generic) else value
    if isinstance(value, (bool, int, float)):
        return 0, value
    text = value if isinstance(value, str) else cell(value, side=0).text
    parts = _NUMBERS.split(text.casefold())  # text and digits alternate
    pieces = tuple(int(part) if place % 2 else part for place, part in enumerate(parts))
    return 1 + (not isinstance(value, str)), pieces
