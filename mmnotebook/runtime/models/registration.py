"""`register`: a target is looked at, refused with a remedy or stored, and named."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle

from mmnotebook.errors import ModelError, one_line, shown
from mmnotebook.graph.checks import is_count, is_name
from mmnotebook.graph.fingerprint import Unknowable, digest
from mmnotebook.graph.models import ModelSpec, registry
from mmnotebook.graph.names import is_a
from mmnotebook.graph.steps import KINDS
from mmnotebook.runtime.data import storage
from mmnotebook.runtime.models import files, identity
from mmnotebook.runtime.models.warm import warm

ALLOWED = (
    "a torch nn.Module, a fitted scikit-learn estimator, a Beam ModelHandler, "
    "or the path of a TorchScript, state-dict, pickle or joblib file"
)
DEFAULT_BATCH = 64
_KEYED = {("apache_beam", "KeyedModelHandler"), ("apache_beam", "MaybeKeyedModelHandler")}


def register(
    name: str,
    target: Any,
    *,
    model_class: Callable[..., Any] | None = None,
    model_params: Mapping[str, Any] | None = None,
    input: str | Sequence[str] | None = None,
    output: str | Callable[[Any], Any] | None = None,
    batch_size: int | None = None,
    device: str = "CPU",
) -> ModelSpec:
    """Register a model under a name, for use in pipelines.

    Parameters
    ----------
    name
        A Python identifier. A name registered before is replaced.
    target
        A live torch ``nn.Module``, a fitted scikit-learn estimator, a Beam ``ModelHandler``, or
        the path of a file: TorchScript, a torch state dict (with `model_class`), or an estimator
        saved with pickle or joblib. A live object is stored once, as it is now, in a private file.
    model_class, model_params
        The class (or function) that makes the module for a state dict, and its arguments.
    input
        The field of the element that the model is given; several become one numpy row in that
        order. None gives it the value that flows.
    output
        What becomes of one raw output: ``"argmax"`` for the position of the highest score, any
        function of it, or None to keep it.
    batch_size
        Elements per call of the model; 64 when not given, a Beam handler's own for a handler.
    device
        "CPU", or "GPU" for a torch model; a GPU that is not there falls back to the CPU.

    Returns
    -------
    ModelSpec
        What is known of the model; its `replaces` says which model had the name before.

    Raises
    ------
    ModelError
        When the target cannot work, with the reason and the remedy.
    """
    _check_options(name, target, model_class, model_params, batch_size, device)
    options = {
        "input": _fields(input),
        "output": _output(output),
        "batch_size": batch_size,
        "device": device.upper(),
    }
    spec = replace(_store(name, target, model_class, dict(model_params or {})), **options)
    if spec.batch_size is None and spec.form != "handler":
        spec = replace(spec, batch_size=DEFAULT_BATCH)
    before = registry.get(name)
    spec = replace(spec, replaces=before.origin if before else None)
    if spec.path is not None and storage.is_ours(Path(spec.path)):
        storage.remove_with(spec, Path(spec.path).parent)
    registry.add(spec)
    if before is not None:
        _forget(before)
    return spec


def _forget(before: ModelSpec) -> None:
    """Free a loaded model that no name stands for any more."""
    key = identity.of_loaded(before).digest
    left = {identity.of_loaded(spec).digest for spec in registry.values()}
    if key is not None and key not in left:
        warm.forget(key)


def _store(
    name: str, target: Any, model_class: Callable[..., Any] | None, params: dict[str, Any]
) -> ModelSpec:
    if isinstance(target, (str, Path)):
        return files.from_file(name, Path(target).expanduser(), model_class, params)
    if isinstance(target, type):
        raise ModelError(
            f"cannot register the class {target.__name__} as {name!r}: it is not a model yet",
            remedy=f"make one: {target.__name__}(...), and register that",
        )
    if is_a(target, {("apache_beam", "ModelHandler")}):
        return _handler(name, target)
    if is_a(target, {("torch", "Module")}):
        return files.store_module(name, target)
    if is_a(target, {("sklearn", "BaseEstimator")}):
        return files.store_estimator(name, target)
    raise ModelError(
        f"cannot register {shown(target)} as {name!r}; allowed: {ALLOWED}", remedy=_remedy(target)
    )


def _remedy(target: Any) -> str:
    if callable(target) and not hasattr(target, "predict"):
        return "a function needs no registration: use its name as a step, rows | f"
    return "wrap it in a Beam ModelHandler: two methods, load_model and run_inference"


def _handler(name: str, target: Any) -> ModelSpec:
    kind = type(target).__name__
    inner = target
    while inner is not None:
        _refuse_wrapper(name, inner)
        # Beam's .with_preprocess_fn() and its like wrap one handler in another.
        inner = getattr(inner, "_base", None)
    try:
        content = cloudpickle.dumps(target)
    except Exception as error:
        raise files.unpicklable(name, target, error) from error
    try:
        fingerprint = digest(target)
    except Unknowable:
        fingerprint = hashlib.blake2b(content, digest_size=16).hexdigest()
    # A copy, so that what the user later changes in theirs does not change what runs.
    return ModelSpec(name, "beam", "handler", kind, None, fingerprint, target=pickle.loads(content))


def _refuse_wrapper(name: str, handler: Any) -> None:
    if is_a(handler, _KEYED):
        raise ModelError(
            f"cannot register a {type(handler).__name__} as {name!r}: "
            "elements carry their key already",
            remedy="register the handler that it wraps",
        )
    if handler.should_skip_batching():
        raise ModelError(
            f"cannot register {name!r}: .with_no_batching() takes batches for elements",
            remedy="register the handler without it; batch_size=1 gives it one element at a time",
        )
    if handler.batch_elements_kwargs().get("length_fn") is not None:
        raise ModelError(
            f"cannot register {name!r}: batches by length (batch_length_fn) are not made here",
            remedy="register the handler without it, or give it batch_size=1",
        )


def _check_options(
    name: Any, target: Any, model_class: Any, params: Any, batch_size: Any, device: Any
) -> None:
    if not is_name(name):
        raise ModelError(
            f"{name!r} cannot name a model; allowed: a Python identifier",
            remedy='for example mm.register("mlp", module)',
        )
    if name in KINDS:
        raise ModelError(f"{name!r} is the name of a step", remedy="choose another name")
    if batch_size is not None and not is_count(batch_size):
        raise ModelError(f"batch_size={batch_size!r}; allowed: a whole number from 1")
    if not isinstance(device, str) or device.upper() not in ("CPU", "GPU"):
        raise ModelError(f"device={device!r}; allowed: 'CPU' or 'GPU'")
    if not isinstance(target, (str, Path)) and (model_class is not None or params):
        raise ModelError(
            f"model_class and model_params go with a state-dict file, not with {shown(target)}",
            remedy="leave them out",
        )


def _fields(selected: Any) -> str | tuple[str, ...] | None:
    if selected is None or (isinstance(selected, str) and selected):
        return selected
    if isinstance(selected, Sequence) and selected and all(isinstance(f, str) for f in selected):
        return tuple(selected)
    raise ModelError(f"input={selected!r}; allowed: the name of a field, or a list of names")


def _output(output: Any) -> Any:
    if output is None or output == "argmax":
        return output
    if not callable(output):
        raise ModelError(f"output={output!r}; allowed: 'argmax', a function, or None")
    try:
        cloudpickle.dumps(output)
    except Exception as error:
        raise ModelError(f"output={output!r} cannot be pickled ({one_line(error)})") from error
    return output
