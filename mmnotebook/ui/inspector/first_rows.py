"""`mm.inspect`: the first rows of a node, as a DataFrame that is displayed as an inspector."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

import pandas as pd

from mmnotebook.compat.pandas import attributes
from mmnotebook.notebook_state import has_kernel
from mmnotebook.results.inspection import failures
from mmnotebook.results.inspection import inspect as plain_inspect
from mmnotebook.results.results import Result
from mmnotebook.results.tables import short

ALIVE = 32
"""Number of inspectors that stay open, as Python cannot know which of them are still visible."""
_alive: deque[Any] = deque()


class _Inspection(NamedTuple):
    """The arguments of `inspect`, and the rows that it returned."""

    result: Result
    node: str
    where: str | None
    n: int
    answer: pd.DataFrame


@attributes("_inspection")
class InspectedFrame(pd.DataFrame):  # type: ignore[misc]  # pandas has no types
    """Rows of a node: a DataFrame that a notebook displays as an inspector.

    Objects derived from it (slices, copies, pickles, sums) are plain DataFrames. After a change,
    it is displayed as a plain DataFrame.
    """

    _inspection: _Inspection | None = None

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        plain: type[pd.DataFrame] = pd.DataFrame
        return plain

    def __reduce_ex__(self, protocol: Any) -> Any:
        return pd.DataFrame, (pd.DataFrame(self),)

    def _repr_html_(self) -> str | None:
        inspection = self._inspection
        if inspection is None or not _same(self, inspection.answer):
            html: str | None = super()._repr_html_()
            return html
        from mmnotebook.ui.inspector import static_view
        from mmnotebook.ui.inspector.pages import NodeRows

        rows, failed = (
            NodeRows(inspection.result.table(inspection.node)),
            NodeRows(failures(inspection.result, inspection.node)),
        )
        return static_view.page(rows, failed, where=inspection.where, size=inspection.n)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        html = self._repr_html_()
        try:
            plain = repr(self)
        except Exception:  # noqa: BLE001 - objects in cells may raise anything
            plain = self.map(short).to_string()
        shown = {"text/plain": plain} | ({} if html is None else {"text/html": html})
        widget = self._widget()
        return ({} if widget is None else widget._repr_mimebundle_()) | shown

    def _ipython_display_(self) -> None:
        """Display the widget, and the static view in a separate output.

        JupyterLab shows an error for a widget without a kernel, even if the output has other
        formats.
        """
        widget = self._widget()
        if widget is None:
            raise NotImplementedError  # IPython tries the other formats
        from IPython.display import display

        from mmnotebook.ui.common.static_output import show_live
        from mmnotebook.ui.inspector.static_view import STYLE

        show_live(widget)
        display({"text/plain": repr(self), "text/html": f"{STYLE}{self._repr_html_()}"}, raw=True)

    def _widget(self) -> Any:
        """Return the inspector; None if there is no kernel, or the frame was changed."""
        inspection = self._inspection
        if inspection is None or not has_kernel() or not _same(self, inspection.answer):
            return None
        from mmnotebook.ui.common.close_widgets import discard
        from mmnotebook.ui.inspector.widget import Inspector

        shown = Inspector(
            inspection.result, inspection.node, where=inspection.where or "", n=inspection.n
        )
        _alive.append(shown)
        while len(_alive) > ALIVE:
            discard(_alive.popleft())
        return shown


def inspect(result: Result, node: str, n: int = 20, where: str | None = None) -> pd.DataFrame:
    """Return the first rows of a node, in source order; in a notebook, an interactive table.

    Without `where`, only what is shown is read; see `Result.table`.

    Parameters
    ----------
    result
        The result of a run.
    node
        A node, or the name of a group.
    n
        The maximum number of rows, 1 or more; in the table, the number of rows per page.
    where
        A condition for rows: an expression over the columns, written as for pandas' `query`, such
        as "prediction != label", "`petal width` > 2 and key == 'de'", "label in [3, 5]",
        "prediction['score'] < 0.5" or "text.str.contains('free')". It is not executed as Python: it
        can use the columns, and calls of isna, notna, isin, between, abs, len and, for strings
        (`.str`), contains, startswith, endswith, match, fullmatch, lower, upper, strip, len.
        Patterns are literal; `regex=True`, match and fullmatch use RE2's regular expressions. Only
        plain values are compared: numbers, strings, truth values, dates and times. A row whose
        values cannot be compared (a string with a number, an object of another class), or for which
        the condition is missing, is left out. It is an error if no row's values can be compared.

    Returns
    -------
    DataFrame
        See `Result.__getitem__` for its columns. As the last expression of a cell it is shown as
        the inspector: all of the node's elements with search, sorting and pages, its failures, and
        the path of each element through the graph.

    Raises
    ------
    ResultError
        If `n` is not a positive integer, or `where` cannot be evaluated.
    GraphError, RunError
        If the graph has no such node, or the node did not run.

    See Also
    --------
    trace : Follow one element through every node.
    dashboard : Compare the models and steps of runs.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> def double(x):
    ...     return 2 * x
    >>> graph = mm.pipeline("numbers | double", numbers=[1, 2, 3], double=double)
    >>> result = mm.run(graph, progress=False)
    >>> mm.inspect(result, "double", where="value > 2")
      id  value   key
    0  1      4  None
    1  2      6  None
    """
    answer = plain_inspect(result, node, n, where)
    shown = InspectedFrame(answer.copy())
    shown._inspection = _Inspection(result, node, where, int(n), answer)
    return shown


def _same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Return whether two frames are equal; object columns must hold identical objects."""
    if one.shape != other.shape or not (one.columns.equals(other.columns)):
        return False
    return one.index.equals(other.index) and all(
        _same_column(one.iloc[:, place], other.iloc[:, place]) for place in range(one.shape[1])
    )


def _same_column(one: pd.Series, other: pd.Series) -> bool:
    if one.dtype != object or other.dtype != object:
        return bool(one.equals(other))
    return all(left is right for left, right in zip(one, other, strict=True))
