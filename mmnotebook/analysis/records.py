"""What a run keeps of each element, and what the runtime has to store for a `Result`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import pandas as pd


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

    def fields(self, sources: Sequence[str]) -> pd.DataFrame:
        """The fields of these source nodes by element id, in source order; maybe no column.

        Several sources stand one after the other, with NaN for a field that one lacks.
        """


@dataclass(frozen=True)
class Machine:
    """Memory of the machine when the run began, in bytes; None where not known."""

    free_bytes: int | None
    total_bytes: int | None
