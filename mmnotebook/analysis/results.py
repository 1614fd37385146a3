"""`Result`: what a run gave, as tables; and what the runtime has to store for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import pandas as pd

from mmnotebook.analysis import metrics
from mmnotebook.analysis.metrics import ModelMeasure, NodeMeasure
from mmnotebook.analysis.values import column, is_prediction, plain
from mmnotebook.errors import RunError
from mmnotebook.graph.graph import Graph, Group, Node

PREDICTING = ("model", "cascade", "keyed")
"""The kinds of step whose elements are predictions."""

RESERVED = ("id", "prediction", "model", "value", "key")
"""Names of columns that a source's field may not take; it becomes `<name>_field`."""


class Record(NamedTuple):
    """One stored element of a node.

    Attributes
    ----------
    id
        The element's id.
    origin
        The id of the source's element that it comes from: "p" for the child "p/0".
    key
        Its key, where it has one.
    value
        What the node gave: a `PredictionResult` for a node that predicts.
    """

    id: str
    origin: str
    key: str | None
    value: Any


class Failure(NamedTuple):
    """One element that failed in a node."""

    node: str
    id: str
    error: str
    message: str
    traceback: str


class Store(Protocol):
    """Where a run keeps its elements."""

    def records(self, node: str) -> Iterator[Record]:
        """The elements of a node, in any order."""

    def failures(self) -> Iterator[Failure]:
        """Every failure of the run, in any order."""

    def fields(self) -> pd.DataFrame:
        """The sources' fields by element id, in source order; it may have no column.

        Several sources stand one after the other, with NaN for a field that one lacks.
        """


@dataclass(frozen=True)
class Machine:
    """Memory of the machine when the run began, in bytes; None where not known."""

    free_bytes: int | None
    total_bytes: int | None


class Result:
    """What a run gave.

    `result[node]` is a DataFrame of the node's elements, built when first asked for.

    Parameters
    ----------
    graph
        What ran.
    store
        Where its elements are.
    nodes
        What each node did, in graph order; a node that is not here did not run.
    models
        What each model did, latency sketches included.
    seconds
        Time of the whole run.
    machine
        The machine's memory.

    Attributes
    ----------
    measures, sketches
        `nodes` and `models` as they were given.
    """

    def __init__(
        self,
        graph: Graph,
        store: Store,
        nodes: Mapping[str, NodeMeasure],
        models: Mapping[str, ModelMeasure],
        seconds: float,
        machine: Machine,
    ) -> None:
        self.graph = graph
        self.measures = dict(nodes)
        self.sketches = dict(models)
        self.seconds = seconds
        self.machine = machine
        self._store = store
        self._frames: dict[str, pd.DataFrame] = {}
        self._rows: dict[str, pd.DataFrame] = {}
        self._fields: pd.DataFrame | None = None
        self._failed: pd.DataFrame | None = None

    def __getitem__(self, name: str) -> pd.DataFrame:
        raise NotImplementedError

    @property
    def failed(self) -> pd.DataFrame:
        raise NotImplementedError

    @property
    def nodes(self) -> pd.DataFrame:
        return metrics.node_table(self.measures)

    @property
    def models(self) -> pd.DataFrame:
        return metrics.model_table(self.sketches)
