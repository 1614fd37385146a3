"""The runner and the pipeline options that a user passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.runners.runner import PipelineRunner

from mmnotebook.errors import RunError

_View = TypeVar("_View", bound=PipelineOptions)


def check(runner: Any, options: Any) -> None:
    """Raise RunError if `runner` is not a Beam runner or `options` are not pipeline options."""
    if options is not None and not isinstance(options, (Mapping, PipelineOptions)):
        raise RunError(f"options={options!r}; allowed: Beam's PipelineOptions or a dict of them")
    if runner is not None and not isinstance(runner, PipelineRunner):
        raise RunError(
            f"runner={runner!r}; allowed: a Beam runner, or None for the in-process one",
            remedy="create one: FnApiRunner()",
        )


class RunOptions(PipelineOptions):
    """Pipeline options that create each of their views once.

    A run asks for about 50 views, and each one would create and parse all command line arguments of
    its class, which was 40 % of a run's fixed cost. All views share the values of one object.
    """

    def view_as(self, cls: type[_View]) -> _View:
        views: dict[type[PipelineOptions], PipelineOptions] = vars(self).setdefault("_views", {})
        if cls not in views:
            views[cls] = super().view_as(cls)
        return cast("_View", views[cls])


def as_options(options: Any) -> Any:
    """Return the options of a run as Beam's PipelineOptions."""
    if isinstance(options, PipelineOptions):
        return options
    kind: Any = RunOptions  # its methods have no annotations
    return kind.from_dictionary(dict(options or {}))


def has_one_worker(pipeline: Any) -> bool:
    """Return whether the options of a pipeline ask the in-process runner for a single worker."""
    return bool(pipeline.options.view_as(DirectOptions).direct_num_workers == 1)
