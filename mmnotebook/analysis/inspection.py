"""Looking at what flows: the rows of a node that matter, and one element through every node."""

from __future__ import annotations

import difflib
import io
import tokenize
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from mmnotebook.analysis.naming import expression_of
from mmnotebook.analysis.results import Result
from mmnotebook.analysis.values import column
from mmnotebook.errors import ResultError, nearest, one_line

_TRACE = ("node", "kind", "id", "value", "failed")
_LISTED = 20


def inspect(result: Result, node: str, n: int = 20, where: str | None = None) -> pd.DataFrame:
    """The first rows of a node, in source order.

    Parameters
    ----------
    result
        What a run gave.
    node
        A node, or a name for several.
    n
        How many rows at most, 1 or more.
    where
        Which rows: a pandas query expression over the columns, such as
        "prediction != label" or "`petal width` > 2 and key == 'de'". It sees the columns and
        nothing else. A row for which the answer is missing is left out.

    Raises
    ------
    ResultError
        When `n` is no number of rows, or `where` cannot be answered.
    GraphError, RunError
        When the graph has no such node, or it did not run.
    """
    if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 1:
        raise ResultError(f"n is a number of rows, 1 or more, not {n!r}")
    frame = result[node]
    if where is not None:
        frame = frame[matching(frame, where)].reset_index(drop=True)
    return frame.head(int(n))


def matching(frame: pd.DataFrame, where: str) -> pd.Series:
    """For each row of a frame, is the expression true? See `inspect`, whose errors are its own."""
    if not isinstance(where, str) or not where.strip():
        raise ResultError(f"where= is an expression over the columns, not {where!r}")
    if not len(frame):  # where there were no elements, the fields that they have are not known
        return pd.Series([], dtype=bool)
    try:
        answer = frame.eval(where, engine="python", local_dict={}, global_dict={}, target=None)
    except Exception as error:  # an expression raises whatever a cell can
        raise _refusal(frame, where, error) from error
    if not isinstance(answer, pd.Series) or not _is_truth(answer):
        raise ResultError(
            f"where={where!r} is not true or false for each row",
            remedy="compare columns, for example where='prediction != label'",
        )
    return answer.astype("boolean").fillna(False).astype(bool)


def _is_truth(answer: pd.Series) -> bool:
    kinds = {type(item) for item in answer.dropna()}
    return answer.dtype in ("bool", "boolean") or kinds <= {bool, np.bool_}


def _refusal(frame: pd.DataFrame, where: str, error: Exception) -> ResultError:
    """Why the expression failed: an unknown name, a column of arrays, or what pandas says."""
    columns = [str(name) for name in frame.columns]
    names = _names(where)
    many = [name for name in names if name in columns and _holds_many(frame[name])]
    remedy = f"for example where='prediction != label'; {_quoting(columns)}"
    if isinstance(error, pd.errors.UndefinedVariableError):
        reason = _unknown_column(error, names, columns)
    elif many:
        reason = f"{many[0]!r} has several numbers in a row, and a comparison needs one"
        remedy = "add a map step that makes one number of it, and inspect that node"
    else:
        reason = one_line(error)
    listed = ", ".join(columns[:_LISTED]) + (", …" if len(columns) > _LISTED else "")
    return ResultError(
        f"where={where!r} cannot be answered: {reason}; columns: {listed}", remedy=remedy
    )


def _unknown_column(error: Exception, names: list[str], columns: list[str]) -> str:
    unknown = [name for name in names if name not in columns]
    named = str(error).split("'")[1::2]
    if not named or named[0].startswith("BACKTICK_QUOTED_STRING"):  # pandas' own way with them
        named = unknown or [str(error)]
    culprit = named[0]
    close = nearest(culprit, columns)
    return f"no column {culprit!r}" + (f" (did you mean {close!r}?)" if close else "")


def _quoting(columns: list[str]) -> str:
    odd = next((name for name in columns if not name.isidentifier()), None)
    return "texts stand in quotes" + (f", the column {odd} in backticks" if odd else "")


def _names(where: str) -> list[str]:
    """The names in an expression, those in backticks first."""
    quoted = where.split("`")[1::2]
    rest = " ".join(where.split("`")[::2])
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(rest).readline))
    except (tokenize.TokenError, SyntaxError):
        return quoted
    return quoted + [token.string for token in tokens if token.type == tokenize.NAME]


def _holds_many(values: pd.Series) -> bool:
    return bool(values.dtype == object and any(np.ndim(value) > 0 for value in values.head(100)))


def members(result: Result, name: str) -> tuple[str, ...]:
    """The nodes that a name for several stands for, and the node itself for any other name."""
    groups = {group.name: group.members for group in result.graph.groups}
    return groups.get(name, (name,))


def failures(result: Result, name: str) -> pd.DataFrame:
    """What failed in a node, or in those that a name stands for; the columns of `result.failed`.

    The column `node` is left out where there is one node alone. Index from 0.
    """
    nodes = members(result, name)
    failed = result.failed[result.failed["node"].isin(nodes)].reset_index(drop=True)
    return failed if nodes != (name,) else failed.drop(columns="node")


def trace(result: Result, id: object) -> pd.DataFrame:
    """One element through every node it met, with the elements it comes from and its children.

    Parameters
    ----------
    result
        What a run gave.
    id
        The element's id, as in the column `id` of a node.

    Returns
    -------
    DataFrame
        One row per element and node, in the graph's order: node, kind, id, value (the
        prediction for a node that predicts), failed (the error, missing when it went well).

    Raises
    ------
    ResultError
        When no node has met such an element.
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
    """(node, kind, id, value, failed) for each related element of a node."""
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
    """Which ids are the element, come from it, or are what it comes from."""
    parts = wanted.split("/")
    line = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return ids.isin(line) | ids.str.startswith(f"{wanted}/")


def _unknown_id(result: Result, wanted: str) -> ResultError:
    ids = list(dict.fromkeys(id for node in result for id in result.rows(node)["id"]))
    close = difflib.get_close_matches(wanted, ids, n=3, cutoff=0.5) or ids[:3]
    shown = ", ".join(map(repr, close)) or "none: the run has no element"
    return ResultError(
        f"no node met an element with the id {wanted!r}; of {len(ids):,} ids the nearest: {shown}",
        remedy=f'the ids are in {expression_of(result) or "result"}["{next(iter(result))}"]["id"]',
    )
