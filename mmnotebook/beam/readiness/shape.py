"""The graph as a whole: joins of unknown size, and settings that the runner ignores."""

from __future__ import annotations

from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions, WorkerOptions

from mmnotebook.beam import runners
from mmnotebook.beam.prepare import Prepared
from mmnotebook.beam.readiness.finding import Finding, Findings, Target


def joins(prepared: Prepared) -> Findings:
    """Yield the joins of which the number of elements is not known before the run."""
    known = prepared.most()
    for node in prepared.graph.order():
        if node.gather == "join" and len(node.inputs) > 1 and node.name not in known:
            yield Finding(
                node.name,
                "joins by id a number of elements that is not known before the run: it is divided "
                "into 256 groups, and a worker keeps a whole group in memory",
                "read parquet files, whose number of rows is known; or give workers enough memory",
            )


def settings(target: Target) -> Findings:
    """Yield the options that have no effect with this runner and these workers."""
    if target.runner is None:
        return
    own = runners.names(target.runner)
    ignored: list[tuple[type[PipelineOptions], str, str]] = []
    if target.are_external:
        ignored.append((SetupOptions, "workers of an external pool install nothing", _INSTALL))
    if "DataflowRunner" not in own and own & {"PortableRunner"}:
        ignored.append((WorkerOptions, "only Dataflow starts workers itself", _START))
    for options, why, remedy in ignored:
        given = target.options.view_as(options)
        for name, usual in options([]).get_all_options(current_only=True).items():
            value = getattr(given, name)
            if value != usual and value and not name.endswith(_USED):
                yield Finding("", f"the option {name} has no effect: {why}", remedy)


_INSTALL = "install what the workers need in their image or environment"
_START = "set the number of workers in the engine itself; leave the option out"
_USED = ("pickle_library", "sdk_location", "container_image", "container_image_overrides")
"""Ends of the names of options in these classes that every runner uses."""
