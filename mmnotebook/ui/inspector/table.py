"""The table in the browser: typed traits and no algorithm."""

from __future__ import annotations

from typing import Any

import traitlets

from mmnotebook.ui.common.bundle import BundledWidget


class Table(BundledWidget):
    """One page of cells; `frontend/src/table.ts` draws it and has the forms of its values.

    A row that is clicked sends `{"type": "open", "row": place}`, a button of the pager
    `{"type": "page", "to": "first" | "previous" | "next" | "last"}`.

    Attributes
    ----------
    label
        What the table is, for screen readers.
    columns
        {"name", "numeric"} of each.
    rows
        The cells of each row, as `Cell.as_json` gives them.
    sort
        {"column": place, "ascending": bool}, {} for none; both ways.
    sortable
        Do the headers sort?
    selected
        The places of the rows that are marked.
    pager
        {"text", "back": bool, "forward": bool}; {} for no pager.
    opens
        What a click on a row does, in words; "" when it does nothing.
    empty
        What to say when there are no rows.
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
