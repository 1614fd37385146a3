"""The elements, failures and warnings that a run stores for its `Result`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray


class Elements(Protocol):
    """The stored elements of a node, as columns of equal length.

    Attributes
    ----------
    ids
        The id of each element.
    origins
        The id of the source element that each element is derived from: "p" for the child "p/0".
    keys
        For each element, the outcome of the last split, switch, cascade or keyed step up to the
        node: the branch, the model of the cascade that predicted, or the key. None without such a
        step.
    """

    ids: list[str]
    origins: list[str]
    keys: list[str | None]

    def given(self) -> list[Any]:
        """Return the outputs of the node: `PredictionResult` objects if it predicts."""

    def plain(self) -> list[Any]:
        """Return the outputs as plain values; see `values.plain`."""

    def branches(self) -> list[str | None]:
        """Return the branch of each element after a split or switch; None for other elements."""

    def models(self) -> list[str | None]:
        """Return the model of each prediction; None for any other output."""


@dataclass(frozen=True)
class Outline:
    """What a table needs to know of a shard's elements before it reads them.

    Example values of a column are a few values from which pandas infers the same dtype as from all
    values of the column.

    Attributes
    ----------
    origins
        The hash of each element's origin.
    children
        The child numbers of each element, a row per element, with -1 after the last number:
        (3, 0) for the child "p/3/0" of "p". There are no columns if no element is a child.
    given, plain
        Example values of the outputs: as `Elements.given` and as `Elements.plain` returns them.
    fields
        Example values of each field, if all values are records with the same fields; no fields if
        no value is a record; None otherwise.
    """

    origins: NDArray[np.uint64]
    children: NDArray[np.int64]
    given: list[Any]
    plain: list[Any]
    fields: dict[str, list[Any]] | None


class Failure(NamedTuple):
    """One element that failed in a node, and its error."""

    node: str
    id: str
    error: str
    message: str
    traceback: str


@dataclass(frozen=True)
class Warned:
    """One distinct warning of a node.

    Attributes
    ----------
    model
        The model that warned; None for a function.
    category
        The name of the warning's class.
    module, filename, lineno
        Where the warning was issued, as far as this is known.
    count
        How often the warning was issued.
    """

    node: str
    model: str | None
    category: str
    message: str
    module: str | None
    filename: str
    lineno: int
    count: int


Places = Mapping[int, NDArray[np.intp]]
"""For each number of a shard, the positions of elements in it, in ascending order."""


class ElementStore(Protocol):
    """The storage of a run's elements, in shards."""

    def counts(self, node: str) -> list[int]:
        """Return the number of elements in each shard of a node, without reading the shards."""

    def outlines(self, node: str) -> list[Outline] | None:
        """Return the outline of each shard, without reading the shards; None if one is missing."""

    def some(self, node: str, places: Places) -> Elements:
        """Return some elements of a node, in the order of `places`; read only their shards."""

    def some_fields(
        self, source: str, places: Places, examples: Mapping[str, Sequence[Any]]
    ) -> pd.DataFrame:
        """Return the fields of some elements of a source by id; read only their shards.

        The dtype of each column is inferred from its cells and its example values.
        """

    def elements(self, node: str) -> Elements:
        """Return the elements of a node, in any order."""

    def failures(self, nodes: Sequence[str]) -> Iterator[Failure]:
        """Yield all failures of these nodes, in any order."""

    def fields(self, sources: Sequence[str]) -> pd.DataFrame:
        """Return the fields of these source nodes by element id, in source order.

        There may be no columns. Several sources are concatenated, with NaN for missing fields.
        """


@dataclass(frozen=True)
class Machine:
    """Memory of the machine when the run began, in bytes; None if unknown."""

    free_bytes: int | None
    total_bytes: int | None
