"""The elements of PCollections of a pipeline that runs in this process."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

_kept: dict[int, list[Any]] = {}
_numbers = itertools.count()


class _Keep(beam.DoFn):
    def __init__(self, number: int) -> None:
        self.number = number

    def process(
        self,
        element: Any,
        time: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
    ) -> None:
        _kept[self.number].append((element, time, window))


class Kept:
    """The elements of a PCollection, once its pipeline has run."""

    def __init__(self, pcoll: Any) -> None:
        self._number = next(_numbers)
        _kept[self._number] = []
        pcoll | f"keep {self._number}" >> beam.ParDo(_Keep(self._number))

    @property
    def timed(self) -> list[Any]:
        """The (element, timestamp, window) of each element."""
        return _kept[self._number]

    @property
    def elements(self) -> list[Any]:
        return [element for element, _, _ in self.timed]

    @property
    def values(self) -> list[Any]:
        """The values of (key, value) pairs, in the order of their texts."""
        return sorted((value for _, value in self.elements), key=repr)

    @property
    def by_id(self) -> dict[str, Any]:
        """The values by id; each id may occur once."""
        found = {key.id: value for key, value in self.elements}
        assert len(found) == len(self.elements)
        return found


@contextmanager
def pipeline(**options: Any) -> Iterator[beam.Pipeline]:
    """A pipeline that runs in this process at the end of the block."""
    with beam.Pipeline(FnApiRunner(), **options) as made:
        yield made


def kept(nodes: Mapping[str, Any]) -> dict[str, Kept]:
    """Keep the elements of all nodes of a compiled graph."""
    return {name: Kept(nodes[name]) for name in nodes}
