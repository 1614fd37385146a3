"""What a run has kept, as `analysis.results.Store`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from mmnotebook.analysis.records import Failure, Record
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
            frames.append(pd.DataFrame(rows, index=index))
        return pd.concat(frames) if frames else pd.DataFrame(index=pd.Index([], dtype=object))
