"""What a run tells whoever wants to see it: plain values for any callable that takes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class NodeCounts:
    """How far a node is: elements that came in, went out and failed."""

    node: str
    elements_in: int
    elements_out: int
    failed: int


@dataclass(frozen=True)
class RunStarted:
    """A run begins, or begins anew.

    Attributes
    ----------
    nodes
        In graph order.
    totals
        Of its sources' elements, where known.
    follows
        By node, the one that gives it an element for each of its own, failures aside.
    """

    nodes: tuple[str, ...]
    totals: Mapping[str, int]
    follows: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunProgressed:
    """Counts so far, one entry per node in graph order."""

    counts: tuple[NodeCounts, ...]


@dataclass(frozen=True)
class NodeCached:
    """A node's elements, so many, are taken from an earlier run; so many failed in that."""

    node: str
    elements: int
    failed: int = 0


@dataclass(frozen=True)
class NodeStarted:
    """The first element has come into a node."""

    node: str


@dataclass(frozen=True)
class NodeFinished:
    """A node has given all its elements, and they are stored; so many failed in it."""

    node: str
    elements: int
    failed: int


@dataclass(frozen=True)
class Noted:
    """Something that the user should know, in one line."""

    text: str


@dataclass(frozen=True)
class RunFinished:
    """The run is over.

    Attributes
    ----------
    state
        "done", "interrupted" or "failed".
    error
        What it has failed with, in one line.
    node
        Where it has failed, as far as that is known.
    """

    state: str
    counts: tuple[NodeCounts, ...]
    error: str | None = None
    node: str | None = None


@dataclass(frozen=True)
class ModelLoading:
    """A model that was not warm begins to load."""

    model: str


@dataclass(frozen=True)
class ModelLoaded:
    """A model was loaded in `seconds`; `bytes` of its parameters, wherever they lie."""

    model: str
    seconds: float
    bytes: int


@dataclass(frozen=True)
class ModelEvicted:
    """A warm model is gone: for want of room, as it was unloaded, or as it was replaced."""

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
