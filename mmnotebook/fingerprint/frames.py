"""Fingerprints of pandas objects, column by column, independent of their internal layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmnotebook.graph.names import is_a

if TYPE_CHECKING:
    from mmnotebook.fingerprint.walk import Walk


def frame(walk: Walk, value: Any) -> bytes:
    columns = (walk.token(value.iloc[:, place].array) for place in range(value.shape[1]))
    head = walk.tokens(type(value), value.columns, value.index, value.attrs)
    return b"frame" + head + b"".join(columns)


def series(walk: Walk, value: Any) -> bytes:
    return b"series" + walk.tokens(type(value), value.name, value.index, value.attrs, value.array)


def index(walk: Walk, value: Any) -> bytes:
    head = b"index" + walk.tokens(type(value), list(value.names))
    if is_a(value, {("pandas", "RangeIndex")}):
        return head + walk.tokens(value.start, value.stop, value.step)
    if is_a(value, {("pandas", "MultiIndex")}):
        levels = (value.get_level_values(place).array for place in range(value.nlevels))
        return head + b"".join(map(walk.token, levels))
    return head + walk.token(value.array)


def column(walk: Walk, value: Any) -> bytes:
    """Return the token of one column.

    For a categorical, datetime-like or NumPy column, the token is computed from the arrays of the
    column; for any other column, from the list of its values.
    """
    head = b"column" + walk.token(str(value.dtype))
    if is_a(value, {("pandas", "Categorical")}):
        return head + walk.tokens(value.codes, value.categories, value.ordered)
    if is_a(value, {("pandas", "DatetimeLikeArrayMixin")}):
        return head + walk.token(value.asi8)
    if is_a(value, {("pandas", "NumpyExtensionArray")}):
        return head + walk.token(value.to_numpy())
    return head + walk.token(value.astype(object).tolist())


HANDLERS = (
    ({("pandas", "DataFrame")}, frame),
    ({("pandas", "Series")}, series),
    ({("pandas", "Index")}, index),
    ({("pandas", "ExtensionArray")}, column),
)
