"""Batches as tables for tree models, including text columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmnotebook.model import input_names
from mmnotebook.model.frameworks import arrays
from mmnotebook.model.inputs import of_table
from mmnotebook.results.values import plain


def of(batch: Sequence[Any], names: Sequence[str] | None, count: int) -> Any:
    """Return a batch as a table with `count` columns; column names are `names`, if known.

    Raises
    ------
    ValueError
        If the examples have another number of features. Some models would accept them silently.
    """
    column = of_table(batch, input_names.of_columns(names))
    if isinstance(column[0], Mapping) or not _has_text(column[0]):
        given = arrays.table(column, names)
    else:
        given = _mixed(column.rows(), names)
    if given.ndim != 2 or given.shape[1] != count:
        found = given.shape[1] if given.ndim == 2 else f"shape {given.shape[1:]}"
        raise ValueError(f"the model has {count} features, the example {found}")
    return given


def _has_text(example: Any) -> bool:
    array = np.asarray(plain(example))
    return array.ndim == 1 and array.dtype.kind in "USO"


def _mixed(rows: Sequence[Any], names: Sequence[str] | None) -> Any:
    """Return rows of numbers and texts as a DataFrame with a dtype per column."""
    import pandas as pd

    return pd.DataFrame([list(row) for row in rows], columns=None if names is None else list(names))
