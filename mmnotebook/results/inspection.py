"""Inspection of elements: rows of a node, and the trace of one element."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from mmnotebook.errors import ResultError
from mmnotebook.results import frames
from mmnotebook.results.latest import expression_of
from mmnotebook.results.results import Result
from mmnotebook.results.values import column
from mmnotebook.results.where import matching, renamed

_TRACE = ("node", "kind", "id", "value", "failed")


def inspect(result: Result, node: str, n: int = 20, where: str | None = None) -> pd.DataFrame:
    """Return the first rows of a node, in source order.

    Parameters
    ----------
    result
        The result of a run.
    node
        The name of a node or group.
    n
        The maximum number of rows to return, 1 or more.
    where
        Return only rows for which this expression over the columns is true, such as
        "prediction != label"; see `where`.

    Raises
    ------
    ResultError
        When `n` is not a number of rows, or `where` cannot be evaluated.
    GraphError, RunError
        When the graph has no such node, or the node did not run.
    """
    if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 1:
        raise ResultError(f"n is a number of rows, 1 or more, not {n!r}")
    table = result.table(node)
    if where is None:
        return table.head(int(n))
    frame = table.to_pandas()
    found = matching(frame, where)
    if not found.any() and (hint := renamed(frame, where)):
        warnings.warn(f"where={where!r} matches no row: {hint}", stacklevel=3)
    return frame[found].head(int(n)).reset_index(drop=True)


def members(result: Result, name: str) -> tuple[str, ...]:
    """Return the names of the nodes in a group; for the name of a node, that name alone."""
    groups = {group.name: group.members for group in result.graph.groups}
    return groups.get(name, (name,))


def failures(result: Result, name: str) -> pd.DataFrame:
    """Return the failures of a node or group, with the columns of `result.failed`.

    The column `node` is dropped for a single node. The rows are numbered from 0.
    """
    nodes = members(result, name)
    if not any(node in result.measures and result.measures[node].failed for node in nodes):
        failed = pd.DataFrame({column: pd.Series([], dtype=object) for column in frames.FAILED})
        return failed if nodes != (name,) else failed.drop(columns="node")
    failed = result.failed[result.failed["node"].isin(nodes)].reset_index(drop=True)
    return failed if nodes != (name,) else failed.drop(columns="node")


def trace(result: Result, id: object) -> pd.DataFrame:
    """Trace one element through every node, with its parents and children.

    Parameters
    ----------
    result
        The result of a run.
    id
        The element's id, as in the column `id` of a node.

    Returns
    -------
    DataFrame
        One row per element and node, in the graph's order: node, kind, id, value (the
        prediction for a node that predicts), failed (the error; missing if there was none).

    Raises
    ------
    ResultError
        If no node received such an element.

    See Also
    --------
    mmnotebook.inspect : Look at the elements of one node.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
    >>> mm.trace(mm.run(graph, progress=False), "1")
          node    kind id  value failed
    0  numbers  source  1      2   None
    1   double     map  1      4   None
    """
    wanted = str(id)
    found = [step for node in result.graph.order() for step in _steps(result, node.name, wanted)]
    if not any(step[2] == wanted for step in found):
        raise _unknown_id(result, wanted)
    columns = list(zip(*found, strict=True))
    return pd.DataFrame(
        {name: column(values) for name, values in zip(_TRACE, columns, strict=True)}
    )


def _steps(result: Result, node: str, wanted: str) -> Iterator[tuple[Any, ...]]:
    """Yield (node, kind, id, value, failed) for each element of a node related to `wanted`."""
    if node not in result:
        return
    kind = result.measures[node].kind
    rows = result.rows(node)
    rows = rows[_related(rows["id"], wanted)]
    output = rows["prediction"] if "prediction" in rows else rows["value"]
    for id, value in zip(rows["id"], output, strict=True):
        yield node, kind, id, value, None
    failed = result.failed[result.failed["node"] == node]
    for _, row in failed[_related(failed["id"], wanted)].iterrows():
        yield node, kind, row["id"], None, f"{row['error']}: {row['message']}"


def _related(ids: pd.Series, wanted: str) -> pd.Series:
    """Return for each id whether it is the element, its ancestor or its descendant."""
    parts = wanted.split("/")
    line = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return ids.isin(line) | ids.str.startswith(f"{wanted}/")


def _unknown_id(result: Result, wanted: str) -> ResultError:
    ids = list(dict.fromkeys(id for node in result for id in result.rows(node)["id"]))
    close = difflib.get_close_matches(wanted, ids, n=3, cutoff=0.5) or ids[:3]
    shown = ", ".join(map(repr, close)) or "none: the run has no elements"
    return ResultError(
        f"no node received an element with the id {wanted!r}; "
        f"the nearest of {len(ids):,} ids: {shown}",
        remedy=f'the ids are in {expression_of(result) or "result"}["{next(iter(result))}"]["id"]',
    )
