"""Recording of a Beam transform's elements, for bounded runs in the notebook."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner

from mmnotebook import quiet_beam
from mmnotebook.beam.dofns.node_fn import PlainFn
from mmnotebook.beam.streaming import recorded, windowed_blocks
from mmnotebook.beam.streaming.line import Line
from mmnotebook.beam.streaming.recorded import RecordedElement, Recording
from mmnotebook.compat.beam import FnApiRunner, PipelineVisitor
from mmnotebook.elements.columns import size_of
from mmnotebook.errors import RunError, one_line
from mmnotebook.graph.names import is_a
from mmnotebook.state import caller
from mmnotebook.state.run_state import Stopped

TICK = 0.1
PATIENCE = 1.5
"""Maximum number of seconds to wait for the end of a stopped recording."""
_STREAMS = {("apache_beam", "TestStream"), ("apache_beam", "ReadFromPubSub")}


class InterruptedRecordingError(RunError, KeyboardInterrupt):
    """Raised when the user stops a recording; also a KeyboardInterrupt.

    Attributes
    ----------
    recording
        The elements that were recorded until then.
    """

    recording: Recording


class _Job:
    """A pipeline with only one source, and its elements so far."""

    def __init__(self, limit: int | None) -> None:
        self.id, self.limit = uuid.uuid4().hex, limit
        self.rows: list[RecordedElement] = []
        self.bytes = 0
        self.stopped = False
        self.over = threading.Event()
        self.error: Exception | None = None
        self.result: Any = None

    def check(self) -> None:
        if self.stopped:
            raise Stopped(self.id)

    def take(self, row: RecordedElement) -> None:
        self.check()
        self.rows.append(row)
        self.bytes += size_of(row.value)
        if self.full:
            self.stopped = True
            self.check()

    @property
    def full(self) -> bool:
        return self.limit is not None and len(self.rows) >= self.limit

    def run(self, pipeline: beam.Pipeline) -> None:
        """Run until the source ends or the job is stopped; call this in a separate thread."""
        try:
            with quiet_beam.quiet():
                self.result = pipeline.run()
                self.result.wait_until_finish()
        except Exception as error:  # noqa: BLE001 - `record` raises it again
            if not self.stopped:
                self.error = error
        finally:
            self.over.set()

    def stop(self) -> None:
        self.stopped = True
        cancel = getattr(self.result, "cancel", None)
        if cancel is not None and not self.over.is_set():
            cancel()
        # The FnApiRunner cannot be canceled: the next bundle ends it.
        self.over.wait(PATIENCE)


_jobs: dict[str, _Job] = {}


class _Tap(PlainFn):
    """Adds elements to their job in this process."""

    def __init__(self, job: str) -> None:
        self.job = job

    def start_bundle(self) -> None:
        self._found().check()

    def process(
        self,
        value: Any,
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
    ) -> None:
        self._found().take(RecordedElement(windowed_blocks.plain(value), timestamp.micros, window))

    def _found(self) -> _Job:
        job = _jobs.get(self.job)
        if job is None:
            raise Stopped(self.job)
        return job


def recall(
    name: str, transform: Any, limit: int | None, *, fresh: bool, options: Any, progress: bool
) -> tuple[Recording, str]:
    """Return this process's recording of a transform, or a new one, and a note about it.

    A recording is kept as long as the transform exists. Recordings of other processes are not
    looked up, because nothing shows that they are of the same stream.
    """
    found = None if fresh else recorded.find(transform, limit)
    how = "recorded earlier in this kernel" if found is not None else "recorded now"
    if found is None:
        try:
            found = record(name, transform, limit=limit, options=options, progress=progress)
        except InterruptedRecordingError as error:
            recorded.keep(transform, error.recording)
            raise
        recorded.keep(transform, found)
    return found, f"{how}: {len(found):,} element{'s' * (len(found) != 1)}, {found.ended}"


def record(
    name: str, transform: Any, *, limit: int | None, options: Any, progress: bool
) -> Recording:
    """Record one source.

    A bounded source is read to its end. Other sources are recorded until they reach
    `ib.options.recording_duration` or `recording_size_limit` of Interactive Beam.

    Parameters
    ----------
    limit
        The maximum number of elements, None for no limit.
    options
        Beam's PipelineOptions, or a dict of them.
    progress
        Whether to show the progress.

    Raises
    ------
    RunError
        If the source cannot be read.
    InterruptedRecordingError
        If the user stops the recording; `recording` of the error has the elements so far.
    """
    job = _Job(limit)
    pipeline = beam.Pipeline(FnApiRunner(), options=_streaming(options))
    pcoll = windowed_blocks.begin(name, pipeline, transform)
    pipeline.runner = _runner(pipeline)
    pcoll | "tap" >> beam.ParDo(_Tap(job.id))
    _jobs[job.id] = job
    threading.Thread(
        target=caller.here().run,
        args=(job.run, pipeline),
        name="mmnotebook-record",
        daemon=True,
    ).start()
    try:
        ended = _wait(name, job, None if pcoll.is_bounded else _limits(), Line(progress))
    except KeyboardInterrupt:
        job.stop()
        made = Recording.of(name, job.rows, pcoll.windowing, "until you stopped it")
        raise _interrupted(name, made) from None
    finally:
        job.stop()
        del _jobs[job.id]
    if job.error is not None:
        raise RunError(f"source {name!r} cannot be read: {one_line(job.error)}") from job.error
    return Recording.of(name, job.rows, pcoll.windowing, ended)


def _streaming(options: Any) -> PipelineOptions:
    if isinstance(options, PipelineOptions):
        options = options.get_all_options(drop_default=True)
    given = dict(options) if isinstance(options, Mapping) else {}
    made: PipelineOptions = PipelineOptions.from_dictionary({**given, "streaming": True})
    return made


def _limits() -> tuple[float, float]:
    """Return the seconds and bytes that Interactive Beam allows for a recording."""
    from apache_beam.runners.interactive import interactive_beam

    options = interactive_beam.options
    return options.recording_duration.total_seconds(), options.recording_size_limit


def _wait(name: str, job: _Job, limits: tuple[float, float] | None, line: Line) -> str:
    """Wait for the end of a recording; return why it ended."""
    started = time.monotonic()
    try:
        while not job.over.wait(TICK) and not job.full:
            seconds = time.monotonic() - started
            most = "" if limits is None else f" of {limits[0]:g}"
            line.show(f"recording {name}: {len(job.rows):,} elements, {seconds:.0f}{most} s")
            if limits is not None and seconds >= limits[0]:
                return f"until recording_duration ({limits[0]:g} s) was over"
            if limits is not None and job.bytes >= limits[1]:
                return f"until recording_size_limit ({limits[1]:,.0f} bytes) was reached"
    finally:
        line.clear()
    return f"until limit={job.limit} was reached" if job.full else "to the end of the source"


def _interrupted(name: str, made: Recording) -> InterruptedRecordingError:
    remedy = "run it again to record"
    if len(made):
        remedy = "run it again to continue with these; fresh=True records again"
    error = InterruptedRecordingError(
        f"stopped by you; {len(made):,} elements of {name!r} are recorded", remedy=remedy
    )
    error.recording = made
    return error


class _Streams(PipelineVisitor):
    """Checks whether a pipeline has a source that the FnApiRunner cannot read."""

    found = False

    def enter_composite_transform(self, transform_node: Any) -> None:
        self.visit_transform(transform_node)

    def visit_transform(self, transform_node: Any) -> None:
        self.found = self.found or is_a(transform_node.transform, _STREAMS)


def _runner(pipeline: beam.Pipeline) -> Any:
    streams = _Streams()
    pipeline.visit(streams)
    return BundleBasedDirectRunner() if streams.found else FnApiRunner()
