"""The runner and the pipeline options that a user passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineRunner

from mmnotebook.errors import RunError


def check(runner: Any, options: Any) -> None:
    """Raise RunError if `runner` is not a Beam runner or `options` are not pipeline options."""
    if options is not None and not isinstance(options, (Mapping, PipelineOptions)):
        raise RunError(f"options={options!r}; allowed: Beam's PipelineOptions or a dict of them")
    if runner is not None and not isinstance(runner, PipelineRunner):
        raise RunError(
            f"runner={runner!r}; allowed: a Beam runner, or None for the in-process one",
            remedy="create one: FnApiRunner()",
        )


def as_options(options: Any) -> Any:
    """Return the options as Beam's PipelineOptions."""
    if isinstance(options, Mapping):
        return PipelineOptions.from_dictionary(dict(options))
    return options
