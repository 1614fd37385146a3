"""What a run tells whoever wants to see it: plain values for any callable that takes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class NodeCounts:
    """How far a node is: elements that came in, went out and failed."""

    node: str
    elements_in: int
    elements_out: int
    failed: int


@dataclass(frozen=True)
class RunStarted:
    """A run begins; `nodes` in graph order, `totals` of its sources' elements where known."""

    nodes: tuple[str, ...]
    totals: Mapping[str, int]


@dataclass(frozen=True)
class RunProgressed:
    """Counts so far, one entry per node in graph order."""

    counts: tuple[NodeCounts, ...]


@dataclass(frozen=True)
class RunFinished:
    """The run is over. `state` is "done", "interrupted" or "failed"."""

    state: str
    counts: tuple[NodeCounts, ...]


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


Event = RunStarted | RunProgressed | RunFinished | ModelLoading | ModelLoaded | ModelEvicted
Subscriber = Callable[[Event], None]
