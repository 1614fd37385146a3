"""The in-process run: Beam's FnApiRunner alone, with a step of ours that stores each node.

InteractiveRunner serializes a pipeline about 16 times and adds two steps for each PCollection that
it keeps. Most of the fixed cost of a run would be that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from mmnotebook.beam.dofns.cache_manager import StoreShards
from mmnotebook.beam.options import as_options

_STORE = ": store"


class InProcessPipeline:
    """A pipeline on FnApiRunner that keeps nodes in folders."""

    def __init__(self, options: Any, folders: Mapping[str, Path], run_id: str) -> None:
        self.pipeline = beam.Pipeline(FnApiRunner(), options=as_options(options))
        self._folders, self._run_id = folders, run_id

    def run(self, blocks: Mapping[str, Any]) -> Callable[[], Any]:
        """Run the pipeline once; gives what asks for Beam's metrics."""
        for name, pcoll in blocks.items():
            store = beam.ParDo(StoreShards(str(self._folders[name]), name, self._run_id))
            pcoll | f"{name}{_STORE}" >> store.with_output_types(str)
        result = self.pipeline.run()
        result.wait_until_finish()
        return result.metrics

    def stores(self, step: str) -> str | None:
        """The node that a step of the pipeline, by its label, only stores."""
        return next((name for name in self._folders if f"{name}{_STORE}" in step), None)
