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
"""Column names that a field cannot have; such a field becomes `<name>_field`."""

FAILED = ("node", "id", "error", "message", "traceback")
WARNED = ("node", "model", "category", "message", "count", "module", "filename", "lineno")


class Order:
    """The order of elements: by position in the sources, children after their parents.

    Parameters
    ----------
    ids
        The ids of the sources' elements, each once.
    """

    def __init__(self, ids: pd.Index) -> None:
        self._ids = ids

    def sort(self, ids: list[str], origins: list[str]) -> NDArray[np.intp]:
        """Return the positions that sort elements into the order of the sources.

        Elements of unknown origin come last; equal elements keep their order.
        """
        places = self._ids.get_indexer(pd.Index(origins, dtype=object))
        places = np.where(places < 0, len(self._ids), places)
        if ids == origins:
            return np.argsort(places, kind="stable")
        lineages = list(map(_lineage, ids, origins))
        keys = list(zip(places.tolist(), lineages, strict=True))
        return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp)

    def origin(self, id: str) -> str:
        """Return the source element that `id` comes from, or `id` itself if there is none."""
        ancestor = id
        while ancestor not in self._ids and "/" in ancestor:
            ancestor = ancestor.rpartition("/")[0]
        return ancestor if ancestor in self._ids else id


def _lineage(id: str, origin: str) -> tuple[int, ...]:
    """Return (3, 0) for the child "p/3/0" of "p"; () for an element that is not a child."""
    if id == origin or not id.startswith(f"{origin}/"):
        return ()
    steps = id[len(origin) + 1 :].split("/")
    return tuple(map(int, steps)) if all(step.isdecimal() for step in steps) else ()


def unique_fields(fields: pd.DataFrame) -> pd.DataFrame:
    """Merge rows that have the same id, as sources that share ids are joined by id.

    If two sources have different values for the same id and field, the cell is missing, since
    the element's value is unknown.
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
    """Return the known cell of each pair; missing if both are known and differ."""
    differ = [
        known and also and not same(left, right)
        for known, also, left, right in zip(one.notna(), other.notna(), one, other, strict=True)
    ]
    return one.where(one.notna(), other).mask(pd.Series(differ, index=one.index))


def rows(elements: Elements, kind: str, order: Order) -> pd.DataFrame:
    """Return a node's elements in source order.

    Returns
    -------
    DataFrame
        Index: the origins. Columns: id, then prediction and model if the node's kind predicts,
        otherwise value, then key.
    """
    columns: dict[str, Sequence[Any]] = {"id": elements.ids}
    if KINDS[kind].family == "model":
        columns["prediction"] = elements.plain()
        columns["model"] = elements.models()
    else:  # a source's elements are not converted
        columns["value"] = elements.given() if KINDS[kind].family == "source" else elements.plain()
    columns["key"] = elements.keys
    return _indexed(columns, elements.origins, order.sort(elements.ids, elements.origins))


def joined(members: Mapping[str, pd.DataFrame], order: Order) -> pd.DataFrame:
    """Return the outputs of several nodes side by side.

    Parameters
    ----------
    members
        The `rows` of each node by its name.

    Returns
    -------
    DataFrame
        Index: the origins. Columns: id and one per node. One row per id that any of the nodes
        has, in source order.
    """
    origin_of: dict[str, str] = {}
    outputs: dict[str, dict[str, Any]] = {}
    for name, frame in members.items():
        origin_of.update(zip(frame["id"], frame.index, strict=True))
        output = frame["prediction"] if "prediction" in frame else frame["value"]
        outputs[name] = dict(zip(frame["id"], output.tolist(), strict=True))
    ids, origins = list(origin_of), list(origin_of.values())
    columns: dict[str, Sequence[Any]] = {"id": ids}
    for name, values in outputs.items():
        columns["id_node" if name == "id" else name] = [values.get(id) for id in ids]
    return _indexed(columns, origins, order.sort(ids, origins))


def _indexed(
    columns: Mapping[str, Sequence[Any]], origins: list[str], places: NDArray[np.intp]
) -> pd.DataFrame:
    """Return a frame of the columns with the index `origins`, its rows taken at `places`."""
    frame = pd.DataFrame({name: column(values) for name, values in columns.items()})
    frame = frame.set_axis(pd.Index(origins, dtype=object), axis=0)
    return frame.take(places)


def with_fields(rows: pd.DataFrame, fields: pd.DataFrame) -> pd.DataFrame:
    """Join id, the fields of each row's origin, and the other columns of `rows`; index from 0."""
    place = fields.index.get_indexer(rows.index)
    known = (place >= 0).all()
    cells = fields.take(place) if known else fields.reindex(rows.index)  # take() keeps the dtypes
    cells = cells.set_axis(free_names(fields.columns, {*RESERVED, *rows.columns}), axis=1)
    cells, rows = cells.reset_index(drop=True), rows.reset_index(drop=True)
    return pd.concat([rows[["id"]], cells, rows.drop(columns="id")], axis=1)


def free_names(names: Iterable[Any], reserved: set[str]) -> list[Any]:
    """Return the names, with `_field` appended to those that clash until they are unique."""
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
    """List the failures by node, then in source order: node, id, error, message, traceback."""
    listed = list(found)
    ids = [failure.id for failure in listed]
    ranked = [listed[place] for place in order.sort(ids, list(map(order.origin, ids)))]
    ranked.sort(key=lambda failure: nodes.index(failure.node))
    return pd.DataFrame(
        {name: column([getattr(failure, name) for failure in ranked]) for name in FAILED}
    )
