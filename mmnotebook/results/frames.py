"""DataFrames of stored elements: a row per element, in source order, with source fields."""

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

        Elements of unknown origin come last. Elements with the same position keep their order.
        """
        places = self._ids.get_indexer(pd.Index(origins, dtype=object))
        places = np.where(places < 0, len(self._ids), places)
        if ids == origins:
            return np.argsort(places, kind="stable")
        lineages = list(map(lineage, ids, origins))
        keys = list(zip(places.tolist(), lineages, strict=True))
        return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp)

    def origin(self, id: str) -> str:
        """Return the id of the source element that `id` is derived from; `id` if there is none."""
        ancestor = id
        while ancestor not in self._ids and "/" in ancestor:
            ancestor = ancestor.rpartition("/")[0]
        return ancestor if ancestor in self._ids else id


def lineage(id: str, origin: str) -> tuple[int, ...]:
    """Return the child numbers in an id: (3, 0) for the child "p/3/0" of "p"; () for no child."""
    if id == origin or not id.startswith(f"{origin}/"):
        return ()
    steps = id[len(origin) + 1 :].split("/")
    return tuple(map(int, steps)) if all(step.isdecimal() for step in steps) else ()


def unique_fields(fields: pd.DataFrame) -> pd.DataFrame:
    """Merge rows that have the same id, because two sources can have the same ids.

    If two sources have different values for the same id and field, the cell is missing, because it
    is unknown which value belongs to the element.
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
    """Return a node's elements in source order; see `in_order`."""
    return in_order(elements, kind, order.sort(elements.ids, elements.origins))


def in_order(
    elements: Elements, kind: str, places: NDArray[np.intp], examples: Sequence[Any] = ()
) -> pd.DataFrame:
    """Return elements of a node in the order of `places`.

    Parameters
    ----------
    elements, kind
        The elements, and the kind of the node.
    places
        The positions of the rows in `elements`.
    examples
        Values from which the dtype of the outputs is inferred, in addition to the outputs.

    Returns
    -------
    DataFrame
        Index: the origins. Columns: id; prediction and model if the node predicts, otherwise
        value; key.
    """
    # The elements of a source are not converted to plain values.
    outputs = elements.given() if is_source(kind) else elements.plain()
    output = column([*outputs, *examples]).iloc[: len(outputs)]
    columns: dict[str, Sequence[Any] | pd.Series] = {"id": elements.ids}
    if KINDS[kind].family == "model":
        columns |= {"prediction": output, "model": elements.models()}
    else:
        columns["value"] = output
    columns["key"] = elements.keys
    return _indexed(columns, elements.origins, places)


def is_source(kind: str) -> bool:
    """Return whether a step kind is a source."""
    return KINDS[kind].family == "source"


def joined(members: Mapping[str, pd.DataFrame], order: Order) -> pd.DataFrame:
    """Return the outputs of several nodes side by side.

    Parameters
    ----------
    members
        The `rows` of each node by its name.

    Returns
    -------
    DataFrame
        Index: the origins. Columns: id, and a column per node. A row for each id in any of
        the nodes, in source order.
    """
    origin_of: dict[str, str] = {}
    outputs: dict[str, dict[str, Any]] = {}
    for name, frame in members.items():
        origin_of.update(zip(frame["id"], frame.index, strict=True))
        output = frame["prediction"] if "prediction" in frame else frame["value"]
        outputs[name] = dict(zip(frame["id"], output.tolist(), strict=True))
    ids, origins = list(origin_of), list(origin_of.values())
    columns: dict[str, Sequence[Any] | pd.Series] = {"id": ids}
    for name, values in outputs.items():
        columns["id_node" if name == "id" else name] = [values.get(id) for id in ids]
    return _indexed(columns, origins, order.sort(ids, origins))


def _indexed(
    columns: Mapping[str, Sequence[Any] | pd.Series],
    origins: list[str],
    places: NDArray[np.intp],
) -> pd.DataFrame:
    """Create a frame with the index `origins`; return its rows in the order of `places`."""
    frame = pd.DataFrame(
        {
            name: values if isinstance(values, pd.Series) else column(values)
            for name, values in columns.items()
        }
    )
    frame = frame.set_axis(pd.Index(origins, dtype=object), axis=0)
    return frame.take(places)


def with_fields(rows: pd.DataFrame, fields: pd.DataFrame) -> pd.DataFrame:
    """Insert the source fields of each row after its id; number the rows from 0."""
    place = fields.index.get_indexer(rows.index)
    known = (place >= 0).all()
    cells = fields.take(place) if known else fields.reindex(rows.index)  # take() keeps the dtypes
    cells = cells.set_axis(free_names(fields.columns, {*RESERVED, *rows.columns}), axis=1)
    cells, rows = cells.reset_index(drop=True), rows.reset_index(drop=True)
    return pd.concat([rows[["id"]], cells, rows.drop(columns="id")], axis=1)


def free_names(names: Iterable[Any], reserved: set[str]) -> list[Any]:
    """Return the names; append `_field` to each reserved name until it is unique."""
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
    """Return a row per failure, by node and then in source order, with the columns `FAILED`."""
    listed = list(found)
    ids = [failure.id for failure in listed]
    ranked = [listed[place] for place in order.sort(ids, list(map(order.origin, ids)))]
    ranked.sort(key=lambda failure: nodes.index(failure.node))
    return pd.DataFrame(
        {name: column([getattr(failure, name) for failure in ranked]) for name in FAILED}
    )
