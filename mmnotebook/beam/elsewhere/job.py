"""`Job`: a pipeline on a runner whose workers may be anywhere."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import GoogleCloudOptions, PortableOptions

from mmnotebook.beam.elsewhere import flink, parts
from mmnotebook.beam.elsewhere.parts import Form, RunPlace
from mmnotebook.beam.options import as_options
from mmnotebook.compat import beam as compat
from mmnotebook.compat.beam import FnApiRunner
from mmnotebook.errors import one_line


class Job:
    """A pipeline that stores the blocks of each node as parts.

    Parameters
    ----------
    name
        The name of the job, if the options have none; None for a name that Beam chooses.

    Attributes
    ----------
    pipeline
        The pipeline, to which the caller adds the transforms of the graph.
    numbers
        The number of each node in the staging area, when the job has been started.
    """

    def __init__(self, runner: Any, options: Any, place: RunPlace, name: str | None = None) -> None:
        whole = as_options(options)
        job = whole.view_as(GoogleCloudOptions)
        if name is not None and job.job_name is None:
            job.job_name = name
        self.pipeline = beam.Pipeline(runner or FnApiRunner(), options=whole)
        set_options: Any = FileSystems.set_options
        set_options(whole)  # the user's settings of S3 and other file systems
        self.place = place
        self.numbers: dict[str, int] = {}
        self._result: Any = None
        self._canceled = False
        self._lock = threading.Lock()

    @classmethod
    def attached(cls, runner: Any, options: Any, place: RunPlace, found: Mapping[str, Any]) -> Job:
        """Return a job that another process has started, from its record."""
        made = cls(runner, options, place, name_of(place.run_id))
        made.numbers = dict(found["numbers"])
        endpoint = as_options(options).view_as(PortableOptions).job_endpoint
        if found["job"] is not None and endpoint:  # without one, Beam would start a job server
            with suppress(Exception):  # the job server may have ended; the outputs are still there
                made._result = compat.result_of_job(runner, as_options(options), found["job"])
        return made

    def start(self, blocks: Mapping[str, Any], forms: Mapping[str, Form]) -> None:
        """Start the job; some runners return only when the job has ended.

        Parameters
        ----------
        blocks
            The blocks of each node to store.
        forms
            How each of these nodes is stored.
        """
        self.numbers = {name: number for number, name in enumerate(blocks)}
        for name, pcoll in blocks.items():
            parts.store(name, self.numbers[name], pcoll, self.place, forms[name])
        result = self.pipeline.run()
        with self._lock:
            self._result = result
            canceled = self._canceled
        if canceled:
            self._stop()

    def wait(self) -> None:
        """Wait until the job has ended; raise the error of a job that failed."""
        self._result.wait_until_finish()

    def cancel(self) -> None:
        """Stop the job on its engine, now or as soon as it has started."""
        with self._lock:
            self._canceled, result = True, self._result
        if result is not None:
            self._stop()

    def _stop(self) -> None:
        if (found := compat.submitted_to_flink(self._result)) is not None:
            flink.cancel_job(*found)
            return
        try:
            self._result.cancel()
        finally:
            flink.cancel(self.pipeline.options)

    def metrics(self) -> Any:
        """Return the current metrics of the job; None before it has started."""
        return None if self._result is None else compat.current_metrics(self._result)

    @property
    def state(self) -> str | None:
        """The state of the job on a job server, such as "RUNNING"; None if it does not answer."""
        try:
            return None if self._result is None else str(self._result.state)
        except Exception:  # noqa: BLE001 - whatever the client of the job server raises
            return None

    def error(self) -> str:
        """Return the error of a job that has ended."""
        try:
            self.wait()
        except Exception as error:  # noqa: BLE001 - whatever the runner raises
            return one_line(error)
        return f"its state is {self.state}, and outputs are missing"

    @property
    def id(self) -> str | None:
        """The id of the job on a job server; None for other runners."""
        return None if self._result is None else compat.job_id(self._result)

    def stores(self, step: str) -> str | None:
        """Return the node that the step with this label stores; None for other steps."""
        name, found, _ = step.partition(parts.LABEL)
        return name if found and name in self.numbers else None

    def parts(self, node: str) -> list[parts.OutputPart] | None:
        """Return the parts of a node, or None as long as the node has no manifest."""
        return parts.manifest(self.place, node, self.numbers[node])


def name_of(run_id: str) -> str:
    """Return the name of the job of a run."""
    return f"mmnotebook-{run_id[:16]}"
