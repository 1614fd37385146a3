"""Stored elements as frames: one row each, in the sources' order, with the sources' fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from mmnotebook.analysis.records import Failure, Record
from mmnotebook.analysis.values import column, is_prediction, plain, same

PREDICTING = ("model", "cascade", "keyed")
"""The kinds of step whose elements are predictions."""

RESERVED = ("id", "prediction", "model", "value", "key")
"""Columns whose names a source's field may not take; it becomes `<name>_field`."""

FAILED = ("node", "id", "error", "message", "traceback")


class Order:
    """Where an element stands: by its origin's place in the sources, a child after its elders."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._place: dict[str, int] = {}
        for id in ids:
            self._place.setdefault(id, len(self._place))

    def key(self, id: str, origin: str) -> tuple[int, tuple[int, ...]]:
        """What to sort by; an origin that no source knows comes last."""
        return self._place.get(origin, len(self._place)), _lineage(id, origin)

    def origin(self, id: str) -> str:
        """The source's element that `id` comes from, `id` itself where no source has one."""
        elder = id
        while elder not in self._place and "/" in elder:
            elder = elder.rpartition("/")[0]
        return elder if elder in self._place else id


def _lineage(id: str, origin: str) -> tuple[int, ...]:
    """(3, 0) for the child "p/3/0" of "p"; () for what is no child."""
    if not id.startswith(f"{origin}/"):
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


def rows(records: Iterable[Record], kind: str, order: Order) -> pd.DataFrame:
    """A node's elements in source order.

    Returns
    -------
    DataFrame
        Index: the origins. Columns: id, then prediction and model where the node's kind
        predicts, otherwise value, then key.
    """
    found = sorted(records, key=lambda record: order.key(record.id, record.origin))
    columns: dict[str, Sequence[Any]] = {"id": [record.id for record in found]}
    if kind in PREDICTING:
        columns["prediction"] = [plain(record.value) for record in found]
        columns["model"] = [
            record.value.model_id if is_prediction(record.value) else None for record in found
        ]
    elif kind in ("source", "read"):  # what the user gave, as it is
        columns["value"] = [record.value for record in found]
    else:
        columns["value"] = [plain(record.value) for record in found]
    columns["key"] = [record.key for record in found]
    return _indexed(columns, [record.origin for record in found])


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
    ids = sorted(origins, key=lambda id: order.key(id, origins[id]))
    columns: dict[str, Sequence[Any]] = {"id": ids}
    for name, values in outputs.items():
        columns["id_node" if name == "id" else name] = [values.get(id) for id in ids]
    return _indexed(columns, [origins[id] for id in ids])


def _indexed(columns: Mapping[str, Sequence[Any]], origins: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame({name: column(values) for name, values in columns.items()})
    return frame.set_axis(pd.Index(origins, dtype=object), axis=0)


def with_fields(rows: pd.DataFrame, fields: pd.DataFrame) -> pd.DataFrame:
    """id, the fields of each row's origin, then the other columns of `rows`; index from 0."""
    place = fields.index.get_indexer(rows.index)
    known = (place >= 0).all()
    own = fields.take(place) if known else fields.reindex(rows.index)  # take keeps the types
    own = own.set_axis(_free_names(fields.columns, {*RESERVED, *rows.columns}), axis=1)
    own, rows = own.reset_index(drop=True), rows.reset_index(drop=True)
    return pd.concat([rows[["id"]], own, rows.drop(columns="id")], axis=1)


def _free_names(names: Iterable[Any], reserved: set[str]) -> list[Any]:
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
    place = {name: index for index, name in enumerate(nodes)}
    ranked = sorted(
        found,
        key=lambda f: (place.get(f.node, len(place)), order.key(f.id, order.origin(f.id))),
    )
    return pd.DataFrame(
        {name: column([getattr(failure, name) for failure in ranked]) for name in FAILED}
    )
