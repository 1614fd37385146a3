"""DataFrames of stored elements: one row each, in source order, with source fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmnotebook.graph.kinds import KINDS
from mmnotebook.results.records import Elements, Failure
from mmnotebook.results.values import column, same

RESERVED = ("id", "prediction", "model", "value", "key")
"""Columns whose names a source's field may not take; it becomes `<name>_field`."""

FAILED = ("node", "id", "error", "message", "traceback")
WARNED = ("node", "model", "category", "message", "count", "module", "filename", "lineno")


class Order:
    """Where an element stands: by its origin's place in the sources, a child after its elders.

    Parameters
    ----------
    ids
        Of the sources' elements, each once.
    """

    def __init__(self, ids: pd.Index) -> None:
        self._ids = ids

    def sort(self, ids: list[str], origins: list[str]) -> NDArray[np.intp]:
        """The places of elements in the order of the sources.

        Those of an origin that no source knows come last; what stands equal stays as it is.
        """
        places = self._ids.get_indexer(pd.Index(origins, dtype=object))
        places = np.where(places < 0, len(self._ids), places)
        if ids == origins:
            return np.argsort(places, kind="stable")
        lineages = list(map(_lineage, ids, origins))
        keys = list(zip(places.tolist(), lineages, strict=True))
        return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp)

    def origin(self, id: str) -> str:
        """The source's element that `id` comes from, `id` itself where no source has one."""
        elder = id
        while elder not in self._ids and "/" in elder:
            elder = elder.rpartition("/")[0]
        return elder if elder in self._ids else id


def _lineage(id: str, origin: str) -> tuple[int, ...]:
    """(3, 0) for the child "p/3/0" of "p"; () for what is no child."""
    if id == origin or not id.startswith(f"{origin}/"):
        return ()
    steps = id[len(origin) + 1 :].split("/")
    return tuple(map(int, steps)) if all(step.isdecimal() for step in steps) else ()


def unique_fields(fields: pd.DataFrame) -> pd.DataFrame:
    """One row per id, as sources that share ids are joined by them.

    Where two sources give different cells for one id and field, which of them an element has
    cannot be told: the cell is missing.
    """
    if fields.index.is_unique:
        return fields
    nth = fields.groupby(level=0).cumcount().to_numpy()
    merged = fields[nth == 0]
    for turn in range(1, nth.max() + 1):
        other = fields[nth == turn].reindex(merged.index)
        merged = pd.DataFrame({name: _agreed(merged[name], other[name]) for name in merged})
    return merged


def _agreed(one: pd.Series, other: pd.Series) -> pd.Series:
    """Cell by cell the one that is there; missing where both are and differ."""
    differ = [
        known and also and not same(left, right)
        for known, also, left, right in zip(one.notna(), other.notna(), one, other, strict=True)
    ]
    return one.where(one.notna(), other).mask(pd.Series(differ, index=one.index))


def rows(elements: Elements, kind: str, order: Order) -> pd.DataFrame:
    """A node's elements in source order.

    Returns
    -------
    DataFrame
        Index: the origins. Columns: id, then prediction and model where the node's kind
        predicts, otherwise value, then key.
    """
    columns: dict[str, Sequence[Any]] = {"id": elements.ids}
    if KINDS[kind].family == "model":
        columns["prediction"] = elements.plain()
        columns["model"] = elements.models()
    else:  # what the user gave stays as it is
        columns["value"] = elements.given() if KINDS[kind].family == "source" else elements.plain()
    columns["key"] = elements.keys
    return _indexed(columns, elements.origins, order.sort(elements.ids, elements.origins))


def joined(members: Mapping[str, pd.DataFrame], order: Order) -> pd.DataFrame:
    """The outputs of several nodes side by side.

    Parameters
    ----------
    members
        The `rows` of each node by its name.

    Returns
    -------
    DataFrame
        Index: the origins. Columns: id and one per node; a row per id that any of them has, in
        source order.
    """
    origins: dict[str, str] = {}
    outputs: dict[str, dict[str, Any]] = {}
    for name, frame in members.items():
        origins.update(zip(frame["id"], frame.index, strict=True))
        output = frame["prediction"] if "prediction" in frame else frame["value"]
        outputs[name] = dict(zip(frame["id"], output.tolist(), strict=True))
    ids, above = list(origins), list(origins.values())
    columns: dict[str, Sequence[Any]] = {"id": ids}
    for name, values in outputs.items():
        columns["id_node" if name == "id" else name] = [values.get(id) for id in ids]
    return _indexed(columns, above, order.sort(ids, above))


def _indexed(
    columns: Mapping[str, Sequence[Any]], origins: list[str], places: NDArray[np.intp]
) -> pd.DataFrame:
    """A column each, with the index `origins`; of both the rows at these places."""
    frame = pd.DataFrame({name: column(values) for name, values in columns.items()})
    frame = frame.set_axis(pd.Index(origins, dtype=object), axis=0)
    return frame.take(places)


def with_fields(rows: pd.DataFrame, fields: pd.DataFrame) -> pd.DataFrame:
    """id, the fields of each row's origin, then the other columns of `rows`; index from 0."""
    place = fields.index.get_indexer(rows.index)
    known = (place >= 0).all()
    own = fields.take(place) if known else fields.reindex(rows.index)  # take keeps the types
    own = own.set_axis(free_names(fields.columns, {*RESERVED, *rows.columns}), axis=1)
    own, rows = own.reset_index(drop=True), rows.reset_index(drop=True)
    return pd.concat([rows[["id"]], own, rows.drop(columns="id")], axis=1)


def free_names(names: Iterable[Any], reserved: set[str]) -> list[Any]:
    """The names, those that clash with `-_field` behind them until they do not."""
    names = list(names)
    taken = {*reserved, *names}
    free = []
    for name in names:
        if name in reserved:
            while name in taken:
                name = f"{name}_field"
            taken.add(name)
        free.append(name)
    return free


def failures(found: Iterable[Failure], nodes: Sequence[str], order: Order) -> pd.DataFrame:
    """One row per failure by node, then in source order: node, id, error, message, traceback."""
    given = list(found)
    ids = [failure.id for failure in given]
    ranked = [given[place] for place in order.sort(ids, list(map(order.origin, ids)))]
    ranked.sort(key=lambda failure: nodes.index(failure.node))
    return pd.DataFrame(
        {name: column([getattr(failure, name) for failure in ranked]) for name in FAILED}
    )
