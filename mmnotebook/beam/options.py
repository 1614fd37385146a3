"""The runner and the pipeline options that a user passes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

from apache_beam.options.pipeline_options import (
    DebugOptions,
    DirectOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.runners.runner import PipelineRunner

from mmnotebook import quiet_beam
from mmnotebook.beam import runners
from mmnotebook.beam.option_values import KnownOptions
from mmnotebook.compat import beam as compat
from mmnotebook.errors import RunError, nearest

_View = TypeVar("_View", bound=PipelineOptions)
_VALIDATED = (DebugOptions, PortableOptions, SetupOptions, WorkerOptions)


def resolved(runner: Any, options: Any) -> tuple[PipelineRunner | None, PipelineOptions]:
    """Return the runner of a run and its checked options.

    Parameters
    ----------
    runner
        A Beam runner; None for the one that `options` name, or else the in-process runner.
    options
        Beam's PipelineOptions, a dict of them, or None.

    Raises
    ------
    RunError
        If `runner` is not a runner, Beam does not know an option, the runner would ignore it, or
        two of them contradict each other.
    """
    if options is not None and not isinstance(options, (Mapping, PipelineOptions)):
        raise RunError(f"options={options!r}; allowed: Beam's PipelineOptions or a dict of them")
    if runner is not None and not isinstance(runner, PipelineRunner):
        raise RunError(
            f"runner={runner!r}; allowed: a Beam runner, or None for the in-process one",
            remedy="create one: FnApiRunner(); or name one: options={'runner': 'FlinkRunner'}",
        )
    if isinstance(options, PipelineOptions):
        with quiet_beam.quiet():  # Beam's options set up the root logger
            KnownOptions().check(options)
            runner = _one_runner(runner, options.view_as(StandardOptions).runner)
            _check_environment(options, runner)
        return runner, options
    given = dict(options or {})
    runner = _one_runner(runner, given.pop("runner", None))
    return runner, create(runner, given)


def _one_runner(runner: Any, named: Any) -> Any:
    """Return the runner that was passed, or named in the options; raise if they contradict."""
    if named is None:
        return runner
    created = runners.create(named)
    if runner is not None and type(runner) is not type(created):
        raise RunError(
            f"runner={type(runner).__name__}() and the option runner={named!r} contradict each "
            "other",
            remedy="pass one of them",
        )
    return created if runner is None else runner


def create(
    runner: PipelineRunner | None, given: Mapping[str, Any], extra_names: Iterable[str] = ()
) -> PipelineOptions:
    """Create Beam's options from their names and values, checked for a runner.

    Parameters
    ----------
    runner
        The runner; None for the in-process one.
    given
        The options by their names in Beam: `parallelism`, or `no_use_public_ips`.
    extra_names
        Other names that the caller accepts, to be suggested for a name that is misspelt.

    Raises
    ------
    RunError
        If Beam does not know an option, cannot parse its value, or the runner would ignore it.
    """
    kind: Any = RunOptions  # its methods have no annotations
    with quiet_beam.quiet():  # Beam's options set up the root logger
        flags, values = _command_line(runner, given, extra_names) if given else ([], {})
        options: PipelineOptions = kind(flags, **values)
        if given or runner is not None:
            _check_environment(options, runner)
    return options


def _command_line(
    runner: Any, given: Mapping[str, Any], extra_names: Iterable[str]
) -> tuple[list[str], dict[str, Any]]:
    """Return the command line for options, and the values that need none."""
    flags: list[str] = []
    values: dict[str, Any] = {}
    passed: dict[str, str] = {}
    known = KnownOptions(extra_names)
    for name, value in given.items():
        option, more, switched = known.read(name, value)
        if option in passed:
            raise RunError(f"{passed[option]!r} and {name!r} are the same option; pass one")
        passed[option] = name
        runners.check_use(runner, name, known.owners[option])
        flags += more
        values.update(switched)
    return flags, values


def _check_environment(options: PipelineOptions, runner: Any) -> None:
    """Raise RunError for options that contradict each other, or that the runner also needs."""
    portable = options.view_as(PortableOptions)
    kind, config = portable.environment_type, portable.environment_config
    if kind and kind not in compat.ENVIRONMENTS and not kind.startswith("beam:env:"):
        close = nearest(kind.upper(), compat.ENVIRONMENTS)
        hint = f"; did you mean {close!r}?" if close else ""
        allowed = ", ".join(compat.ENVIRONMENTS)
        raise RunError(f"environment_type={kind!r}; allowed: {allowed}{hint}")
    if kind == "PROCESS" and config and not _is_json(config):
        raise RunError(
            "environment_config of a PROCESS environment is not JSON",
            remedy='for example {"command": "/opt/apache/beam/boot"}',
        )
    problems = compat.option_problems(copy.deepcopy(options), runner, _VALIDATED)
    if problems:
        raise RunError("Beam's options are not valid: " + "; ".join(problems))


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


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
