"""Where the workers of a runner are: in this process, on this machine, or anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apache_beam.options.pipeline_options import (
    DirectOptions,
    FlinkRunnerOptions,
    PortableOptions,
    SparkRunnerOptions,
)

from mmnotebook.beam.options import as_options
from mmnotebook.compat import beam as compat

_HERE = {"FnApiRunner", "DirectRunner", "BundleBasedDirectRunner", "SwitchingDirectRunner"}
_LOOPING = {"PrismRunner", "KafkaStreamsRunner"}
"""Runners whose workers are threads of this process, unless an option says otherwise."""
_IN_PROCESS = {"LOOPBACK", "EMBEDDED", "beam:env:embedded_python:v1"}


@dataclass(frozen=True)
class Workers:
    """The workers of a runner.

    Attributes
    ----------
    repeat
        Whether bundles can be processed more than once, so that counts of attempts are no counts
        of elements.
    apart
        Whether the workers may have another file system than this process.
    cancelable
        Whether a run on this runner can be canceled.
    name
        The name of the runner, for messages.
    """

    repeat: bool
    apart: bool
    cancelable: bool
    name: str


def of(runner: Any, options: Any) -> Workers:
    """Return where the workers of a runner with these options are."""
    options = as_options(options)
    below = compat.runner_below(runner)
    name = "FnApiRunner" if below is None else type(below).__name__
    if name in _HERE:
        direct = options.view_as(DirectOptions)
        repeated = compat.repeats_bundles(below) or bool(direct.direct_runner_bundle_repeat)
        alone = direct.direct_running_mode != "multi_processing"
        return Workers(repeated or not alone, False, alone and not repeated, name)
    portable = options.view_as(PortableOptions)
    embedded = portable.job_endpoint == "embed"
    return Workers(True, not _loops(name, options), not embedded, name)


def _loops(name: str, options: Any) -> bool:
    """Return whether the workers are threads of this process."""
    portable = options.view_as(PortableOptions)
    if portable.environment_type:
        return portable.environment_type in _IN_PROCESS
    if name == "FlinkRunner":
        return options.view_as(FlinkRunnerOptions).flink_master in ("[local]", "[auto]")
    if name == "SparkRunner":
        return str(options.view_as(SparkRunnerOptions).spark_master_url).startswith("local")
    return name in _LOOPING
