"""`Result`: the results of a run as tables."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, NoReturn

import pandas as pd

from mmnotebook.errors import ResultError, RunError, no_attribute, shown
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.results import arms, frames, merging, metrics, summary
from mmnotebook.results.metrics import ModelMeasure, NodeMeasure
from mmnotebook.results.node_table import NodeTable, StoredNode
from mmnotebook.results.records import Elements, ElementStore, Machine, Warned


class Result:
    """Results of a run, which `mm.run` returns.

    `result[node]` is a DataFrame of the node's elements, built at the first access and then kept.
    `result.table(node)` reads only the rows that are shown.

    Attributes
    ----------
    graph
        The graph that ran.
    seconds
        Time of the whole run in seconds.
    finished
        The end of the run, in local time.
    limit
        The number of elements used from each source; None for all.
    why
        For each node, the reason why it was computed, or a note that it was read from the cache.
    machine
        Memory of the machine when the run began: `free_bytes` and `total_bytes`.
    measures
        The measures of each node, by name, in graph order; a node without measures did not run.
    sketches
        The measures of each model, by name, with the sketch of its latencies.
    warned
        The distinct warnings of the nodes; `warnings` is the same as a DataFrame.
    digests
        The digest of the content of each model that ran, by model name.
    run_ids
        The ids of the runs whose measures the result has: one, or several after `merge`.
    note
        What the rows are, if they are not all rows of the run; None otherwise.
    about
        Facts about the run that a capsule keeps, such as "versions"; {} for a run of this process.

    See Also
    --------
    mmnotebook.run : Run a graph; returns a `Result`.
    Result.table : A lazy table of a node, for many elements.
    mmnotebook.inspect : The first rows of a node, as an interactive table.
    mmnotebook.trace : Follow one element through all nodes.
    mmnotebook.plot : Plots of a result.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
    >>> result = mm.run(graph, progress=False)
    >>> result["double"]
      id  value   key
    0  0      2  None
    1  1      4  None
    >>> list(result)
    ['numbers', 'double']
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
        digests: Mapping[str, str] | None = None,
        run_ids: Sequence[str] | None = None,
        note: str | None = None,
        arms: pd.DataFrame | None = None,
        sampled: Collection[str] = (),
        paths: Mapping[str, str] | None = None,
    ) -> None:
        """Create the result of a run.

        Parameters
        ----------
        graph, seconds, machine, why, limit, digests, run_ids, note
            The attributes of these names.
        store
            The storage of the run's elements.
        nodes, models, warnings
            The attributes `measures`, `sketches` and `warned`.
        arms
            The table of branches; None computes it from the elements.
        sampled
            The nodes of which only a sample is stored.
        paths
            The folders with the Parquet files of nodes that a cluster keeps.
        """
        self.graph = graph
        self.measures = dict(nodes)
        self.sketches = dict(models)
        self.seconds = seconds
        self.machine = machine
        self.why = dict(why or {})
        self.limit = limit
        self.warned = tuple(warnings)
        self.digests = dict(digests or {})
        self.run_ids = tuple(run_ids or (uuid.uuid4().hex,))
        self.note = note
        self.about: dict[str, Any] = {}
        self.finished = datetime.now().astimezone()
        self._given_arms = arms
        self._sampled, self._paths = frozenset(sampled), dict(paths or {})
        self._store = store
        self._rows: dict[str, pd.DataFrame] = {}
        self._frames: dict[str, pd.DataFrame] = {}
        self._tables: dict[tuple[str, ...], pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Return the elements of a node or group, in the order of the sources.

        Parameters
        ----------
        name
            The name of a node, or of a group of nodes.

        Returns
        -------
        DataFrame
            One row per element, as a new copy. Columns of a node that predicts: id, the source's
            fields, prediction, model, key. Of any other node: id, the source's fields, value, key.
            Of a group: id, the source's fields, and a column per node, missing where the element
            did not reach the node.

        Raises
        ------
        GraphError
            If the graph has no such name.
        RunError
            If the node was not part of the run.
        ResultError
            If only a sample of the node has come back from a cluster: see `table`.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> rows = {"text": ["a", "bc"]}
        >>> graph = mm.pipeline("rows | size", rows=rows, size=lambda row: len(row["text"]))
        >>> mm.run(graph, progress=False)["size"]
          id text  value   key
        0  0    a      1  None
        1  1   bc      2  None
        """
        members = self._members(name)
        for node in members or (name,):
            self._check_whole(node)
        if name not in self._frames:
            rows = self.rows(name) if members is None else self._joined(members)
            fields = self._fields(self._sources(members or (name,)))
            self._frames[name] = frames.with_fields(rows, fields)
        # A copy, so that the user can change it.
        return self._frames[name].copy()

    def table(self, name: str) -> NodeTable:
        """Return the elements of a node or group as a lazy table, which reads what it shows.

        Parameters
        ----------
        name
            The name of a node, or of a group of nodes.

        Returns
        -------
        NodeTable
            A table with the rows, columns and dtypes of `result[name]`: `len(table)`,
            `table.head(n)`, `table.sample(n)`, `table.parts()`, `table.to_pandas()`.

        Raises
        ------
        GraphError
            If the graph has no such name.
        RunError
            If the node was not part of the run.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.pipeline("numbers | double", numbers=range(1000), double=lambda x: 2 * x)
        >>> mm.run(graph, progress=False).table("double")
          id  value   key
        0  0      0  None
        1  1      2  None
        2  2      4  None
        3  3      6  None
        4  4      8  None
        5 of 1,000 rows of 'double'
        """
        members = self._members(name)
        for node in members or (name,):
            self._check_ran(node)
        stored = None
        if members is None:
            ran, upstream = self._sources(tuple(self.measures)), self._sources((name,))
            stored = StoredNode(self._store, self.measures[name].kind, ran, upstream)
        whole = self.measures[name].elements_out if name in self._sampled else None
        return NodeTable(name, stored, lambda: self._unkept(name), whole, self._paths.get(name))

    def _unkept(self, name: str) -> pd.DataFrame:
        """Return `self[name]`, and keep nothing that was not read before."""
        reader = copy.copy(self)
        reader._rows, reader._frames = dict(self._rows), dict(self._frames)
        reader._tables, reader._sampled = dict(self._tables), frozenset()
        return reader[name]

    def __getattr__(self, name: str) -> NoReturn:
        """Raise an error that names the nearest attribute; called for unknown attributes only."""
        kind = type(self)
        if name.startswith("_") or hasattr(kind, name):
            object.__getattribute__(self, name)  # raises the original error
        if name in self.graph.names:
            raise AttributeError(
                f"a result has no attribute {name!r}; result[{name!r}] has its rows"
            )
        raise no_attribute("a result", name, dir(kind))

    def rows(self, node: str) -> pd.DataFrame:
        """Return the elements of one node without the sources' fields, indexed by origin.

        Parameters
        ----------
        node
            The name of a node.

        Returns
        -------
        DataFrame
            The columns of `result[node]` without the source's fields. The index has the id of the
            source element that each row is derived from. Do not change the frame: it is not a copy.

        Raises
        ------
        GraphError
            If the graph has no such node.
        RunError
            If the node was not part of the run.

        See Also
        --------
        Result.elements : The stored elements, as lists.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
        >>> mm.run(graph, progress=False).rows("double")
          id  value   key
        0  0      2  None
        1  1      4  None
        """
        if node not in self._rows:
            self._check_ran(node)
            self._check_whole(node)
            elements = self._store.elements(node)
            self._rows[node] = frames.rows(elements, self.measures[node].kind, self._order)
        return self._rows[node]

    def elements(self, node: str) -> Elements:
        """Return the stored elements of one node, in the order in which they were computed.

        Parameters
        ----------
        node
            The name of a node.

        Returns
        -------
        Elements
            `ids`, `origins` (the id of each element's source element) and `keys` are
            lists of equal length, and so are the results of `given()` (the outputs),
            `plain()` (the same as plain Python and numpy values) and `models()` (the model of
            each prediction).

        Raises
        ------
        GraphError
            If the graph has no such node.
        RunError
            If the node was not part of the run.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
        >>> elements = mm.run(graph, progress=False).elements("double")
        >>> dict(zip(elements.ids, elements.plain()))
        {'0': 2, '1': 4}
        """
        self._check_ran(node)
        return self._store.elements(node)

    def _joined(self, members: tuple[str, ...]) -> pd.DataFrame:
        return frames.joined({name: self.rows(name) for name in members}, self._order)

    def _members(self, name: str) -> tuple[str, ...] | None:
        """Return the nodes of a group; None if no group has this name."""
        return next((group.members for group in self.graph.groups if group.name == name), None)

    def _check_whole(self, node: str) -> None:
        """Raise ResultError if only a sample of a node has come back from a cluster."""
        if node not in self._sampled:
            return
        here, whole = sum(self._store.counts(node)), self.measures[node].elements_out or 0
        raise ResultError(
            f"{node!r} has {whole:,} elements on the cluster, and a sample of {here:,} is here",
            remedy=f"result.table({node!r}) shows the sample, .to_pandas() returns it; "
            f"mm.run(..., keep=[{node!r}]) brings the node back whole",
        )

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
        """Return whether `result[name]` returns a frame."""
        members = self._members(name) if isinstance(name, str) else None
        return name in self.measures if members is None else self.measures.keys() >= set(members)

    def keys(self) -> tuple[str, ...]:
        """Return the names of the nodes that ran, in graph order."""
        return tuple(self.measures)

    def _ipython_key_completions_(self) -> list[str]:
        return [*self.measures, *(group.name for group in self.graph.groups if group.name in self)]

    def _sources(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the sources that ran and that any of these nodes depends on."""
        upstream = {node.name for name in names for node in self.graph.upto(name)}
        return tuple(
            node.name
            for node in self.graph.order()
            if not node.inputs and node.name in upstream and node.name in self.measures
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
        """The failures, as a DataFrame with the columns node, id, error, message, traceback.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.pipeline("numbers | inverse", numbers=[0, 1], inverse=lambda x: 1 / x)
        >>> result = mm.run(graph, max_failed=0.5, progress=False)
        >>> result.failed[["node", "id", "error"]]
              node id              error
        0  inverse  0  ZeroDivisionError
        """
        nodes = [name for name, measure in self.measures.items() if measure.failed]
        order = self._order if nodes else frames.Order(pd.Index([], dtype=object))
        return frames.failures(self._store.failures(nodes), nodes, order)

    @cached_property
    def warnings(self) -> pd.DataFrame:
        """The distinct warnings of models and functions, including those of cached nodes.

        Returns
        -------
        DataFrame
            Columns: node, model (missing for a function), category, message, count (how often it
            was issued and not ignored by a filter), module, filename and lineno.

        Examples
        --------
        >>> import warnings
        >>> import mmnotebook as mm
        >>> def half(x):
        ...     if x % 2:
        ...         warnings.warn(f"{x} is odd")
        ...     return x // 2
        >>> graph = mm.pipeline("numbers | half", numbers=[1, 2], half=half)
        >>> result = mm.run(graph, progress=False)
        >>> result.warnings[["node", "category", "message", "count"]]
           node     category   message  count
        0  half  UserWarning  1 is odd      1
        """
        rows = [[getattr(one, name) for name in frames.WARNED] for one in self.warned]
        return pd.DataFrame(rows, columns=list(frames.WARNED))

    @cached_property
    def nodes(self) -> pd.DataFrame:
        """The measures of each node.

        Returns
        -------
        DataFrame
            Index "node", in graph order. Columns: kind, elements_in, elements_out, failed, seconds,
            bytes (of the stored output) and cached. Unknown values are missing.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
        >>> result = mm.run(graph, progress=False)
        >>> result.nodes["elements_out"].to_dict()
        {'numbers': 2, 'double': 2}
        """
        return metrics.node_table(self.measures)

    @cached_property
    def models(self) -> pd.DataFrame:
        """The measures of each model; latencies are per call, that is per batch.

        Returns
        -------
        DataFrame
            Index "model". Columns: predictions, batches (calls that returned predictions,
            including retries of a failed batch), mean_batch (predictions per call), failed,
            p50_ms, p90_ms, p95_ms, p99_ms and max_ms (time per call), loads, load_ms (mean time of
            a load), parameter_bytes, resident_bytes, device_bytes, not_finite (predictions with
            NaN or infinity), batch_invariant and repeatable (whether an element's output is
            independent of the rest of its batch, and whether a second call returns the same:
            True, False or "not probed"). Unknown values, such as a percentile of too few calls,
            are missing.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> spec = mm.register("negate", lambda batch: [-x for x in batch], framework="python")
        >>> result = mm.run(mm.pipeline("numbers | negate", numbers=[1, 2]), progress=False)
        >>> result.models["predictions"].to_dict()
        {'negate': 2}
        """
        return metrics.model_table(self.sketches)

    @cached_property
    def arms(self) -> pd.DataFrame:
        """The elements per branch of a split or switch, or per model of a cascade or keyed step.

        Returns
        -------
        DataFrame
            Index (node, arm). The arm of a cascade or keyed step is the model that predicted.
            Columns: elements; share, the part of the node's outputs (0 to 1; NaN without outputs);
            and expected, the weight of the branch in a split (NaN for other kinds of step).

        Examples
        --------
        >>> import mmnotebook as mm
        >>> text = "numbers | switch(size, small=double, large=half)"
        >>> graph = mm.pipeline(
        ...     text,
        ...     numbers=[1, 2, 30],
        ...     size=lambda x: "large" if x > 9 else "small",
        ...     double=lambda x: x * 2,
        ...     half=lambda x: x / 2,
        ... )
        >>> mm.run(graph, progress=False).arms["elements"].to_dict()
        {('switch', 'small'): 2, ('switch', 'large'): 1}
        """
        if self._given_arms is not None:
            return self._given_arms
        ran = [node for node in self.graph.order() if node.name in self.measures]
        return arms.table(ran, self._store.elements)

    def counts(self) -> dict[tuple[str, str], int]:
        """Return the number of elements per wire, by (upstream, node); unknown counts are left out.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
        >>> mm.run(graph, progress=False).counts()
        {('numbers', 'double'): 2}
        """
        found = {
            (wire.node, node.name): self._count(self.graph[wire.node], node)
            for node in self.graph
            for wire in node.inputs
        }
        return {ends: count for ends, count in found.items() if count is not None}

    def _count(self, upstream: Node, node: Node) -> int | None:
        """Return the number of elements on the wires between two nodes; None if unknown."""
        if upstream.name not in self.measures or node.name not in self.measures:
            return None
        ports = {wire.port for wire in node.inputs if wire.node == upstream.name}
        if ports.issuperset(upstream.arms or ports):
            return self.measures[upstream.name].elements_out
        if all(wire.node == upstream.name for wire in node.inputs):
            return self.measures[node.name].elements_in
        return None

    def merge(self, other: Result) -> Result:
        """Add the counts and the latency sketches of another run, or capsule, of the same graph.

        Parameters
        ----------
        other
            The other result, or a capsule that `mm.open` opened.

        Returns
        -------
        Result
            The sum. Its rows and failures are those of this result; `note` says so.

        Raises
        ------
        ResultError
            If `other` is of another graph, has other models, or is already a part of this result.

        See Also
        --------
        mmnotebook.export.capsule : Write a run to a file.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
        >>> first = mm.run(graph, progress=False)
        >>> second = mm.run(graph.bind(numbers=[3, 4, 5]), progress=False)
        >>> first.merge(second).nodes["elements_out"].to_dict()
        {'numbers': 5, 'double': 5}
        """
        if not isinstance(other, Result):
            raise ResultError(f"merge takes a result or a capsule, not {shown(other)}")
        merging.check(self.graph, other.graph, self.digests, other.digests)
        if not set(self.run_ids).isdisjoint(other.run_ids):
            raise ResultError("the other result has a run that is already a part of this one")
        merged = Result(
            self.graph,
            self._store,
            merging.nodes(self.measures, other.measures),
            merging.models(self.sketches, other.sketches),
            self.seconds + other.seconds,
            self.machine,
            warnings=merging.warned(self.warned, other.warned),
            limit=self.limit if self.limit == other.limit else None,
            digests={**other.digests, **self.digests},
            run_ids=(*self.run_ids, *other.run_ids),
            note="the rows are those of the first run",
            arms=merging.arms(self.arms, other.arms),
        )
        merged.finished = max(self.finished, other.finished)
        return merged

    def __repr__(self) -> str:
        return summary.text(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": summary.text(self), "text/html": summary.html(self)}
