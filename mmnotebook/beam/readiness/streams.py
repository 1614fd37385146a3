"""Streams: what a Beam transform as source does not let a graph do."""

from __future__ import annotations

import apache_beam as beam

from mmnotebook.beam.assemble import assemble
from mmnotebook.beam.lowering.sources import Stored
from mmnotebook.beam.options import as_options
from mmnotebook.beam.prepare import Prepared
from mmnotebook.beam.readiness.finding import Finding, Findings
from mmnotebook.compat.beam import FnApiRunner
from mmnotebook.errors import MMError, one_line


def streams(prepared: Prepared) -> Findings:
    """Yield why the transforms of a graph that reads a Beam transform cannot be created.

    They are created as for a run, in a pipeline that never runs.
    """
    if not prepared.transforms:
        return
    pipeline = beam.Pipeline(FnApiRunner(), options=as_options(None))
    stored = {name: Stored(()) for name in prepared.objects}
    try:
        assemble(prepared, pipeline, "", stored, prepared.graph.names)
    except MMError as error:
        node = getattr(error, "node", None) or ""
        yield Finding(str(node), error.message, error.remedy or "see the message", "error")
    except Exception as error:  # noqa: BLE001 - whatever a transform of the user raises
        text = f"its transform cannot be added to a pipeline: {one_line(error)}"
        yield Finding(next(iter(prepared.transforms)), text, "correct the transform", "error")
