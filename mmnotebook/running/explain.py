"""`explain`: how each step of a graph will run, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmnotebook.beam.inference.handlers import base_handler
from mmnotebook.beam.inference.inference import batching
from mmnotebook.beam.prepare import Prepared, prepare
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.results.tables import html_table

if TYPE_CHECKING:
    import pandas as pd

_HOW = {
    "map": "a function of each value",
    "flat_map": "a function of each value; each item it returns is an element",
    "filter": "the values for which a function is true",
    "switch": "a function of each value chooses its branch",
    "vote": "the label that most models returned",
    "mean": "the mean of the outputs",
    "stack": "the outputs as one array",
}


@dataclass(frozen=True, repr=False)
class Explanation:
    """How each step of a graph will run: the return value of `explain`.

    Attributes
    ----------
    table
        A row per node, in graph order. Columns: node, kind; lowering ("blocks" or "beam"), group
        and max_models of a model per key, missing for other steps; reason, how it runs and why.

    See Also
    --------
    explain : Explain a graph.
    """

    table: pd.DataFrame

    def __repr__(self) -> str:
        lines = []
        for row in self.table.to_dict("records"):
            how = ""
            if row["lowering"] is not None:
                grouped = "grouped by model" if row["group"] else "in arrival order"
                how = f" [{row['lowering']}, {grouped}]"
            lines.append(f"{row['node']} ({row['kind']}){how}: {row['reason']}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        keyed = self.table["lowering"].notna().any()
        shown = self.table if keyed else self.table[["node", "kind", "reason"]]
        table = html_table(shown, max_rows=len(shown), whole=["reason"])
        return f'<div class="mm-explanation">{table}</div>'


def explain(graph: Graph) -> Explanation:
    """Explain how each step of a graph will run and why, from what is known before the run.

    Parameters
    ----------
    graph
        The graph. Names that are not bound in it are looked up in the notebook, models in the
        registry.

    Returns
    -------
    Explanation
        For a model per key the lowering and the grouping, with the numbers behind the choice: how
        many loads and calls of models the keys of the source's first elements would take.

    Raises
    ------
    GraphError, ModelError, RunError
        As for a run: if the graph is not valid, or a name is unknown.

    See Also
    --------
    run : Run the graph.
    forecast : The memory and time that a run of other models would take.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> def double(x):
    ...     return 2 * x
    >>> graph = mm.pipeline("numbers | double", numbers=[1, 2, 3], double=double)
    >>> mm.explain(graph)
    numbers (source): data of the notebook, 3 elements
    double (map): a function of each value
    """
    import pandas as pd

    prepared = prepare(graph)
    rows = [_row(node, prepared) for node in prepared.graph.order()]
    columns = ["node", "kind", "lowering", "group", "max_models", "reason"]
    table = pd.DataFrame(rows, columns=columns, dtype=object)
    return Explanation(table.astype({"max_models": "Int64"}))


def _row(node: Node, prepared: Prepared) -> dict[str, Any]:
    row: dict[str, Any] = {"node": node.name, "kind": node.kind, "lowering": None, "group": None}
    if node.name not in prepared.keyed:
        return {**row, "max_models": None, "reason": _reason(node, prepared)}
    decision = prepared.keyed[node.name]
    return {
        **row,
        "lowering": decision.lowering,
        "group": decision.grouped,
        "max_models": node["max_models"],
        "reason": "; ".join(decision.why),
    }


def _reason(node: Node, prepared: Prepared) -> str:
    """Return how a step runs that is not a model per key."""
    count = prepared.totals().get(node.name)
    known = "" if count is None else f", {count:,} elements"
    if node.kind == "read" or node.name in prepared.plans:
        return f"files, read when the run needs them{known}"
    if not node.inputs:
        return f"data of the notebook{known}" if known else "a Beam transform"
    if node.kind == "model":
        return _batches(prepared, prepared.model(node).name)
    if node.kind == "cascade":
        small, big = node["small"], node["big"]
        first = f"{small} for every element, {big} where its confidence is below {node['below']}"
        return f"{first}; {_batches(prepared, small)}; {_batches(prepared, big)}"
    if node.kind == "split":
        return f"by a hash of {_hashed(node)}, with salt {node['salt']!r}"
    if node.kind == "write":
        return "all elements in one file"
    together = ", of all inputs for one element, joined by id" if node.gather == "join" else ""
    return _HOW[node.kind] + together


def _hashed(node: Node) -> str:
    if node["by_function"]:
        return f"the value of {node['by_function']}"
    return f"the field {node['by']!r}" if node["by"] else "its id"


def _batches(prepared: Prepared, name: str) -> str:
    spec = prepared.models[name]
    rows, size_of = batching(spec, base_handler(spec))
    if rows == 1 and size_of is None:
        return f"{name}, one element per call"
    unit = "elements" if size_of is None else "by the handler's own measure of size"
    return f"{name} in batches of up to {rows:,} {unit}"
