"""The rows of a capsule: a sample of each node's elements, as the storage of a `Result`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pandas as pd

from mmnotebook.results.records import Failure, Outline, Places


@dataclass
class SampledElements:
    """The sampled elements of a node, as columns; implements `results.records.Elements`."""

    ids: list[str]
    origins: list[str]
    keys: list[str | None]
    arms: list[str | None]
    predicted_by: list[str | None]
    values: list[Any]

    def given(self) -> list[Any]:
        return list(self.values)

    def plain(self) -> list[Any]:
        return list(self.values)

    def branches(self) -> list[str | None]:
        return list(self.arms)

    def models(self) -> list[str | None]:
        return list(self.predicted_by)

    def take(self, places: Sequence[int]) -> SampledElements:
        """Return the elements at these positions."""
        return SampledElements(
            **{name: [column[place] for place in places] for name, column in vars(self).items()}
        )


class CapsuleRows:
    """The sample of each node; implements `results.records.ElementStore`."""

    def __init__(
        self, elements: Mapping[str, SampledElements], failures: Sequence[Failure]
    ) -> None:
        self._elements, self._failures = dict(elements), list(failures)

    def counts(self, node: str) -> list[int]:
        return [len(self._elements[node].ids)]

    def outlines(self, node: str) -> list[Outline] | None:
        return None

    def elements(self, node: str) -> SampledElements:
        return self._elements[node]

    def some(self, node: str, places: Places) -> SampledElements:
        return self._elements[node].take(list(chain.from_iterable(places.values())))

    def some_fields(
        self, source: str, places: Places, examples: Mapping[str, Sequence[Any]]
    ) -> pd.DataFrame:
        return _fields(self.some(source, places))

    def failures(self, nodes: Sequence[str]) -> Iterator[Failure]:
        return (one for one in self._failures if one.node in nodes)

    def fields(self, sources: Sequence[str]) -> pd.DataFrame:
        found = [_fields(self._elements[source]) for source in sources]
        return pd.concat(found) if found else pd.DataFrame(index=pd.Index([], dtype=object))


def _fields(elements: SampledElements) -> pd.DataFrame:
    """Return the fields of records by id."""
    values = elements.plain()
    index = pd.Index(elements.ids, dtype=object)
    if not any(isinstance(value, Mapping) for value in values):
        return pd.DataFrame(index=index)
    return pd.DataFrame([v if isinstance(v, Mapping) else {} for v in values], index=index)
