"""`Job`: a pipeline on a runner whose workers may be anywhere."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems

from mmnotebook.beam.elsewhere import parts
from mmnotebook.beam.elsewhere.parts import Place
from mmnotebook.beam.options import as_options
from mmnotebook.compat import beam as compat
from mmnotebook.compat.beam import FnApiRunner


class Job:
    """A pipeline that stores the blocks of each node as parts.

    Attributes
    ----------
    pipeline
        The pipeline, to which the caller adds the transforms of the graph.
    """

    def __init__(self, runner: Any, options: Any, place: Place) -> None:
        whole = as_options(options)
        self.pipeline = beam.Pipeline(runner or FnApiRunner(), options=whole)
        set_options: Any = FileSystems.set_options
        set_options(whole)  # with the user's settings of S3 and others
        self.place = place
        self._nodes: dict[str, int] = {}
        self._result: Any = None
        self._canceled = False
        self._lock = threading.Lock()

    def start(self, blocks: Mapping[str, Any]) -> None:
        """Start the job; some runners return only when the job has ended."""
        self._nodes = {name: number for number, name in enumerate(blocks)}
        for name, pcoll in blocks.items():
            parts.store(name, self._nodes[name], pcoll, self.place)
        result = self.pipeline.run()
        with self._lock:
            self._result = result
            canceled = self._canceled
        if canceled:
            result.cancel()

    def wait(self) -> None:
        """Wait until the job has ended; raise the error of a job that failed."""
        self._result.wait_until_finish()

    def cancel(self) -> None:
        """Stop the job on its engine, now or as soon as it has started."""
        with self._lock:
            self._canceled, result = True, self._result
        if result is not None:
            result.cancel()

    def metrics(self) -> Any:
        """Return the current metrics of the job; None before it has started."""
        return None if self._result is None else compat.current_metrics(self._result)

    def stores(self, step: str) -> str | None:
        """Return the node that the step with this label stores; None for other steps."""
        name, found, _ = step.partition(parts.LABEL)
        return name if found and name in self._nodes else None

    def number(self, node: str) -> int:
        """Return the number of a node in the staging area."""
        return self._nodes[node]

    def parts(self, node: str) -> list[parts.Part] | None:
        """Return the parts of a node, or None as long as the node has no manifest."""
        return parts.manifest(self.place, node, self._nodes[node])
