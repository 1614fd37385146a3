"""torch: live modules, TorchScript, state dicts and exported programs."""

from __future__ import annotations

import inspect
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmnotebook import storage
from mmnotebook.elements import pickling
from mmnotebook.errors import ModelError, one_line, shown
from mmnotebook.fingerprint.identity import digest
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.model import framework, input_names
from mmnotebook.model.framework import Framework, Options
from mmnotebook.model.frameworks import exported

_ENDINGS = (".pt", ".pth", ".bin", ".ckpt", exported.ENDING)


def claims(target: Any) -> bool:
    """Return whether a target is a module, an exported program, or a file that may contain one."""
    if isinstance(target, Path):
        return target.suffix.lower() in _ENDINGS or zipfile.is_zipfile(target)
    return is_a(target, {("torch", "Module"), exported.CLASS})


def store(name: str, target: Any, options: Options) -> ModelSpec:
    """Return the spec of a file, or of a live object, which is stored in a private file."""
    if isinstance(target, Path):
        return _from_file(name, target, options)
    if options.model_class is not None or options.model_params:
        raise ModelError(
            f"model_class and model_params apply to a state-dict file, not to {shown(target)}",
            remedy="leave them out",
        )
    if is_a(target, {exported.CLASS}):
        framework.no_method(name, options, "an exported program only has forward")
        return exported.store(name, target)
    if not is_a(target, {("torch", "Module")}):
        raise framework.not_mine(name, target, FRAMEWORK)
    framework.check_method(name, target, options.method)
    return _store_module(name, target, options)


def handler(spec: ModelSpec) -> Any:
    """Return a handler based on Beam's torch handler."""
    from mmnotebook.model.frameworks.torch_handler import TorchHandler

    return TorchHandler(spec)


def content(model: Any) -> str:
    """Return the digest of a live module or program; for TorchScript, of its code and weights."""
    import torch

    if is_a(model, {exported.CLASS}):
        return exported.content(model)
    if isinstance(model, torch.jit.ScriptModule):
        return digest((str(model.inlined_graph), model.state_dict(), model.training))
    return digest(model)


def _store_module(name: str, module: Any, options: Options) -> ModelSpec:
    import torch

    path = storage.new_folder("model") / f"{name}.pt"
    scripted = isinstance(module, torch.jit.ScriptModule)
    try:
        with storage.create_private(path) as file:
            if scripted:
                torch.jit.save(module, file)
            else:
                torch.save(module, file, pickle_module=pickling)
    except Exception as error:
        raise framework.unpicklable(name, module, error) from error
    form = "torchscript" if scripted else "module"
    spec = framework.of_file(name, "torch", form, path, type(module).__name__)
    return _named(spec, module, options)


def _named(spec: ModelSpec, module: Any, options: Options) -> ModelSpec:
    """Return the spec with the input names of the method that is called with a batch."""
    call = module if options.method is None else getattr(module, options.method)
    _check_places(spec.name, call)
    return replace(spec, input_names=input_names.of_call(call))


def _check_places(name: str, call: Any) -> None:
    """Raise ModelError if one of several inputs is positional-only: inputs are passed by name."""
    try:
        given = inspect.signature(getattr(call, "forward", call)).parameters.values()
    except (TypeError, ValueError):  # some compiled modules have no signature
        return
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [one for one in given if one.default is one.empty and one.kind not in variable]
    places = [one.name for one in needed if one.kind is one.POSITIONAL_ONLY]
    if places and len(needed) > 1:
        raise ModelError(
            f"cannot register {name!r}: it takes {', '.join(places)} by position only, but "
            "several inputs are passed by name",
            remedy="remove the / from its parameters",
        )


def _from_file(name: str, path: Path, options: Options) -> ModelSpec:
    if options.model_class is not None:
        params = dict(options.model_params)
        module = _check_state_dict(name, path, options.model_class, params)
        framework.check_method(name, module, options.method)
        spec = framework.of_file(name, "torch", "state_dict", path)
        spec = _named(spec, module, options)
        # Copy the class and its arguments, so that they always create the same module.
        made = pickling.loads(pickling.dumps((options.model_class, params)))
        return replace(spec, target=made[0], params=made[1])
    if options.model_params:
        raise ModelError(
            f"cannot register {str(path)!r} as {name!r}: model_params={dict(options.model_params)} "
            "without model_class",
            remedy="pass the class with these arguments: model_class=Net",
        )
    if path.suffix.lower() == exported.ENDING:
        framework.no_method(name, options, "an exported program only has forward")
        return exported.from_file(name, path)
    if not _is_torchscript(path):
        _load_state(name, path)
        raise ModelError(
            f"cannot register {str(path)!r} as {name!r}: "
            "it is a state dict: weights without the module to which they belong",
            remedy="pass the class of the module: model_class=Net, model_params={...} "
            "(in a magic: --class Net --params '{...}')",
        )
    module = _load_torchscript(name, path)
    framework.check_method(name, module, options.method)
    return _named(framework.of_file(name, "torch", "torchscript", path), module, options)


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(entry.endswith("/constants.pkl") for entry in archive.namelist())


def _load_torchscript(name: str, path: Path) -> Any:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as error:
        raise ModelError(
            f"cannot register {str(path)!r} as {name!r}: "
            f"TorchScript cannot load it ({one_line(error)})",
            remedy="save it again with torch.jit.save, with this version of torch",
        ) from error


def _check_state_dict(
    name: str, path: Path, model_class: Callable[..., Any], params: dict[str, Any]
) -> Any:
    """Return the module of a state dict; raise ModelError if the weights do not fit the module."""
    if _is_torchscript(path):
        raise ModelError(
            f"cannot register {str(path)!r} as {name!r}: it is TorchScript, not a state dict",
            remedy="TorchScript contains its code: leave model_class and model_params out",
        )
    called = getattr(model_class, "__name__", repr(model_class))
    module = _made(name, called, model_class, params)
    state = _load_state(name, path)
    try:
        module.load_state_dict(state)
    except Exception as error:
        raise ModelError(
            f"cannot register {str(path)!r} as {name!r}: "
            f"the state dict does not fit {called} ({one_line(error, 600)})",
            remedy="pass the class and model_params with which the weights were trained",
        ) from error
    return module


def _made(
    name: str, called: str, model_class: Callable[..., Any], params: Mapping[str, Any]
) -> Any:
    import torch

    remedy = "allowed for model_class: a torch nn.Module class, or a function that returns a module"
    if isinstance(model_class, torch.nn.Module) or not callable(model_class):
        kind = type(model_class).__name__
        raise ModelError(
            f"cannot register {name!r}: model_class is an object of type {kind}, not a class or "
            "function",
            remedy=remedy,
        )
    try:
        pickling.check((model_class, params))
    except Exception as error:
        raise ModelError(
            f"cannot register {name!r}: {called} or its model_params cannot be pickled "
            f"({one_line(error)})",
            remedy="remove locks, open files, connections and generators from them",
        ) from error
    try:
        module = model_class(**params)
    except Exception as error:
        given = ", ".join(f"{key}={value!r}" for key, value in params.items())
        raise ModelError(
            f"cannot register {name!r}: {called}({given}) raises {one_line(error)}",
            remedy="model_params must contain the arguments of the class",
        ) from error
    if not isinstance(module, torch.nn.Module):
        kind = type(module).__name__
        raise ModelError(f"cannot register {name!r}: {called} creates a {kind}", remedy=remedy)
    return module


def _load_state(name: str, path: Path) -> Any:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"cannot register {str(path)!r} as {name!r}: "
            f"it is not a file of weights ({one_line(error)})",
            remedy="save the weights with torch.save(module.state_dict(), path); a whole pickled "
            "module runs code when it is loaded: if you trust it, load it yourself with "
            "torch.load(path, weights_only=False) and register the live module",
        ) from error


FRAMEWORK = Framework(
    name="torch",
    words="a torch nn.Module, an exported program, or the path of a TorchScript, .pt2 "
    "or state-dict file",
    modules=("torch",),
    install="pip install torch",
    claims=claims,
    store=store,
    handler=handler,
    content=content,
    devices=("CPU", "GPU"),
    uses=("model_class", "model_params", "method"),
)
