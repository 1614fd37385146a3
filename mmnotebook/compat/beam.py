"""Beam's internals: windowed values, the interactive environment and its cache, model handlers.

Paths are below `apache_beam`.
"""

from __future__ import annotations

# isort: off
from mmnotebook import quiet_beam as quiet_beam  # first of all: Beam is imported without its log
# isort: on

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from apache_beam import pipeline
from apache_beam.runners.interactive import cache_manager, interactive_environment, utils
from apache_beam.runners.portability import fn_api_runner
from apache_beam.testing import test_stream
from apache_beam.transforms import core
from apache_beam.utils import windowed_value

create_windowed: Callable[..., windowed_value.WindowedValue] = windowed_value.create
"""Return an element as it is in a PCollection: its value, microseconds, windows, pane.

Leans on `utils/windowed_value.py`, and on the same in `utils/windowed_value.pxd`.
"""
WindowedValue = windowed_value.WindowedValue
"""An element as it is in a PCollection: its `value`, and `with_value`, which copies it.

Leans on `utils/windowed_value.py`.
"""
PANE_INFO_UNKNOWN = windowed_value.PANE_INFO_UNKNOWN
"""The pane of an element that no trigger has fired. Leans on `utils/windowed_value.py`."""
WindowedValueHolder = test_stream.WindowedValueHolder
"""An element that contains another one, `windowed_value`, which keeps its own windows.

Leans on `testing/test_stream.py`.
"""
Windowing = core.Windowing
"""How a PCollection is windowed. Leans on `transforms/core.py`."""
PipelineVisitor = pipeline.PipelineVisitor
"""The base of visitors of each transform of a pipeline. Leans on `pipeline.py`."""
FnApiRunner = fn_api_runner.FnApiRunner
"""The runner in this process. Leans on `runners/portability/fn_api_runner/fn_runner.py`."""
CacheManager = cache_manager.CacheManager
"""The base of classes that keep PCollections for InteractiveRunner, which reads `_latest_version`.

Leans on `runners/interactive/cache_manager.py`.
"""
arguments_and_defaults = core.get_function_args_defaults
"""Return the names of a function's arguments, and the defaults of the last of them.

Leans on `transforms/core.py`.
"""
INSPECTS = "_inspect_"
"""Prefix of a DoFn's attribute that knows the arguments of the method whose name follows it.

Its value is a function without arguments, with the result of `arguments_and_defaults` without
`self`. Leans on `get_function_arguments` in `transforms/core.py`.
"""


def time_of(element: WindowedValue) -> tuple[int, tuple[Any, ...], Any]:
    """Return an element's timestamp in microseconds, its windows and its pane.

    Leans on `utils/windowed_value.py`.
    """
    return element.timestamp_micros, tuple(element.windows), element.pane_info


def chained(transform: Any) -> tuple[Any, ...]:
    """Return the transforms that `a | b` chains; none for any other transform.

    Leans on `_ChainedPTransform` in `transforms/ptransform.py`.
    """
    return tuple(getattr(transform, "_parts", ()))


def environment() -> Any:
    """Return Beam's interactive environment, which Beam creates at the first call.

    Leans on `runners/interactive/interactive_environment.py`.
    """
    return interactive_environment.current_env()


def watch(env: Any, mark: tuple[str, object], variables: dict[str, Any]) -> None:
    """Have the environment watch variables, unless it watches some with this mark among them.

    Leans on `runners/interactive/interactive_environment.py`.
    """
    if not any(mark in watched for watched in env.watching()):
        env.watch(variables)


def enter(env: Any, pipeline: Any, cache: Any) -> None:
    """Register a pipeline with the environment, with the cache manager that it uses.

    Leans on `runners/interactive/interactive_environment.py`.
    """
    env.set_cache_manager(cache, pipeline)
    env.add_user_pipeline(pipeline)


def leave(env: Any, pipeline: Any) -> None:
    """Have the environment forget a pipeline and its cache manager.

    Leans on `runners/interactive/interactive_environment.py`.
    """
    env.cleanup(pipeline)
    env.evict_cache_manager(pipeline)


def result_below(result: Any) -> Any:
    """Return the result of the runner below InteractiveRunner, which has the metrics.

    Leans on `runners/interactive/interactive_runner.py`.
    """
    return result._underlying_result


def cache_name(variable: str) -> str:
    """Return the cache's name for a PCollection that is watched as `variable`.

    Leans on `CacheKey` in `runners/interactive/caching/cacheable.py`.
    """
    return utils.obfuscate(variable)[:10]


def cache_name_in(labels: Sequence[str]) -> str:
    """Return the `cache_name` in the labels that a cache manager is given.

    Leans on `CacheKey` in `runners/interactive/caching/cacheable.py`.
    """
    return labels[-1].split("-", 1)[0]


def is_step_of_cache(step: str, name: str) -> bool:
    """Return whether a step, by its label, reads or writes the PCollection with this `cache_name`.

    Leans on `runners/interactive/caching/reify.py`.
    """
    return f"Cache_{name}-" in step


def let_stream(cache: Any, folder: Path) -> None:
    """Set the attributes from which InteractiveRunner creates its StreamingCache.

    Leans on `runners/interactive/background_caching_job.py`.
    """
    cache._cache_dir = str(folder)
    cache._saved_pcoders = {}


def stream_coders(cache: Any) -> dict[str, Any]:
    """Return the coders of a cache manager that `let_stream` has prepared, by `coder_key`.

    Leans on `runners/interactive/background_caching_job.py`.
    """
    coders: dict[str, Any] = cache._saved_pcoders
    return coders


def forget_stream_coders(cache: Any) -> None:
    """Give a cache manager other coders; a StreamingCache that took over keeps those it has.

    Leans on `runners/interactive/background_caching_job.py`.
    """
    cache._saved_pcoders = {}


def coder_key(cache: Any, labels: Sequence[str]) -> str:
    """Return the key under which a StreamingCache looks a coder up.

    Leans on `runners/interactive/caching/streaming_cache.py`.
    """
    return str(Path(cache._cache_dir, *labels))


def environment_variables(handler: Any) -> dict[str, str]:
    """Return the environment variables that a model handler was given; none for other objects.

    Leans on `ModelHandler` in `ml/inference/base.py`.
    """
    return getattr(handler, "_env_vars", None) or {}


def wrapped(handler: Any) -> Any:
    """Return the model handler that another one wraps, None if it wraps none.

    Leans on what `ModelHandler.with_preprocess_fn` and the like return, in `ml/inference/base.py`.
    """
    return getattr(handler, "_base", None)


def model_uri(handler: Any) -> Any:
    """Return the path from which an ONNX handler loads its model: after an update, the new one.

    Leans on `ml/inference/onnx_inference.py`.
    """
    return handler._model_uri


def release_models(manager: Any) -> None:
    """Release the models that a KeyedModelHandler loaded into this manager.

    Leans on `_ModelHandlerManager`, formerly `_ModelManager`, in `ml/inference/base.py`.
    """
    proxies = manager._proxy_map
    while proxies:
        handle, model = proxies.popitem()[1]
        handle.release(model)
    manager._tag_map.clear()


def shared_model(load: Any, tag: str) -> Any:
    """Return the handle of a model that processes share, with `acquire()` and `release(model)`.

    Leans on `utils/multi_process_shared.py`.
    """
    from apache_beam.utils.multi_process_shared import MultiProcessShared

    return MultiProcessShared(load, tag=tag, always_proxy=True)


def keep_password_secret() -> None:
    """Give the server of shared models a password that no other user of the machine knows.

    Leans on `utils/multi_process_shared.py`, where it is the same for everybody.
    """
    from apache_beam.utils import multi_process_shared

    if multi_process_shared.AUTH_KEY == b"mps":
        multi_process_shared.AUTH_KEY = secrets.token_bytes(32)
