"""`explain`: how each step of a graph will run, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmnotebook.beam.keyed.lowering_choice import Decision
from mmnotebook.beam.lowering import step
from mmnotebook.beam.prepare import Prepared, prepare
from mmnotebook.errors import counted
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.results.tables import html_table
from mmnotebook.running.identities import reasons

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Explanation:
    """How each step of a graph will run: the return value of `explain`.

    Attributes
    ----------
    table
        One row per node, in graph order. The columns are node, kind, lowering, group, max_models
        and reason. `reason` says how the node runs, and why; if it is known before the run that the
        node cannot be cached, it also says why. `lowering` ("blocks" or "beam"), `group` and
        `max_models` are set only for a model per key.

    See Also
    --------
    explain : Explain a graph.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> def double(x):
    ...     return 2 * x
    >>> graph = mm.pipeline("numbers | double", numbers=[1, 2, 3], double=double)
    >>> mm.explain(graph).table[["node", "reason"]]
          node                            reason
    0  numbers  data of the notebook, 3 elements
    1   double          a function of each value
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
        A row per node. For a node that every run computes again, it includes the reason, if this
        is known before the run. For a model per key, it includes the chosen lowering and grouping,
        and the estimated numbers of model loads and model calls on which the choice is based. They
        are estimated from the keys of the source's first elements.

    Raises
    ------
    GraphError, ModelError, RunError
        If the graph is not valid, or a name is unknown; a run raises the same errors.

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
    uncached = reasons(prepared)
    rows = [_row(node, prepared, uncached[node.name]) for node in prepared.graph.order()]
    columns = ["node", "kind", "lowering", "group", "max_models", "reason"]
    table = pd.DataFrame(rows, columns=columns, dtype=object)
    return Explanation(table.astype({"max_models": "Int64"}))


def _row(node: Node, prepared: Prepared, uncached: str) -> dict[str, Any]:
    row: dict[str, Any] = {"node": node.name, "kind": node.kind, "lowering": None, "group": None}
    row["reason"] = _reason(node, prepared) + (uncached and f"; not cacheable: {uncached}")
    decision = prepared.decisions.get(node.name)
    if not isinstance(decision, Decision):  # a step kind of another package may use another class
        return {**row, "max_models": None}
    return {
        **row,
        "lowering": decision.lowering,
        "group": decision.grouped,
        "max_models": node["max_models"],
    }


def _of_pcollection(node: Node, pcoll: Any) -> str:
    """Return how the elements of a PCollection get their ids."""
    if node["id"] is not None:
        return f"a PCollection of your pipeline; ids from its field {node['id']!r}"
    if pcoll.is_bounded:
        return "a PCollection of your pipeline; ids are hashes of the values"
    return (
        "a PCollection of your pipeline; ids are random after a hash of the value, since it is "
        'unbounded: id="field" makes them stable'
    )


def _reason(node: Node, prepared: Prepared) -> str:
    """Return how a step runs, and why."""
    count = prepared.totals().get(node.name)
    known = "" if count is None else f", {counted(count, 'element')}"
    if node.step.reads_files or node.name in prepared.plans:
        return f"files, read when the run needs them{known}"
    if not node.inputs:
        if node.name in prepared.pcollections:
            return _of_pcollection(node, prepared.pcollections[node.name])
        return f"data of the notebook{known}" if known else "a Beam transform"
    explain, how = step.of_kind(node.step).explain, node.step.how
    if explain is not None:
        return explain(prepared.bound(node))
    together = ", of all inputs for one element, joined by id" if node.gather == "join" else ""
    return (how(node) if callable(how) else how or node.step.summary) + together
