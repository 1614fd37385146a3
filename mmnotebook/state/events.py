"""Events of a run: plain values that are passed to its subscribers.

Examples
--------
>>> import mmnotebook as mm
>>> def show(event):
...     if isinstance(event, mm.events.NodeFinished):
...         print(event.node, event.elements)
>>> graph = mm.pipeline("numbers | double", numbers=[1, 2], double=lambda x: 2 * x)
>>> result = mm.run(graph, fresh=True, progress=False, subscribers=[show])
numbers 2
double 2
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class NodeCounts:
    """Counts of a node: elements in, elements out and failures."""

    node: str
    elements_in: int
    elements_out: int
    failed: int


@dataclass(frozen=True)
class RunStarted:
    """A run started or restarted.

    Attributes
    ----------
    nodes
        The names of the nodes, in graph order.
    totals
        The number of elements of each source, by source, where known.
    follows
        The input of each node that has one output per input element (except failures), by node.
    """

    nodes: tuple[str, ...]
    totals: Mapping[str, int]
    follows: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunProgressed:
    """The counts so far of each node that is computed, in graph order."""

    counts: tuple[NodeCounts, ...]


@dataclass(frozen=True)
class NodeCached:
    """A node was read from the cache; it has `elements` outputs and `failed` failures."""

    node: str
    elements: int
    failed: int = 0


@dataclass(frozen=True)
class NodeStarted:
    """A node received its first element."""

    node: str


@dataclass(frozen=True)
class NodeFinished:
    """A node finished and its outputs are stored; `failed` elements failed."""

    node: str
    elements: int
    failed: int


@dataclass(frozen=True)
class Noted:
    """A message for the user, in one line."""

    text: str


@dataclass(frozen=True)
class RunFinished:
    """The run ended.

    Attributes
    ----------
    state
        "done", "interrupted" or "failed".
    error
        The error that ended the run, on one line; None if the run did not fail.
    node
        The node that failed, if known.
    """

    state: str
    counts: tuple[NodeCounts, ...]
    error: str | None = None
    node: str | None = None


@dataclass(frozen=True)
class ModelLoading:
    """Loading of a model started."""

    model: str


@dataclass(frozen=True)
class ModelLoaded:
    """A model was loaded in `seconds`; its parameters take `bytes`, on all devices together."""

    model: str
    seconds: float
    bytes: int


@dataclass(frozen=True)
class ModelEvicted:
    """A loaded model was removed: for lack of memory, by `unload`, or because it was replaced."""

    model: str
    bytes: int


Event = (
    RunStarted
    | NodeCached
    | NodeStarted
    | RunProgressed
    | NodeFinished
    | Noted
    | ModelLoading
    | ModelLoaded
    | ModelEvicted
    | RunFinished
)
Subscriber = Callable[[Event], None]
