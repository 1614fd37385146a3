"""The table widget: typed traits, without logic."""

from __future__ import annotations

from typing import Any

import traitlets

from mmnotebook.ui.common.bundle import BundledWidget


class Table(BundledWidget):
    """One page of cells; `frontend/src/table/table.ts` draws it and has the types of its values.

    A click on a row sends `{"type": "open", "row": place}`, a button of the pager
    `{"type": "page", "to": "first" | "previous" | "next" | "last"}`.

    Attributes
    ----------
    label
        The name of the table, for screen readers.
    columns
        {"name", "numeric"} of each column.
    rows
        The cells of each row, from `Cell.as_json`.
    sort
        {"column": place, "ascending": bool}, {} for none; set by Python and by the browser.
    sortable
        Whether clicks on headers sort.
    selected
        The places of the marked rows.
    pager
        {"text", "back": bool, "forward": bool}; {} for no pager.
    opens
        A description of what a click on a row does; "" if it does nothing.
    empty
        The text that is shown if there are no rows.
    """

    bundle = "table"

    label = traitlets.Unicode().tag(sync=True)
    columns: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    rows: traitlets.List[list[dict[str, Any]]] = traitlets.List().tag(sync=True)
    sort = traitlets.Dict().tag(sync=True)
    sortable = traitlets.Bool(True).tag(sync=True)
    selected = traitlets.List(traitlets.Int()).tag(sync=True)
    pager = traitlets.Dict().tag(sync=True)
    opens = traitlets.Unicode().tag(sync=True)
    empty = traitlets.Unicode("No rows").tag(sync=True)
