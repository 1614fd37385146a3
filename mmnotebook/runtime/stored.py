"""What a run has kept, as `analysis.results.Store`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from mmnotebook.analysis.results import Failure, Record
from mmnotebook.graph.graph import Graph
from mmnotebook.runtime.cache import ShardCache


class StoredElements:
    """Reads elements from the cache that a run wrote."""

    def __init__(self, graph: Graph, cache: ShardCache, failed: str) -> None:
        self._cache, self._failed = cache, failed
        self._sources = [node.name for node in graph.order() if not node.inputs]

    def records(self, node: str) -> Iterator[Record]:
        for key, value in self._cache.elements(node):
            yield Record(key.id, key.origin, key.key, value)

    def failures(self) -> Iterator[Failure]:
        for failure in self._cache.elements(self._failed):
            yield Failure(*failure)

    def fields(self) -> pd.DataFrame:
        frames = []
        for source in self._sources:
            records = list(self.records(source))
            rows = [r.value if isinstance(r.value, Mapping) else {} for r in records]
            index = pd.Index([record.id for record in records], dtype=object)
            frames.append(pd.DataFrame(rows, index=index))
        return pd.concat(frames) if len(frames) > 1 else frames[0]
