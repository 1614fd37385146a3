"""`Result`: the results of a run as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, NoReturn

import pandas as pd

from mmnotebook.errors import RunError, no_attribute
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.results import arms, frames, metrics, summary
from mmnotebook.results.metrics import ModelMeasure, NodeMeasure
from mmnotebook.results.records import Elements, ElementStore, Machine, Warned


class Result:
    """Results of a run.

    `result[node]` is a DataFrame of the node's elements, built when first asked for.

    Parameters
    ----------
    graph
        The graph that ran.
    store
        The store of its elements.
    nodes
        Measures of each node, in graph order; a node that is not in it did not run.
    models
        Measures of each model, including latency sketches.
    seconds
        Time of the whole run in seconds.
    machine
        Memory of the machine.
    why
        By node, why it was computed, or that it was read from the cache.
    limit
        The number of elements used from each source; None for all.
    warnings
        The distinct warnings of the nodes.

    Attributes
    ----------
    measures, sketches
        The arguments `nodes` and `models`.
    warned
        The argument `warnings`.
    finished
        The end of the run, in local time.
    arms
        DataFrame of the elements per branch of a split or a switch, or per model of a cascade or a
        keyed step: index (node, arm), columns elements, share and expected (of a split).
    """

    def __init__(
        self,
        graph: Graph,
        store: ElementStore,
        nodes: Mapping[str, NodeMeasure],
        models: Mapping[str, ModelMeasure],
        seconds: float,
        machine: Machine,
        why: Mapping[str, str] | None = None,
        limit: int | None = None,
        warnings: Sequence[Warned] = (),
    ) -> None:
        self.graph = graph
        self.measures = dict(nodes)
        self.sketches = dict(models)
        self.seconds = seconds
        self.machine = machine
        self.why = dict(why or {})
        self.limit = limit
        self.warned = tuple(warnings)
        self.finished = datetime.now().astimezone()
        self._store = store
        self._rows: dict[str, pd.DataFrame] = {}
        self._frames: dict[str, pd.DataFrame] = {}
        self._tables: dict[tuple[str, ...], pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        """The elements of a node, or of a name for several, in the order of the sources.

        Returns
        -------
        DataFrame
            id, the source's fields, then prediction, model and key for a node that predicts and
            value and key for any other. For a name of several nodes: id, the source's fields and
            a column per node, missing where the element did not come by.

        Raises
        ------
        GraphError
            When the graph has no such name.
        RunError
            When the node was not part of the run.
        """
        if name not in self._frames:
            members = self._members(name)
            rows = self.rows(name) if members is None else self._joined(members)
            fields = self._fields(self._sources(members or (name,)))
            self._frames[name] = frames.with_fields(rows, fields)
        # A copy, so that what is written into it stays outside.
        return self._frames[name].copy()

    def __getattr__(self, name: str) -> NoReturn:
        """Say what was meant: Python comes here for what a result does not have."""
        kind = type(self)
        if name.startswith("_") or hasattr(kind, name):
            object.__getattribute__(self, name)  # raises what it has to say
        if name in self.graph.names:
            raise AttributeError(
                f"a result has no attribute {name!r}; result[{name!r}] has its rows"
            )
        raise no_attribute("a result", name, dir(kind))

    def rows(self, node: str) -> pd.DataFrame:
        """Return the elements of one node without the sources' fields, indexed by origin."""
        if node not in self._rows:
            self._check_ran(node)
            elements = self._store.elements(node)
            self._rows[node] = frames.rows(elements, self.measures[node].kind, self._order)
        return self._rows[node]

    def elements(self, node: str) -> Elements:
        """Return the stored elements of one node, in the order in which they were computed."""
        self._check_ran(node)
        return self._store.elements(node)

    def _joined(self, members: tuple[str, ...]) -> pd.DataFrame:
        return frames.joined({name: self.rows(name) for name in members}, self._order)

    def _members(self, name: str) -> tuple[str, ...] | None:
        """The nodes that a group's name stands for, None for a name that is no group's."""
        return next((group.members for group in self.graph.groups if group.name == name), None)

    def _check_ran(self, node: str) -> None:
        if node in self.measures:
            return
        if node not in self.graph:
            raise self.graph.unknown(node)
        ran = ", ".join(self.measures) or "none"
        raise RunError(
            f"the node {node!r} was not part of this run; nodes that ran: {ran}",
            remedy=f"run the graph up to that node: mm.run(graph, until={node!r})",
            node=node,
        )

    def __iter__(self) -> Iterator[str]:
        """Return the names of the nodes that ran."""
        return iter(self.measures)

    def __len__(self) -> int:
        return len(self.measures)

    def __contains__(self, name: object) -> bool:
        """Does `result[name]` give a frame?"""
        members = self._members(name) if isinstance(name, str) else None
        return name in self.measures if members is None else self.measures.keys() >= set(members)

    def keys(self) -> tuple[str, ...]:
        """Return the names of the nodes that ran."""
        return tuple(self.measures)

    def _ipython_key_completions_(self) -> list[str]:
        return [*self.measures, *(group.name for group in self.graph.groups if group.name in self)]

    def _sources(self, names: Sequence[str]) -> tuple[str, ...]:
        """The sources that ran and that one of the nodes comes from."""
        above = {node.name for name in names for node in self.graph.upto(name)}
        return tuple(
            node.name
            for node in self.graph.order()
            if not node.inputs and node.name in above and node.name in self.measures
        )

    def _fields(self, sources: tuple[str, ...]) -> pd.DataFrame:
        if sources not in self._tables:
            self._tables[sources] = frames.unique_fields(self._store.fields(sources))
        return self._tables[sources]

    @cached_property
    def _order(self) -> frames.Order:
        return frames.Order(self._fields(self._sources(tuple(self.measures))).index)

    @cached_property
    def failed(self) -> pd.DataFrame:
        """One row per failure: node, id, error, message, traceback."""
        nodes = [name for name, measure in self.measures.items() if measure.failed]
        order = self._order if nodes else frames.Order(pd.Index([], dtype=object))
        return frames.failures(self._store.failures(nodes), nodes, order)

    @cached_property
    def warnings(self) -> pd.DataFrame:
        """One row per distinct warning of a model or a function, those of cached nodes included.

        Returns
        -------
        DataFrame
            node, model (missing for a function), category, message, count (how many times it was
            raised and no filter of `warnings` ignored it), module, filename and lineno.
        """
        rows = [[getattr(one, name) for name in frames.WARNED] for one in self.warned]
        return pd.DataFrame(rows, columns=list(frames.WARNED))

    @cached_property
    def nodes(self) -> pd.DataFrame:
        """What each node did; see `metrics.node_table`."""
        return metrics.node_table(self.measures)

    @cached_property
    def models(self) -> pd.DataFrame:
        """What each model did, latencies per batch; see `metrics.model_table`."""
        return metrics.model_table(self.sketches)

    @cached_property
    def arms(self) -> pd.DataFrame:
        """Elements per branch; see `arms.table`. By (node, arm)."""
        ran = [node for node in self.graph.order() if node.name in self.measures]
        return arms.table(ran, self._store.elements)

    def counts(self) -> dict[tuple[str, str], int]:
        """Elements per wire, by (upstream, node); unknown counts are left out."""
        found = {
            (wire.node, node.name): self._count(self.graph[wire.node], node)
            for node in self.graph
            for wire in node.inputs
        }
        return {ends: count for ends, count in found.items() if count is not None}

    def _count(self, upstream: Node, node: Node) -> int | None:
        """Elements on the wires between two nodes."""
        if upstream.name not in self.measures or node.name not in self.measures:
            return None
        ports = {wire.port for wire in node.inputs if wire.node == upstream.name}
        if ports.issuperset(upstream.arms or ports):
            return self.measures[upstream.name].elements_out
        if all(wire.node == upstream.name for wire in node.inputs):
            return self.measures[node.name].elements_in
        return None

    def __repr__(self) -> str:
        return summary.text(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": summary.text(self), "text/html": summary.html(self)}
