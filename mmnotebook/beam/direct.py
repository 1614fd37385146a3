"""The in-process run: Beam's FnApiRunner with a step that stores each node.

InteractiveRunner is not used here: it serializes a pipeline about 16 times and adds two steps for
each cached PCollection, which would be most of the fixed cost of a run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apache_beam as beam

from mmnotebook.beam.dofns.cache_manager import StoreShards
from mmnotebook.beam.options import as_options
from mmnotebook.compat.beam import FnApiRunner

_STORE = ": store"
_FRAMES = 500
"""Frames of the stack that the caller of a run, the user's code and Beam need for any graph."""
_FRAMES_OF_NODE = 20
"""Frames of the stack for each node of a chain: 4 for each transform of the node."""


class InProcessPipeline:
    """A pipeline on FnApiRunner that stores the blocks of each node in a folder."""

    def __init__(self, options: Any, folders: Mapping[str, Path], run_id: str) -> None:
        self.pipeline = beam.Pipeline(FnApiRunner(), options=as_options(options))
        self._folders, self._run_id = folders, run_id

    def run(self, blocks: Mapping[str, Any]) -> Callable[[], Any]:
        """Run the pipeline once; return a function that queries Beam's metrics."""
        for name, pcoll in blocks.items():
            store = beam.ParDo(StoreShards(str(self._folders[name]), name, self._run_id))
            pcoll | f"{name}{_STORE}" >> store.with_output_types(str)
        with _deep(len(blocks)):
            result = self.pipeline.run()
            result.wait_until_finish()
        return result.metrics

    def stores(self, step: str) -> str | None:
        """Return the node that the step with this label stores; None for other steps."""
        name, found, _ = step.partition(_STORE)
        return name if found and name in self._folders else None


@contextmanager
def _deep(nodes: int) -> Iterator[None]:
    """Let Beam create the operations of a long chain of nodes, in which it calls itself."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _FRAMES + nodes * _FRAMES_OF_NODE))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
