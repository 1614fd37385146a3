"""HTML tables for light and dark themes, offline and without scripts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype, is_scalar

from mmnotebook.results.values import is_prediction, plain

MISSING = "–"
_LIMIT = 120
_ITEMS = 3
_LINE = "1px solid rgba(128,128,128,.35)"
_TABLE = (
    "border-collapse:collapse;border:none;color:inherit;background:none;margin:.4em 0;"
    "font-size:90%;font-variant-numeric:tabular-nums"
)


def html_table(frame: pd.DataFrame, *, max_rows: int = 20, whole: Collection[str] = ()) -> str:
    """Format a frame as an HTML table that inherits the page's colors.

    Parameters
    ----------
    frame
        Any frame; its index is shown if it has a name.
    max_rows
        The maximum number of rows. If there are more, a line under the table says so.
    whole
        Columns whose texts are not cut.

    Returns
    -------
    str
        The HTML. All text is escaped, long text is cut, and an array is shown by its shape and its
        first values.
    """
    shown = frame.head(max_rows)
    numeric = [_is_numeric(frame.iloc[:, place]) for place in range(frame.shape[1])]
    names = [str(name) for name in frame.columns]
    columns = [
        [str(value) if name in whole else short(value) for value in shown.iloc[:, place]]
        for place, name in enumerate(names)
    ]
    if frame.index.name is not None:
        numeric = [is_numeric_dtype(frame.index), *numeric]
        columns = [[short(label) for label in shown.index], *columns]
        names = [str(frame.index.name), *names]
    cut = ""
    if len(shown) < len(frame):
        cut = f'<div style="opacity:.75">{len(shown):,} of {len(frame):,} rows</div>'
    return text_table(names, zip(*columns, strict=True), numeric, cut)


def text_table(
    names: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool], below: str = ""
) -> str:
    """Format texts as an HTML table; `right` has True for each right-aligned column.

    Everything is escaped except `below`, HTML that is placed under the table.
    """
    head = _row("th", names, right)
    body = "".join(_row("td", cells, right) for cells in rows)
    return (
        '<div class="mm-table" style="overflow-x:auto">'
        f'<table style="{_TABLE}"><thead>{head}</thead><tbody>{body}</tbody></table>{below}</div>'
    )


def _row(tag: str, cells: Iterable[str], numeric: Iterable[bool]) -> str:
    style = f"padding:.2em .7em;border-bottom:{_LINE};text-align:"
    inner = "".join(
        f'<{tag} style="{style}{"right" if right else "left"}">{escape(cell)}</{tag}>'
        for cell, right in zip(cells, numeric, strict=True)
    )
    return f"<tr>{inner}</tr>"


def _is_numeric(values: pd.Series) -> bool:
    return bool(is_numeric_dtype(values) and not is_bool_dtype(values))


def short(value: Any) -> str:
    """Format a value in one line of at most 120 characters: `array(64,) [0.0, 5.0, 13.0, …]`."""
    try:
        return brief(value)
    except Exception:  # noqa: BLE001 - the object's `__repr__` failed
        return f"<a {type(value).__name__} that cannot be shown>"


def brief(value: Any) -> str:
    """Format a value like `short`, but raise the exceptions of its methods."""
    if (
        is_prediction(value)
        or hasattr(type(value), "untyped_storage")
        or isinstance(value, np.generic)
    ):
        value = plain(value)
    if isinstance(value, np.ndarray):
        return _cut(f"array{value.shape} {_items(value.ravel()[: _ITEMS + 1].tolist())}")
    if isinstance(value, dict):
        return _cut(_dict(value))
    if isinstance(value, (list, tuple)):
        return _cut(_items(value[: _ITEMS + 1]))
    if isinstance(value, str):
        return _cut(" ".join(value[: 4 * _LIMIT].split()))
    if value is None or (is_scalar(value) and pd.isna(value)):
        return MISSING
    return (
        _number(value) if isinstance(value, (int, float)) else _cut(" ".join(repr(value).split()))
    )


def _number(value: float) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if 9999.5 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    text = f"{value:.4g}"
    return f"{text}.0" if value.is_integer() and "e" not in text else text


def _items(items: Iterable[Any]) -> str:
    texts = [brief(item) for item in items]
    more = ["…"] if len(texts) > _ITEMS else []
    return f"[{', '.join([*texts[:_ITEMS], *more])}]"


def _dict(value: dict[Any, Any]) -> str:
    texts = [f"{key}: {brief(item)}" for key, item in list(value.items())[: _ITEMS + 1]]
    more = ["…"] if len(texts) > _ITEMS else []
    return f"{{{', '.join([*texts[:_ITEMS], *more])}}}"


def _cut(text: str) -> str:
    return text if len(text) <= _LIMIT else text[: _LIMIT - 1] + "…"
