"""What a run has kept, as `analysis.results.Store`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from mmnotebook.analysis.records import Failure, Record
from mmnotebook.analysis.values import column
from mmnotebook.runtime.cache import ShardCache


class StoredElements:
    """Reads elements from the cache that a run wrote."""

    def __init__(self, cache: ShardCache, failed: str) -> None:
        self._cache, self._failed = cache, failed

    def records(self, node: str) -> Iterator[Record]:
        for key, value in self._cache.elements(node):
            yield Record(key.id, key.origin, key.key, value)

    def failures(self) -> Iterator[Failure]:
        for failure in self._cache.elements(self._failed):
            yield Failure(*failure)

    def fields(self, sources: Sequence[str]) -> pd.DataFrame:
        frames = []
        for source in sources:
            records = list(self.records(source))
            rows = [r.value if isinstance(r.value, Mapping) else {} for r in records]
            index = pd.Index([record.id for record in records], dtype=object)
            frames.append(_whole(pd.DataFrame(rows, index=index), rows))
        return pd.concat(frames) if frames else pd.DataFrame(index=pd.Index([], dtype=object))


def _whole(frame: pd.DataFrame, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The frame with whole numbers where pandas made floats of them, as one is missing."""
    for name in frame.columns[frame.dtypes == "float64"]:
        cells = [row.get(name) for row in rows]
        if {type(cell) for cell in cells} == {int, type(None)}:
            frame[name] = column(cells).array
    return frame
