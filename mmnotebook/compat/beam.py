"""Beam's internals: windowed values, the interactive environment and its cache, model handlers.

Paths are below `apache_beam`.
"""

from __future__ import annotations

# isort: off
from mmnotebook import quiet_beam as quiet_beam  # first: it imports Beam without its log output
# isort: on

import argparse
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from apache_beam import pipeline
from apache_beam.options import pipeline_options, pipeline_options_validator
from apache_beam.runners import runner as runner_module
from apache_beam.runners.interactive import cache_manager, interactive_environment, utils
from apache_beam.runners.portability import fn_api_runner
from apache_beam.testing import test_stream
from apache_beam.transforms import core
from apache_beam.utils import windowed_value

create_windowed: Callable[..., windowed_value.WindowedValue] = windowed_value.create
"""Create a `WindowedValue` from a value, a timestamp in microseconds, windows and a pane.

Relies on `utils/windowed_value.py` and `utils/windowed_value.pxd`.
"""
WindowedValue = windowed_value.WindowedValue
"""The class of an element with its timestamp, windows and pane.

The method `with_value` returns a copy with another value.

Relies on `utils/windowed_value.py`.
"""
PANE_INFO_UNKNOWN = windowed_value.PANE_INFO_UNKNOWN
"""The pane of an element that no trigger has fired. Relies on `utils/windowed_value.py`."""
WindowedValueHolder = test_stream.WindowedValueHolder
"""An element that contains another one, `windowed_value`, which keeps its own windows.

Relies on `testing/test_stream.py`.
"""
Windowing = core.Windowing
"""How a PCollection is windowed. Relies on `transforms/core.py`."""
PipelineVisitor = pipeline.PipelineVisitor
"""The base class of visitors of the transforms of a pipeline. Relies on `pipeline.py`."""
FnApiRunner = fn_api_runner.FnApiRunner
"""The in-process runner. Relies on `runners/portability/fn_api_runner/fn_runner.py`."""
CacheManager = cache_manager.CacheManager
"""The base class of caches of PCollections for InteractiveRunner, which reads `_latest_version`.

Relies on `runners/interactive/cache_manager.py`.
"""
arguments_and_defaults = core.get_function_args_defaults
"""Return the names of a function's arguments, and the default values of its last arguments.

Relies on `transforms/core.py`.
"""
INSPECTS = "_inspect_"
"""The first part of the name of a DoFn's attribute; the second part is the name of a method.

The value is a function without arguments. It returns the arguments of this method, as
`arguments_and_defaults` does, but without `self`. Relies on `get_function_arguments` in
`transforms/core.py`.
"""


def time_of(element: WindowedValue) -> tuple[int, tuple[Any, ...], Any]:
    """Return an element's timestamp in microseconds, its windows and its pane.

    Relies on `utils/windowed_value.py`.
    """
    return element.timestamp_micros, tuple(element.windows), element.pane_info


def environment() -> Any:
    """Return Beam's interactive environment, which Beam creates at the first call.

    Relies on `runners/interactive/interactive_environment.py`.
    """
    return interactive_environment.current_env()


def watch(env: Any, mark: tuple[str, object], variables: dict[str, Any]) -> None:
    """Let the environment watch variables, unless it already watches variables with this mark.

    Relies on `runners/interactive/interactive_environment.py`.
    """
    if not any(mark in watched for watched in env.watching()):
        env.watch(variables)


def enter(env: Any, pipeline: Any, cache: Any) -> None:
    """Register a pipeline and its cache manager with the environment.

    Relies on `runners/interactive/interactive_environment.py`.
    """
    env.set_cache_manager(cache, pipeline)
    env.add_user_pipeline(pipeline)


def leave(env: Any, pipeline: Any) -> None:
    """Remove a pipeline and its cache manager from the environment.

    Relies on `runners/interactive/interactive_environment.py`.
    """
    env.cleanup(pipeline)
    env.evict_cache_manager(pipeline)


def result_below(result: Any) -> Any:
    """Return the result of the runner that InteractiveRunner uses, which has the metrics.

    Relies on `runners/interactive/interactive_runner.py`.
    """
    return result._underlying_result


def cache_name(variable: str) -> str:
    """Return the name in the cache of a PCollection that is watched as `variable`.

    Relies on `CacheKey` in `runners/interactive/caching/cacheable.py`.
    """
    return utils.obfuscate(variable)[:10]


def cache_name_in(labels: Sequence[str]) -> str:
    """Return the `cache_name` in the labels that a cache manager receives.

    Relies on `CacheKey` in `runners/interactive/caching/cacheable.py`.
    """
    return labels[-1].split("-", 1)[0]


def is_step_of_cache(step: str, name: str) -> bool:
    """Return whether a step, by its label, reads or writes the PCollection with a `cache_name`.

    Relies on `runners/interactive/caching/reify.py`.
    """
    return f"Cache_{name}-" in step


def let_stream(cache: Any, folder: Path) -> None:
    """Set the attributes of a cache manager that InteractiveRunner needs for a StreamingCache.

    Relies on `runners/interactive/background_caching_job.py`.
    """
    cache._cache_dir = str(folder)
    cache._saved_pcoders = {}


def stream_coders(cache: Any) -> dict[str, Any]:
    """Return the coders of a cache manager that `let_stream` has prepared, by `coder_key`.

    Relies on `runners/interactive/background_caching_job.py`.
    """
    coders: dict[str, Any] = cache._saved_pcoders
    return coders


def forget_stream_coders(cache: Any) -> None:
    """Give a cache manager a new, empty dict of coders; a StreamingCache may still use the old one.

    Relies on `runners/interactive/background_caching_job.py`.
    """
    cache._saved_pcoders = {}


def coder_key(cache: Any, labels: Sequence[str]) -> str:
    """Return the key that a StreamingCache uses to look up a coder.

    Relies on `runners/interactive/caching/streaming_cache.py`.
    """
    return str(Path(cache._cache_dir, *labels))


class OptionParser(pipeline_options._BeamArgumentParser):
    """The parser of the pipeline options that `add` adds; it raises ValueError for a bad value.

    Relies on `options/pipeline_options.py`, and on `_actions` in Python's argparse.
    """

    def __init__(self) -> None:
        super().__init__(allow_abbrev=False, add_help=False, conflict_handler="resolve")

    def add(self, options: type) -> list[argparse.Action]:
        """Add the options that a class defines itself, and return them."""
        before = len(self._actions)
        if "_add_argparse_args" in vars(options):
            options._add_argparse_args(self)  # type: ignore[attr-defined]
        return self._actions[before:]

    def error(self, message: str) -> Any:
        """Raise ValueError; the base class would exit Python."""
        raise ValueError(message)


def can_repeat(option: argparse.Action) -> bool:
    """Return whether an option of a parser can be passed several times.

    Relies on `_StoreAction` in Python's argparse.
    """
    return option.nargs != 0 and not isinstance(option, argparse._StoreAction)


def option_flags(options: pipeline_options.PipelineOptions) -> list[str] | None:
    """Return the command line that pipeline options parse; None for the one of this process.

    Relies on `options/pipeline_options.py`.
    """
    flags: Sequence[str] | None = options._flags
    return None if flags is None else list(flags)


def option_overrides(options: pipeline_options.PipelineOptions) -> dict[str, Any]:
    """Return the pipeline options that were set by name or read so far.

    Relies on `options/pipeline_options.py`.
    """
    return dict(options._all_options)


def create_runner(name: str) -> Any:
    """Create the runner with this name of Beam's, or with this path `module.Class`.

    Relies on `runners/runner.py`.
    """
    return runner_module.create_runner(name)


def runner_below(runner: Any) -> Any:
    """Return the runner that InteractiveRunner uses; any other runner itself.

    Relies on `runners/interactive/interactive_runner.py`.
    """
    return getattr(runner, "_underlying_runner", None) or runner


def option_problems(options: Any, runner: Any, classes: Sequence[type]) -> list[str]:
    """Return what Beam finds wrong with the options of these classes; this may set defaults.

    Relies on `options/pipeline_options_validator.py`.
    """
    validator = pipeline_options_validator.PipelineOptionsValidator(options, runner)
    found = [
        problem
        for options_class in classes
        for problem in options.view_as(options_class).validate(validator)
    ]
    if validator.is_service_runner():
        view = options.view_as(pipeline_options.GoogleCloudOptions)
        found += validator.validate_cloud_options(view)
    return found


ENVIRONMENTS = tuple(
    pipeline_options_validator.PipelineOptionsValidator.REQUIRED_ENVIRONMENT_OPTIONS
)
"""The allowed values of the option environment_type.

Relies on `options/pipeline_options_validator.py`.
"""


def environment_variables(handler: Any) -> dict[str, str]:
    """Return the environment variables of a model handler; {} for other objects.

    Relies on `ModelHandler` in `ml/inference/base.py`.
    """
    return getattr(handler, "_env_vars", None) or {}


def wrapped(handler: Any) -> Any:
    """Return the model handler inside a wrapping handler; None for any other handler.

    Relies on the classes that `ModelHandler.with_preprocess_fn` and similar methods return, in
    `ml/inference/base.py`.
    """
    return getattr(handler, "_base", None)


def model_uri(handler: Any) -> Any:
    """Return the path from which an ONNX handler loads its model; after an update, the new path.

    Relies on `ml/inference/onnx_inference.py`.
    """
    return handler._model_uri


def release_models(manager: Any) -> None:
    """Release the models that a KeyedModelHandler loaded with this manager.

    Relies on `_ModelHandlerManager`, formerly `_ModelManager`, in `ml/inference/base.py`.
    """
    proxies = manager._proxy_map
    while proxies:
        handle, model = proxies.popitem()[1]
        handle.release(model)
    manager._tag_map.clear()


def shared_model(load: Any, tag: str) -> Any:
    """Return the handle of a model that several processes share: `acquire()`, `release(model)`.

    Relies on `utils/multi_process_shared.py`.
    """
    from apache_beam.utils.multi_process_shared import MultiProcessShared

    return MultiProcessShared(load, tag=tag, always_proxy=True)


def keep_password_secret() -> None:
    """Set a password, unknown to other users of the machine, for the server of shared models.

    Relies on `utils/multi_process_shared.py`, where all users have the same password.
    """
    from apache_beam.utils import multi_process_shared

    if multi_process_shared.AUTH_KEY == b"mps":
        multi_process_shared.AUTH_KEY = secrets.token_bytes(32)


def current_metrics(result: Any) -> Any:
    """Return the metrics of a job as they are now.

    The result of a portable runner keeps its first answer. Relies on `PipelineResult` in
    `runners/portability/portable_runner.py`.
    """
    if "_metrics" in vars(result):
        result._metrics = None
    return result.metrics()


def repeats_bundles(runner: Any) -> bool:
    """Return whether an in-process runner was created to process each bundle more than once.

    Relies on `runners/portability/fn_api_runner/fn_runner.py`.
    """
    return bool(getattr(runner, "_bundle_repeat", 0))


def job_id(result: Any) -> str | None:
    """Return the id of a job on a job server; None for the result of another runner.

    Relies on `PipelineResult` in `runners/portability/portable_runner.py`.
    """
    found: str | None = getattr(result, "_job_id", None)
    return found


def result_of_job(runner: Any, options: Any, job_id: str) -> Any:
    """Return the result of a job that another process has submitted to a job server.

    Relies on `PortableRunner` in `runners/portability/portable_runner.py`.
    """
    from apache_beam.portability.api import beam_job_api_pb2 as api
    from apache_beam.runners.portability import portable_runner

    service = runner.create_job_service(options).job_service
    return portable_runner.PipelineResult(
        service,
        job_id,
        service.GetMessageStream(api.JobMessagesRequest(job_id=job_id)),
        service.GetStateStream(api.GetJobStateRequest(job_id=job_id)),
    )


def submitted_to_flink(result: Any) -> tuple[str, str] | None:
    """Return the address of Flink and the id there of a job that was submitted as a jar, or None.

    Relies on `FlinkBeamJob` in `runners/portability/flink_uber_jar_job_server.py`, and on
    `PipelineResult` in `runners/portability/portable_runner.py`.
    """
    jobs = getattr(getattr(result, "_job_service", None), "_jobs", {})
    job: Any = jobs.get(job_id(result))
    found = getattr(job, "_flink_job_id", None)
    return None if found is None else (job._master_url, found)


def arguments_of(dofn: Any) -> Any:
    """Return the arguments of a DoFn's `process` without `self`, and their default values.

    Relies on `get_function_arguments` in `transforms/core.py`.
    """
    return core.get_function_arguments(dofn, "process")


def not_alone(dofn: Any) -> str:
    """Return why an output of a DoFn may not belong to the element of one call; "" if it does.

    Relies on `DoFnSignature` in `runners/common.py`, and on private properties of a DoFn in
    `transforms/core.py`.
    """
    from apache_beam.runners.common import DoFnSignature

    signature = DoFnSignature(dofn)
    if signature.is_splittable_dofn() or signature.is_stateful_dofn():
        return "is splittable, or has state or timers"
    if core.DoFn.KeyParam in arguments_of(dofn)[1]:
        return "uses the key of its elements"
    if dofn._process_yields_batches:
        return "yields batches"
    if type(dofn).finish_bundle is not core.DoFn.finish_bundle:
        return "has finish_bundle, which may output what it has kept"
    methods = (
        signature.setup_lifecycle_method,
        signature.start_bundle_method,
        signature.teardown_lifecycle_method,
    )
    if any(method.args for method in methods):
        return "has parameters in setup, start_bundle or teardown"
    return ""


def at_most_one(dofn: Any) -> bool:
    """Return whether a DoFn has at most one output per element by its construction.

    This is so for the functions that `Map`, `MapTuple`, `Filter` and `WindowInto` create. Relies on
    these in `transforms/core.py`.
    """
    if isinstance(dofn, core.WindowInto.WindowIntoFn):
        return True
    code = getattr(getattr(dofn, "_fn", None), "__code__", None)
    makers = (core.Map, core.MapTuple, core.Filter)
    inner = (one for maker in makers for one in maker.__code__.co_consts)
    return code is not None and code in inner


def makes_children(dofn: Any) -> bool:
    """Return whether a DoFn calls a function that returns a list of outputs, as for `FlatMap`.

    Relies on `CallableWrapperDoFn` in `transforms/core.py`.
    """
    return isinstance(dofn, core.CallableWrapperDoFn) and not at_most_one(dofn)


def current_label(pipeline: Any) -> str:
    """Return the full label of the transform that is being applied; "" outside of one.

    Relies on `Pipeline._current_transform` in `pipeline.py`.
    """
    return str(pipeline._current_transform().full_label)


def takes_values_only(pardo: Any) -> bool:
    """Return whether the DoFn of a ParDo receives elements and constants, and nothing else.

    Relies on `_DoFnParam` and on `raw_side_inputs` of a ParDo, in `transforms/core.py`.
    """
    given, named = pardo.raw_side_inputs
    passed = (*given, *named.values(), *arguments_of(pardo.dofn)[1])
    return not pardo.side_inputs and not any(isinstance(one, core._DoFnParam) for one in passed)
