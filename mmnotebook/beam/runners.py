"""Runners by name: their creation, which options they use, and where their workers are."""

from __future__ import annotations

import copy
from typing import Any

from apache_beam.options.pipeline_options import (
    DebugOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
)
from apache_beam.runners.runner import PipelineRunner

from mmnotebook import quiet_beam
from mmnotebook.compat import beam as compat
from mmnotebook.errors import RunError, nearest, one_line, shown

_NO_LOG = "disable_logging_submission_environment"


def create(named: Any) -> PipelineRunner:
    """Return a runner from its name in Beam, its path `module.Class`, or the runner itself.

    Raises
    ------
    RunError
        If there is no such runner, or it cannot be created.
    """
    if isinstance(named, PipelineRunner):
        return named
    if not isinstance(named, str):
        raise RunError(
            f"runner={shown(named)}; allowed: the name of a runner, or a runner",
            remedy='for example "FlinkRunner", or "my_module.MyRunner"',
        )
    try:
        with quiet_beam.quiet():  # Beam logs what it cannot import
            created = compat.create_runner(named)
    except ValueError as error:
        raise _unknown(named) from error
    except Exception as error:
        raise RunError(
            f"runner={named!r} cannot be created: {one_line(error)}",
            remedy="check its name, and that its package is installed",
        ) from error
    if not isinstance(created, PipelineRunner):
        raise RunError(f"runner={named!r} is not a Beam runner; found {shown(created)}")
    return created


def _unknown(name: str) -> RunError:
    known = StandardOptions.KNOWN_RUNNER_NAMES
    close = nearest(name, known)
    hint = f"; did you mean {close!r}?" if close else ""
    return RunError(
        f"there is no runner {name!r}; allowed: {', '.join(known)}, or module.Class{hint}"
    )


def names(runner: Any) -> set[str]:
    """Return the names of the class of a runner and of its base classes."""
    return {cls.__name__ for cls in type(runner).__mro__}


def is_in_process(runner: Any) -> bool:
    """Return whether a runner is one of Beam's that run a pipeline in this process."""
    own = names(runner)
    return "PortableRunner" not in own and bool(own & set(StandardOptions.LOCAL_RUNNERS))


def check_use(runner: Any, name: str, owner: type) -> None:
    """Raise RunError if a runner of Beam's would ignore an option.

    Parameters
    ----------
    runner
        The runner; None for the in-process one.
    name, owner
        The option, and the class that defines it.
    """
    stem = owner.__name__.removesuffix("Options").removesuffix("Runner")
    if runner is None:
        runner = compat.FnApiRunner()
    if not _uses(runner, f"{stem}Runner"):
        raise RunError(
            f"{type(runner).__name__} does not use {name!r}, which is an option of {stem}Runner",
            remedy=f"leave it out, or choose another runner: {stem}Runner",
        )


def _uses(runner: Any, engine: str) -> bool:
    """Return whether a runner may use the options of the runner named `engine`."""
    own = names(runner)
    is_known = engine in StandardOptions.KNOWN_RUNNER_NAMES
    is_ours = type(runner).__module__.startswith("apache_beam.")
    if not is_known or engine.startswith("Test") or "InteractiveRunner" in own:
        return True
    if not is_ours and not own & set(StandardOptions.KNOWN_RUNNER_NAMES):
        return True  # a runner of another package may use any option
    if engine in own:
        return True
    if is_in_process(runner):
        return engine == "DirectRunner" or (
            engine == "PrismRunner" and "SwitchingDirectRunner" in own
        )
    if engine == "PortableRunner":
        return True
    # A job server that PortableRunner calls can belong to any engine.
    return type(runner).__name__ == "PortableRunner" and engine != "DirectRunner"


def is_elsewhere(runner: Any, options: PipelineOptions) -> bool:
    """Return whether the workers of a runner may be on other machines.

    A runner that is not known is taken to have workers elsewhere.
    """
    if runner is None or is_in_process(runner):
        return False
    if "InteractiveRunner" in names(runner):
        return False
    kind = options.view_as(PortableOptions).environment_type
    if kind is None and "PortableRunner" in names(runner):
        kind = _default_environment(runner, options)
    return bool(kind != "LOOPBACK")


def _default_environment(runner: Any, options: PipelineOptions) -> Any:
    """Return the environment type that a portable runner chooses itself, or None."""
    with quiet_beam.quiet():
        return _tried_environment(runner, copy.deepcopy(options))


def _tried_environment(runner: Any, own: PipelineOptions) -> Any:
    setup, usual = own.view_as(SetupOptions), SetupOptions([])
    for name, value in usual.get_all_options(current_only=True).items():
        setattr(setup, name, value)  # otherwise Beam would build and download packages
    own.view_as(DebugOptions).experiments = [_NO_LOG]
    runner.default_environment(own)
    return own.view_as(PortableOptions).environment_type
