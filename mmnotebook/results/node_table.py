"""`NodeTable`: the elements of a node, read from its shards only as far as they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmnotebook.errors import ResultError, shown
from mmnotebook.results import frames
from mmnotebook.results.records import ElementStore, Outline, Places
from mmnotebook.results.tables import html_table, short

_SHOWN = 5
_PART = 1 << 16
"""The number of rows per part of a table that is in memory as a whole."""
_Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class StoredNode:
    """A node of a run, as far as a `NodeTable` needs it.

    Attributes
    ----------
    store
        The storage of the run's elements.
    kind
        The kind of the node.
    ran, upstream
        The sources that ran, in graph order, and those that the node depends on.
    """

    store: ElementStore
    kind: str
    ran: tuple[str, ...]
    upstream: tuple[str, ...]


class NodeTable:
    """The elements of a node or group as a lazy table, which `result.table(node)` returns.

    The rows, columns and dtypes are those of `result[node]`, in the same order: `head` and `sample`
    return rows of `result[node]`, with its index. Only the stored shards with these rows are read
    (a shard has about 65,000 elements, or one block of a source); the order and the dtypes are
    known from a small file beside each shard. `parts` reads the shards in the order in which they
    were stored.

    A few tables have to be read as a whole at the first access, and then stay in memory as long as
    the table exists: those of groups, of recorded streams, of several sources with fields, of
    fields with unusual types (such as `datetime.date` or `decimal.Decimal`), and of results that an
    earlier version of mmnotebook stored.

    See Also
    --------
    Result.table : Create a table.
    mmnotebook.inspect : Show the first rows of a node as an interactive table.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> graph = mm.pipeline("numbers | double", numbers=range(10_000), double=lambda x: 2 * x)
    >>> table = mm.run(graph, progress=False).table("double")
    >>> len(table)
    10000
    >>> table.head(2)
      id  value   key
    0  0      0  None
    1  1      2  None
    >>> sum(part["value"].sum() for part in table.parts())
    np.int64(99990000)
    """

    def __init__(self, node: str, stored: StoredNode | None, whole: Callable[[], Any]) -> None:
        """Create a table; `stored` is None for a group, `whole` returns all rows."""
        self.node, self._stored, self._read_whole = node, stored, whole

    def __len__(self) -> int:
        """Return the number of rows; for a node, nothing is read."""
        return len(self._whole) if self._stored is None else sum(self._counts)

    @property
    def dtypes(self) -> pd.Series:
        """The dtype of each column, as `result[node].dtypes`."""
        return self.rows([]).dtypes

    def head(self, n: int = 5) -> pd.DataFrame:
        """Return the first rows, as `result[node].head(n)`.

        Parameters
        ----------
        n
            The maximum number of rows, 0 or more.

        Raises
        ------
        ResultError
            If `n` is not a number of rows.
        """
        return self.rows(range(min(_number(n), len(self))))

    def sample(self, n: int = 5, *, seed: int | None = None) -> pd.DataFrame:
        """Return a uniform random sample of the rows, without replacement.

        Parameters
        ----------
        n
            The maximum number of rows, 0 or more.
        seed
            A seed that always selects the same rows; None for other rows at each call.

        Returns
        -------
        DataFrame
            The rows in their order in the table; the index is their index in `result[node]`.

        Raises
        ------
        ResultError
            If `n` is not a number of rows, or `seed` not a number from 0.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.pipeline("numbers | half", numbers=range(1000), half=lambda x: x / 2)
        >>> table = mm.run(graph, progress=False).table("half")
        >>> table.sample(3, seed=0).equals(table.sample(3, seed=0))
        True
        """
        count = len(self)
        try:
            generator = np.random.default_rng(seed)
        except (TypeError, ValueError):
            raise ResultError(f"seed={seed!r}; allowed: an integer from 0, or None") from None
        drawn = generator.choice(count, min(_number(n), count), replace=False)
        return self.rows(np.sort(drawn))

    def parts(self) -> Iterator[pd.DataFrame]:
        """Yield all rows in parts, one per stored shard.

        The table keeps no part in memory, unless it is one of those that are read as a whole. The
        parts are in the order in which the run stored them. This is the order of the table,
        unless a step changed the order of elements (a model per key, for example). The index of
        each part is the index of its rows in `result[node]`, so that
        `pd.concat(table.parts()).sort_index()` equals `result[node]`.

        Yields
        ------
        DataFrame
            At least one row.
        """
        index = self._index
        if index is None:
            for start in range(0, len(self), _PART):
                yield self._whole.iloc[start : start + _PART].copy()
            return
        start = 0
        for count in self._counts:
            if count:
                yield self._read(np.sort(index.numbers(start, start + count)))
            start += count

    def to_pandas(self) -> pd.DataFrame:
        """Return all rows, as `result[node]`, but without keeping them in the result.

        Returns
        -------
        DataFrame
            All rows, as a new frame.
        """
        return self._whole.copy() if self._index is None else self._read_whole()

    def rows(self, numbers: Sequence[int] | _Numbers) -> pd.DataFrame:
        """Return the rows with these numbers, counted from 0, as `result[node].iloc[numbers]`.

        Parameters
        ----------
        numbers
            The numbers, in any order; the rows are returned in this order.

        Raises
        ------
        IndexError
            If there is no row with one of the numbers.
        ResultError
            If `numbers` is not a list or array of integers.
        """
        chosen = _numbers(numbers)
        if len(chosen) and not 0 <= chosen.min() <= chosen.max() < len(self):
            raise IndexError(f"rows 0 to {len(self) - 1:,}, not {chosen.tolist()}")
        if self._index is None:
            return self._whole.iloc[chosen].copy()
        return self._read(chosen)

    @cached_property
    def _counts(self) -> list[int]:
        return [] if self._stored is None else self._stored.store.counts(self.node)

    @cached_property
    def _whole(self) -> pd.DataFrame:
        return self._read_whole()

    @cached_property
    def _index(self) -> _Index | None:
        if self._stored is None or not sum(self._counts):
            return None
        return _index(self.node, self._stored)

    def _read(self, numbers: _Numbers) -> pd.DataFrame:
        """Return rows from the shards that contain them."""
        index, stored = self._index, self._stored
        assert index is not None and stored is not None
        store = stored.store
        wanted = index.stored(numbers)
        order = np.argsort(wanted, kind="stable")
        elements = store.some(self.node, _places(wanted[order], self._counts))
        rows = frames.in_order(elements, stored.kind, np.argsort(order), index.examples)
        if index.source is None:
            fields = pd.DataFrame(index=pd.Index([], dtype=object))
        else:
            origins = np.unique(index.origins(wanted))
            shards = _places(origins, store.counts(index.source))
            fields = store.some_fields(index.source, shards, index.fields)
        return frames.with_fields(rows, fields).set_axis(numbers, axis=0)

    def __repr__(self) -> str:
        shown = self.head(_SHOWN)
        try:
            text = repr(shown)
        except Exception:  # noqa: BLE001 - objects in cells may raise anything
            text = shown.map(short).to_string()
        return f"{text}\n{self._counted(shown)}"

    def _repr_html_(self) -> str:
        shown = self.head(_SHOWN)
        return f'{html_table(shown)}<div style="opacity:.75">{escape(self._counted(shown))}</div>'

    def _counted(self, shown: pd.DataFrame) -> str:
        return f"{len(shown):,} of {len(self):,} rows of {self.node!r}"


@dataclass(frozen=True)
class _Index:
    """The positions of a node's rows in its shards, and of their origins in the source's shards.

    Attributes
    ----------
    places
        The position of each row among the stored elements; None if rows are stored in order.
    sources
        The position of the origin of each stored element among the elements of the source; None if
        the element at the same position is the origin.
    examples
        Example values of the outputs; see `Outline`.
    source
        The source with fields; None if there are no fields.
    fields
        Example values of each field.
    """

    places: _Numbers | None
    sources: _Numbers | None
    examples: list[Any]
    source: str | None
    fields: dict[str, list[Any]]

    def stored(self, numbers: _Numbers) -> _Numbers:
        """Return the positions at which rows are stored."""
        return numbers if self.places is None else self.places[numbers]

    @cached_property
    def _numbers(self) -> _Numbers | None:
        return None if self.places is None else np.argsort(self.places)

    def numbers(self, start: int, stop: int) -> _Numbers:
        """Return the numbers of the rows that are stored at positions from `start` to `stop`."""
        return np.arange(start, stop) if self._numbers is None else self._numbers[start:stop]

    def origins(self, stored: _Numbers) -> _Numbers:
        """Return the positions in the source of the origins of stored elements."""
        return stored if self.sources is None else self.sources[stored]


def _index(node: str, stored: StoredNode) -> _Index | None:
    """Return the index of a node's rows; None if the outlines of its shards do not suffice."""
    ran, upstream = stored.ran, stored.upstream
    outlines = {name: stored.store.outlines(name) for name in {node, *ran}}
    known = {name: some for name, some in outlines.items() if some is not None}
    if len(known) < len(outlines):
        return None
    found = _fields([known[name] for name in upstream])
    if found is None:
        return None
    own = _origins(known[node])
    places, distinct = _positions([one for name in ran for one in known[name]], own)
    sources = None
    if found:
        sources = places
        if len(ran) > 1:
            sources, distinct = _positions(known[upstream[0]], own)
        if sources is None or not distinct:
            return None
    if places is None:
        return None
    is_source = frames.is_source(stored.kind)
    examples = [item for one in known[node] for item in (one.given if is_source else one.plain)]
    return _Index(
        _order(places, [one.children for one in known[node]]),
        _unless_counting(sources),
        examples,
        upstream[0] if found else None,
        found,
    )


def _fields(sources: Sequence[Sequence[Outline]]) -> dict[str, list[Any]] | None:
    """Return example values of the fields; None if they do not determine the dtypes."""
    full = [[one.fields for one in some if len(one.origins)] for some in sources]
    if not any(fields is None or fields for some in full for fields in some):
        return {}
    if len(full) > 1 or None in full[0] or len({tuple(fields or ()) for fields in full[0]}) > 1:
        return None
    found: dict[str, list[Any]] = {}
    for fields in full[0]:
        for name, cells in (fields or {}).items():
            found.setdefault(name, []).extend(cells)
    return found


def _origins(outlines: Sequence[Outline]) -> NDArray[np.uint64]:
    """Return the hashes of all origins; those of a source are the hashes of its ids."""
    return np.concatenate([*(one.origins for one in outlines), np.empty(0, np.uint64)])


def _positions(
    sources: Sequence[Outline], origins: NDArray[np.uint64]
) -> tuple[_Numbers | None, bool]:
    """Return the position of each origin among the different ids of sources.

    The positions are None if an origin is not found. Also return whether all ids are different.
    """
    ids = _origins(sources)
    ordered = np.sort(ids)
    distinct = not (ordered[1:] == ordered[:-1]).any()
    if distinct and np.array_equal(ids, origins):
        return np.arange(len(ids)), True
    index = pd.Index(ids if distinct else pd.unique(ids))
    found: _Numbers = index.get_indexer(pd.Index(origins))
    return None if (found < 0).any() else found, distinct


def _order(places: _Numbers, children: Sequence[NDArray[np.int64]]) -> _Numbers | None:
    """Return the positions that sort elements by place and child numbers; None if sorted."""
    depth = max((one.shape[1] for one in children), default=0)
    if not depth:
        return None if (places[1:] >= places[:-1]).all() else np.argsort(places, kind="stable")
    filled = [
        np.pad(one, ((0, 0), (0, depth - one.shape[1])), constant_values=-1) for one in children
    ]
    numbers = np.concatenate(filled)
    keys = [*(numbers[:, at] for at in reversed(range(depth))), places]
    return _unless_counting(np.lexsort(keys))


def _unless_counting(numbers: _Numbers | None) -> _Numbers | None:
    """Return None if the numbers are 0, 1, 2 and so on."""
    if numbers is None or np.array_equal(numbers, np.arange(len(numbers))):
        return None
    return numbers


def _places(stored: _Numbers, counts: Sequence[int]) -> Places:
    """Return the shard, and the position in it, of elements at ascending positions."""
    ends = np.cumsum(counts)
    shards = np.searchsorted(ends, stored, side="right")
    starts = ends - counts
    return {
        int(shard): stored[shards == shard] - starts[shard] for shard in np.unique(shards).tolist()
    }


def _number(n: Any) -> int:
    if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 0:
        raise ResultError(f"n is a number of rows, 0 or more, not {n!r}")
    return int(n)


def _numbers(numbers: Any) -> _Numbers:
    given = np.asarray(numbers)
    if given.ndim != 1 or (len(given) and given.dtype.kind not in "iu"):
        raise ResultError(f"expected a list of row numbers, not {shown(numbers)}")
    return given.astype(np.intp)
