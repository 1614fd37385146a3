"""What the workers of a runner do differently from this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apache_beam.options.pipeline_options import DirectOptions, PortableOptions

from mmnotebook.beam import runners
from mmnotebook.beam.options import as_options
from mmnotebook.compat import beam as compat


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
    """Return what is known of the workers of a runner with these options."""
    options = as_options(options)
    below = compat.runner_below(runner) or compat.FnApiRunner()
    name = type(below).__name__
    if runners.is_in_process(below):
        direct = options.view_as(DirectOptions)
        repeated = compat.repeats_bundles(below) or bool(direct.direct_runner_bundle_repeat)
        alone = direct.direct_running_mode != "multi_processing"
        return Workers(repeated or not alone, False, alone and not repeated, name)
    is_rehearsal = options.view_as(PortableOptions).job_endpoint == "embed"
    return Workers(True, runners.is_elsewhere(below, options), not is_rehearsal, name)
