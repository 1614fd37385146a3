"""`register`, which checks a target, stores it and adds its spec to the registry."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmnotebook import storage
from mmnotebook.errors import ModelError, one_line, shown
from mmnotebook.fingerprint import contents
from mmnotebook.fingerprint.identity import Unknowable
from mmnotebook.graph.models import ModelSpec, registry
from mmnotebook.model import frameworks, identity, provenance, settings
from mmnotebook.model.framework import Options
from mmnotebook.model.loaded.models import loaded_models
from mmnotebook.remote import addresses, files, problems

DEFAULT_BATCH = 64


def register(
    name: str,
    target: Any,
    *,
    framework: str | None = None,
    model_class: Callable[..., Any] | None = None,
    model_params: Mapping[str, Any] | None = None,
    method: str | None = None,
    input: str | Sequence[str] | None = None,
    preprocess: Callable[[Any], Any] | None = None,
    output: str | Callable[[Any], Any] | None = None,
    postprocess: str | Callable[[Any], Any] | None = None,
    inference_args: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    min_batch_size: int | None = None,
    max_batch_size: int | None = None,
    timeout: float | None = None,
    batched: bool = True,
    batch_axis: int = 0,
    output_batch_axis: int | Sequence[Any] | Mapping[str, Any] | None = None,
    collate: Callable[[list[Any]], Any] | None = None,
    reset: str | Callable[[Any], Any] | None = None,
    remote: bool | None = None,
    version: str | int | None = None,
    cache: str | None = None,
    device: str = "CPU",
    large_model: bool = False,
    model_copies: int | None = None,
    env_vars: Mapping[str, str] | None = None,
    **extra: Any,
) -> ModelSpec:
    """Register a model under a name, for use in pipelines.

    Parameters
    ----------
    name
        A Python identifier. A model that is registered under this name is replaced.
    target
        A live model (a torch ``nn.Module`` or exported program, a fitted scikit-learn estimator, a
        Beam ``ModelHandler``, any object with a ``predict`` method) or the path of a file:
        TorchScript, ``.pt2``, a torch state dict (with `model_class`), an estimator saved with
        pickle or joblib, or a file of another framework. An address such as ``"s3://bucket/m.pt"``
        is copied to a private file. A run uses the current state of the
        target: a changed file is loaded again, and a live object that was trained further is stored
        again, in a private file. A pickle, joblib or ``.pt2`` file can run code when it is loaded:
        register only files that you trust.
    framework
        The framework of the model, if the target does not determine it. ``"python"`` is any object
        with a ``predict`` method, or a function; it is called with a batch and returns one output
        per example. Numbers, arrays, tensors and lists of numbers are passed as a NumPy array with
        a row per example (as a list of arrays if their shapes differ); other values (records,
        strings, PIL images) are passed as a list, unchanged. A torch module receives floating-point
        numbers in its own dtype. Integers and booleans are passed unchanged, and converted to that
        dtype only if the call raises an error about types. Values that the dtype cannot represent
        fail: see `preprocess`.
    model_class, model_params
        The class (or function) that creates the module for a state dict, and its arguments.
    method
        The method of the model to call with a batch, such as ``"predict_proba"``.
    input
        The field of the element that is passed to the model, or a list of fields. Several fields
        are passed by name to a model with input names, and to other models as one NumPy row in this
        order. None (the default) passes the whole value.
    preprocess
        A function of one example that returns the input of the model.
    output, postprocess
        The conversion of one raw output: ``"argmax"`` for the position of the highest score, any
        function of the output, or None (the default) to keep it. Both names are the same option.
    inference_args
        Keyword arguments of every call of the model, as a dict.
    batch_size
        Elements per call of the model. Default: 1 for a remote model, which may charge for each
        call, the batch size of a Beam handler, and 64 for any other model.
    min_batch_size, max_batch_size
        Beam's bounds, instead of `batch_size`. Batches are filled up to the maximum while there are
        elements. No call waits for more elements because of the minimum.
    timeout
        Time limit of one call, in seconds. The elements of a batch that takes longer fail with a
        TimeoutError; the call itself cannot be canceled and continues in parallel with the next
        one.
    batched
        False for a model without a batch axis: each call receives one element, and its whole return
        value is the output of that element. Default: True.
    batch_axis
        The batch axis of the input: 1 for a recurrent module that takes (time, batch, features).
        Default: 0.
    output_batch_axis
        The batch axis of the output. A number applies to all outputs; a tuple or dict has one for
        each: ``(0, 1)`` for a GRU with ``batch_first=True``, which returns its hidden state as
        (layers, batch, features). None (the default) is the first axis. In each case the outputs of
        batches of different sizes must confirm it.
    collate
        A function that takes the list of the (preprocessed) elements of a batch and returns the
        input of the model: it pads or packs elements of different shapes. Without it, elements of
        equal shape are batched together.
    reset
        The name of a method, or a function of the model, that restores the state in which the model
        was loaded. A model that keeps state between calls and has no `reset` is loaded again in
        every run, and its predictions are never cached.
    remote
        True for a model that runs in another process or machine. It is called for predictions only,
        never to compare its outputs; several such models that receive the same data are called at
        the same time, each in a thread of its own. None (the default) detects whether the model is
        remote: its first call connects a socket.
    version
        A string or integer that you change whenever the predictions of the model can change, such
        as a release or a date. The model is then not computed in every run because of the effects
        of its code, and predictions of a remote model are read from the cache in other kernels too.
        The content of the model still counts, as far as it can be fingerprinted.
    cache
        ``"element"`` for a costly model whose prediction for an element depends on that element
        only. Each prediction is cached by the content of its element: after a change of the data,
        in any order, only new elements are predicted. None (the default) caches predictions of
        remote models in this way, and those of other models by block of up to 4,096 elements.
    device
        "CPU" (the default), or "GPU" for a framework that supports it; without a GPU, the model
        runs on the CPU.
    large_model, model_copies
        Whether the processes of a worker share the model, and the number of copies that they share.
    env_vars
        Environment variables to set before the model is loaded, in this process too.
    **extra
        Options of the framework.

    Returns
    -------
    ModelSpec
        The registered model; its `replaces` is the `origin` of the model that it replaced.

    Raises
    ------
    ModelError
        If the target cannot be used; the error contains the reason and a remedy.

    See Also
    --------
    mmnotebook.registry : The registered models by name.
    mmnotebook.models : The models that are loaded.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> def lengths(texts):
    ...     return [len(text) for text in texts]
    >>> mm.register("lengths", lengths, framework="python", batch_size=8)
    lengths: python lengths, batches of 8
    """
    return _add(
        spec_of(
            name,
            target,
            framework=framework,
            model_class=model_class,
            model_params=model_params,
            method=method,
            input=input,
            preprocess=preprocess,
            output=output,
            postprocess=postprocess,
            inference_args=inference_args,
            batch_size=batch_size,
            min_batch_size=min_batch_size,
            max_batch_size=max_batch_size,
            timeout=timeout,
            batched=batched,
            batch_axis=batch_axis,
            output_batch_axis=output_batch_axis,
            collate=collate,
            reset=reset,
            remote=remote,
            version=version,
            cache=cache,
            device=device,
            large_model=large_model,
            model_copies=model_copies,
            env_vars=env_vars,
            **extra,
        )
    )


def spec_of(name: str, target: Any, **options: Any) -> ModelSpec:
    """Return the spec that `register` would add, without adding it.

    A live object is stored in a private file, which the caller must remove. The errors are those of
    `register`.
    """
    whole = dict(options)
    take = functools.partial(_taken, options)
    settings.check_name(name)
    reset = settings.reset(name, target, take("reset"))
    given = {
        "input": settings.fields(take("input")),
        "preprocess": settings.function("preprocess", take("preprocess")),
        "output": settings.output(take("output"), take("postprocess")),
        "inference_args": settings.named("inference_args", take("inference_args")),
        "timeout": settings.seconds(take("timeout")),
        "batched": settings.truth("batched", take("batched", True)),
        "batch_axis": settings.axis("batch_axis", take("batch_axis", 0)),
        "output_batch_axis": settings.axes("output_batch_axis", take("output_batch_axis")),
        "collate": settings.function("collate", take("collate")),
        "reset": reset,
        "remote": settings.maybe("remote", take("remote")),
        "version": settings.version(take("version")),
        "cache": settings.cache(take("cache"), reset),
        "device": settings.device(take("device", "CPU")),
        "large_model": settings.truth("large_model", take("large_model", False)),
        "model_copies": settings.count("model_copies", take("model_copies")),
        "env_vars": settings.environment(take("env_vars")),
    }
    bounds = (take("batch_size"), take("min_batch_size"), take("max_batch_size"))
    batch = settings.batch(*bounds, DEFAULT_BATCH)
    if not given["batched"]:
        batch = settings.unbatched(batch, given)
    framework, method = take("framework"), take("method")
    made = (take("model_class"), dict(take("model_params") or {}))
    spec = _store(name, target, framework, Options(*made, method, options), given["device"])
    spec = replace(spec, given=replace(spec.given, whole=whole))
    spec = _in_batches(replace(spec, **given, method=method, extra=dict(options)), batch)
    settings.check_batching(spec, frameworks.by_name(spec.framework))
    _check_arguments(spec)
    return spec


def _taken(options: dict[str, Any], name: str, default: Any = None) -> Any:
    """Remove and return an option that all frameworks share."""
    return options.pop(name, default)


def _store(
    name: str, target: Any, framework: str | None, options: Options, device: str
) -> ModelSpec:
    """Store a target with its framework; return the spec."""
    if isinstance(target, type) and framework is None:
        raise ModelError(
            f"cannot register the class {target.__name__} as {name!r}: it is not an instance",
            remedy=f"create an instance: {target.__name__}(...), and register it",
        )
    named = None if framework is None else frameworks.by_name(framework)
    if provenance.is_address(target, named):
        return _store_copy(name, target, framework, options, device)
    if isinstance(target, (str, Path)):
        path = Path(addresses.local(str(target))).expanduser().absolute()
        if path.exists() or named is None or not named.named:
            target = _existing(name, path)
    found = named or frameworks.of(name, target, options)
    settings.check_options(name, found, options, device)
    found.need(name)
    return provenance.stored(name, target, found, options)


def _store_copy(
    name: str, address: str, framework: str | None, options: Options, device: str
) -> ModelSpec:
    """Copy a remote file or folder to a private folder, and store it; return the spec."""
    folder = storage.new_folder("model")
    try:
        before = contents.of(address)
        copied = files.fetch(address, folder)
        spec = provenance.of_address(_store(name, copied, framework, options, device), address)
        after = contents.of(address)
    except ModelError as error:
        message = error.message.replace(f"{folder}/{addresses.last(address)}", address)
        raise ModelError(message, remedy=error.remedy) from error
    except OSError as error:
        failed = problems.failed("read", address, error)
        what = f"cannot register {address!r} as {name!r}: {failed.why}"
        raise ModelError(what, remedy=failed.remedy) from error
    if before != after:
        raise ModelError(
            f"cannot register {name!r}: {address} changes while it is copied",
            remedy="register it when no other process writes to it",
        )
    return spec


def current(spec: ModelSpec) -> ModelSpec:
    """Return the spec of a registered model; if its target changed, store the target again.

    Raises
    ------
    ModelError
        If the current state cannot be registered.
    """
    given = spec.given
    target = None if given is None else given.target()
    try:
        if target is None:
            return provenance.with_files_now(spec)
        paths = [path for path, _ in spec.files]
        state = provenance.state(given.framework, target, given.options, paths)
        if state == given.state:
            return provenance.with_learnt(spec)
        new = spec_of(spec.name, target, **given.whole)
    except Unknowable as reason:
        return replace(spec, unknown=str(reason))
    except ModelError as error:
        raise ModelError(
            f"model {spec.name!r} has changed since it was registered: {error.message}",
            remedy=error.remedy,
        ) from error
    new = provenance.with_learnt(replace(new, replaces=spec.replaces))
    return _put(new) if registry.get(spec.name) is spec else new


def _existing(name: str, path: Path) -> Path:
    if not path.exists():
        remedy = f"the current folder is {Path.cwd()}"
        raise ModelError(
            f"cannot register {str(path)!r} as {name!r}: there is no such file", remedy=remedy
        )
    return path


def _in_batches(spec: ModelSpec, batch: int | None) -> ModelSpec:
    """Return the spec with a batch size; raise ModelError if the model needs another size."""
    only = spec.batch_size
    if only is not None and batch not in (None, only):
        raise ModelError(
            f"cannot register {spec.name!r} with batches of {batch}: it takes batches of {only}",
            remedy="leave batch_size out",
        )
    default = None if spec.form == "handler" else DEFAULT_BATCH
    chosen = only or batch
    return replace(spec, batch_size=chosen or default, default_batch=not chosen)


def _check_arguments(spec: ModelSpec) -> None:
    """Check `inference_args` with the handler of the framework."""
    if not spec.inference_args:
        return
    handler = frameworks.by_name(spec.framework).handler(spec)
    try:
        handler.validate_inference_args(dict(spec.inference_args))
    except Exception as error:
        raise ModelError(
            f"cannot register {spec.name!r} with inference_args={shown(spec.inference_args)}: "
            f"{one_line(error)}",
            remedy="inference_args are the keyword arguments of each call of the model",
        ) from error


def _add(spec: ModelSpec) -> ModelSpec:
    before = registry.get(spec.name)
    return _put(replace(spec, replaces=before.origin if before else None))


def _put(spec: ModelSpec) -> ModelSpec:
    """Add a model; unload the one that it replaces."""
    if spec.path is not None and storage.is_ours(Path(spec.path)):
        storage.remove_with(spec, Path(spec.path).parent)
    registry.add(spec)
    others = [name for name in registry if name != spec.name]
    loaded_models.replace(spec.name, identity.of_loaded(spec).digest, others)
    return spec
