"""`mm.cache`, the public interface of the store, and the store of this process."""

from __future__ import annotations

import os
import threading
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from mmnotebook import sizes
from mmnotebook.errors import MMError, StorageError, nearest, shown
from mmnotebook.observing import outcome
from mmnotebook.results.tables import html_table
from mmnotebook.store import entries, eviction, folder
from mmnotebook.store.entries import Entry
from mmnotebook.store.shards import Damaged
from mmnotebook.store.store import Aside, Store, opened

_VERIFY = ("sample", "off", "all")
_COLUMNS = ("node", "kind", "elements", "bytes", "hits", "created", "used")
_stores: dict[tuple[int, Path], Store] = {}
_opening = threading.Lock()


def open_store() -> Store:
    """Return the store of this process in the current cache folder.

    Raises
    ------
    StorageError
        If the folder cannot be used.
    """
    key = os.getpid(), folder.chosen()
    store = _stores.get(key)
    if store is None or (isinstance(store, Aside) and store.can_write_base):
        with _opening:
            if _stores.get(key) is store:
                _stores[key] = opened(key[1])
    return _stores[key]


class Freed(int):
    """The number of freed bytes; `kept` is the number of bytes in entries that are still in use."""

    kept: int
    hint: str

    def __new__(cls, freed: int, kept: int, hint: str = "") -> Freed:
        value = super().__new__(cls, freed)
        value.kept, value.hint = kept, hint
        return value

    def __repr__(self) -> str:
        text = f"{sizes.text(int(self))} freed"
        if self.kept:
            kept = sizes.text(self.kept)
            text += f"; {kept} are kept, since results in this or another kernel use them"
        return f"{text}; {self.hint}" if self.hint else text


class Cache:
    """The cache of computed results: `mm.cache`.

    A run reads a node from the cache if an earlier run, in this kernel or another, has computed the
    node. The cache is in the folder `mmnotebook` of the user's cache folder, or in the folder that
    the environment variable MMNOTEBOOK_CACHE names. If the cache exceeds its limit, the least
    recently used entries are removed. Entries that results in a running kernel use are kept.

    In spot checks, a run computes a few elements of a cached node again and compares them; see
    `verify`.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
    >>> result = mm.run(graph, progress=False)
    >>> "double" in set(mm.cache.entries["node"])
    True
    """

    def __init__(self) -> None:
        self._verify = "sample"

    @property
    def folder(self) -> Path:
        """The cache folder.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> mm.cache.folder.is_dir()
        True
        """
        return open_store().folder

    @property
    def bytes(self) -> int:
        """The size of all entries in bytes.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
        >>> result = mm.run(graph, progress=False)
        >>> 0 < mm.cache.bytes < mm.cache.limit
        True
        """
        return open_store().bytes

    @property
    def limit(self) -> int:
        """The size limit in bytes; set it to a number of bytes or a string such as "20GB".

        Default: 20 GiB, or a quarter of the disk if that is less. The environment variable
        MMNOTEBOOK_CACHE_LIMIT sets it for new processes. A lower limit takes effect immediately.

        Raises
        ------
        MMError
            If the limit is set to any other value.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> limit = mm.cache.limit
        >>> mm.cache.limit = "1TB"
        >>> mm.cache.limit
        1000000000000
        >>> mm.cache.limit = limit
        """
        return open_store().limit

    @limit.setter
    def limit(self, limit: int | str) -> None:
        open_store().limit = sizes.parse("mm.cache.limit", limit)

    @property
    def hits(self) -> int:
        """Cache hits: nodes that this process found in the cache.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
        >>> result = mm.run(graph, progress=False)
        >>> hits = mm.cache.hits
        >>> result = mm.run(graph, progress=False)
        >>> mm.cache.hits > hits
        True
        """
        return open_store().hits

    @property
    def misses(self) -> int:
        """Cache misses: nodes that this process did not find in the cache.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> misses = mm.cache.misses
        >>> graph = mm.pipeline("numbers | triple", numbers=[1, 2], triple=lambda x: 3 * x)
        >>> freed = mm.cache.clear("triple")
        >>> result = mm.run(graph, progress=False)
        >>> mm.cache.misses > misses
        True
        """
        return open_store().misses

    @property
    def checked(self) -> int:
        """The number of spot checks in this process; see `verify`.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
        >>> result = mm.run(graph, progress=False)
        >>> checked = mm.cache.checked
        >>> before, mm.cache.verify = mm.cache.verify, "all"
        >>> result = mm.run(graph, progress=False)
        >>> mm.cache.checked > checked
        True
        >>> mm.cache.verify = before
        """
        return open_store().checked

    @property
    def differed(self) -> int:
        """The number of spot checks in this process whose output differed from the cache.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> mm.cache.differed <= mm.cache.checked
        True
        """
        return open_store().differed

    @property
    def verify(self) -> str:
        """Which cached nodes this process spot-checks: "sample" (the default), "all" or "off".

        "sample" checks some nodes, in at most 3 % of the time that the cache saves; "all" checks
        every node that can be checked; "off" checks none. A spot check computes up to three
        elements of the node again. If they differ from the cache, the entry and all entries
        computed from it are removed and computed again, with a `CacheWarning`.

        Raises
        ------
        MMError
            If `verify` is set to any other value.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> before, mm.cache.verify = mm.cache.verify, "all"
        >>> mm.cache.verify
        'all'
        >>> mm.cache.verify = before
        """
        return self._verify

    @verify.setter
    def verify(self, verify: str) -> None:
        if not isinstance(verify, str) or verify not in _VERIFY:
            close = nearest(verify, _VERIFY) if isinstance(verify, str) else None
            raise MMError(
                f"mm.cache.verify = {shown(verify)}; allowed: "
                + ", ".join(f'"{one}"' for one in _VERIFY)
                + (f"; did you mean {close!r}?" if close else ""),
                remedy='mm.cache.verify = "sample" checks a few nodes from time to time',
            )
        self._verify = verify

    @property
    def entries(self) -> pd.DataFrame:
        """The entries as a table, most recently used first.

        Returns
        -------
        DataFrame
            One row per entry. Columns: node, kind, elements, bytes, hits (how often the entry was
            found), created and used (local time).

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
        >>> result = mm.run(graph, progress=False)
        >>> entries = mm.cache.entries
        >>> entries[entries["node"] == "double"]["kind"].unique().tolist()
        ['map']
        """
        rows = [row for path in eviction.all_entries(open_store().inner) if (row := _row(path))]
        rows.sort(key=lambda row: row[-1], reverse=True)
        frame = pd.DataFrame(rows, columns=list(_COLUMNS))
        types = {"elements": "int64", "bytes": "int64", "hits": "int64"}
        times = dict.fromkeys(("created", "used"), "datetime64[ns]")
        return frame.astype({**types, **times})

    def dependencies(self, node: str) -> pd.DataFrame:
        """Return the dependencies of a node that were observed when its latest entry was computed.

        Parameters
        ----------
        node
            The name of a node that has an entry.

        Returns
        -------
        DataFrame
            One row per dependency; empty if there are none. Columns: kind ("file", "missing file",
            "folder", "environment variable", "working directory", "network"), name (its path or
            name) and changed (whether the dependency has changed since the node was computed).

        Raises
        ------
        StorageError
            If the cache has no entry of a node with this name.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> import mmnotebook as mm
        >>> rate = pathlib.Path(tempfile.mkdtemp(), "rate.txt")
        >>> count = rate.write_text("2.0")
        >>> def priced(x):
        ...     return x * float(rate.read_text())
        >>> graph = mm.pipeline("numbers | priced", numbers=[1, 2], priced=priced)
        >>> result = mm.run(graph, progress=False)
        >>> mm.cache.dependencies("priced")[["kind", "changed"]]
           kind  changed
        0  file    False
        """
        paths = eviction.all_entries(open_store().inner)
        latest = [entry for path in paths if (entry := _entry(path)) is not None]
        latest.sort(key=lambda entry: entry.created)
        found = {entry.meta.get("node", ""): entry.meta for entry in latest}
        if node not in found:
            near = nearest(node, found)
            raise StorageError(
                f"the cache has no entry for {node!r}"
                + (f"; did you mean {near!r}?" if near else ""),
                remedy="mm.cache.entries lists all entries",
            )
        rows = outcome.stored(found[node]).rows()
        frame = pd.DataFrame(rows, columns=["kind", "name", "changed"])
        return frame.astype({"changed": bool})

    def clear(self, node: str | None = None) -> Freed:
        """Remove all entries, except those that results of running kernels use.

        Parameters
        ----------
        node
            The node whose entries are removed. Default: the entries of all nodes are removed.

        Returns
        -------
        Freed
            The number of bytes freed, an int. Its attribute `kept` is the number of bytes that
            remain because results in a running kernel use them.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
        >>> result = mm.run(graph, progress=False)
        >>> freed = mm.cache.clear("double")
        >>> freed.kept > 0  # result uses the entry
        True
        """
        names = set(self.entries["node"].dropna()) if node is not None else set()
        freed, kept = open_store().clear(node)
        hint = ""
        if node is not None and node not in names:
            near = nearest(node, names)
            hint = f"the cache has no entry for {node!r}"
            hint += f", did you mean {near!r}?" if near else ""
        return Freed(freed, kept, hint)

    def __repr__(self) -> str:
        return f"<{self._summary(open_store())}>"

    def _repr_html_(self) -> str:
        frame = self.entries
        for name in ("created", "used"):
            frame[name] = frame[name].dt.strftime("%Y-%m-%d %H:%M")
        summary = f"<div>{escape(self._summary(open_store()))}</div>"
        return summary + (html_table(frame) if len(frame) else "")

    def _summary(self, store: Store) -> str:
        paths = eviction.all_entries(store.inner)
        size = sum(map(eviction.size, paths))
        noun = "entry" if len(paths) == 1 else "entries"
        return (
            f"cache in {str(store.folder)!r}: {len(paths)} {noun}, "
            f"{sizes.text(size)} of at most {sizes.text(store.limit)}; "
            f"in this kernel {store.hits} found, {store.misses} not, "
            f"{store.checked} checked, {store.differed} of them differed"
        )


def _entry(path: Path) -> Entry | None:
    try:
        return entries.read_manifest(path)
    except Damaged:
        return None


def _row(path: Path) -> tuple[Any, ...] | None:
    try:
        entry = entries.read_manifest(path)
    except Damaged:
        return None
    hits, used = entries.use(path)
    node, kind = (entry.meta.get(name) for name in ("node", "kind"))
    times = map(datetime.fromtimestamp, (entry.created, used / 1e9))
    return node, kind, entry.rows, entry.bytes, hits, *times


cache = Cache()
