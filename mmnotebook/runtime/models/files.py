"""The files behind models: which kind a file is, whether it works, how live ones are stored."""

from __future__ import annotations

import contextlib
import pickle
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle

from mmnotebook.errors import ModelError, one_line
from mmnotebook.graph.fingerprint import Unknowable, digest
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.runtime.data import storage

_PICKLES = (".pkl", ".pickle", ".joblib")


def from_file(
    name: str, path: Path, model_class: Callable[..., Any] | None, params: dict[str, Any]
) -> ModelSpec:
    """The spec of a model in a file that the user named; loaded once, to see that it can be."""
    if not path.is_file():
        found = "it is a folder" if path.is_dir() else "there is no such file"
        raise ModelError(
            f"cannot register {str(path)!r} as {name!r}: {found}",
            remedy=f"the current folder is {Path.cwd()}",
        )
    if model_class is not None:
        _check_state_dict(name, path, model_class, params)
        spec = _spec(name, "torch", "state_dict", path)
        return replace(spec, target=model_class, params=params)
    if path.suffix.lower() in _PICKLES:
        estimator, form = _load_estimator(name, path)
        check_estimator(name, estimator, str(path))
        return _spec(name, "sklearn", form, path)
    if _is_torchscript(path):
        _check_torchscript(name, path)
        return _spec(name, "torch", "torchscript", path)
    raise _unknown_file(name, path)


def store_module(name: str, module: Any) -> ModelSpec:
    """Store a live torch module, its class included, in a private file."""
    import torch

    path = storage.new_folder("model") / f"{name}.pt"
    scripted = isinstance(module, torch.jit.ScriptModule)
    try:
        with storage.create_private(path) as file:
            if scripted:
                torch.jit.save(module, file)
            else:
                torch.save(module, file, pickle_module=cloudpickle)
    except Exception as error:
        raise unpicklable(name, module, error) from error
    form = "torchscript" if scripted else "module"
    return _of_object(_spec(name, "torch", form, path, origin=type(module).__name__), module)


def store_estimator(name: str, estimator: Any) -> ModelSpec:
    """Store a live, fitted estimator in a private file."""
    check_estimator(name, estimator, f"this {type(estimator).__name__}")
    path = storage.new_folder("model") / f"{name}.pkl"
    try:
        with storage.create_private(path) as file:
            cloudpickle.dump(estimator, file, protocol=5)
    except Exception as error:
        raise unpicklable(name, estimator, error) from error
    spec = _spec(name, "sklearn", "pickle", path, origin=type(estimator).__name__)
    return _of_object(spec, estimator)


def _of_object(spec: ModelSpec, model: Any) -> ModelSpec:
    """The spec with the fingerprint of the object where that can be taken.

    Pickled twice, or in two processes, the same object need not give the same file.
    """
    try:
        return replace(spec, fingerprint=digest(model))
    except Unknowable:
        return spec


def unpicklable(name: str, target: Any, error: Exception) -> ModelError:
    """The refusal of a live object that cannot be stored."""
    return ModelError(
        f"cannot store this {type(target).__name__} for {name!r}: "
        f"it cannot be pickled ({one_line(error)})",
        remedy="keep locks, open files, connections and generators out of it, or register a file",
    )


def check_estimator(name: str, estimator: Any, what: str) -> None:
    """Refuse what is not a fitted scikit-learn estimator with a `predict`."""
    if not is_a(estimator, {("sklearn", "BaseEstimator")}):
        raise ModelError(
            f"cannot register {what} as {name!r}: it holds a {type(estimator).__name__}",
            remedy="a pickle or joblib file holds a fitted scikit-learn estimator",
        )
    if not callable(getattr(estimator, "predict", None)):
        raise ModelError(
            f"cannot register {what} as {name!r}: {type(estimator).__name__} has no predict",
            remedy="use it as a step: def f(x): return transformer.transform([x])[0]",
        )
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise ModelError(
            f"cannot register {what} as {name!r}: it is not fitted",
            remedy="fit it first: estimator.fit(X, y)",
        ) from error


def _spec(
    name: str, framework: str, form: str, path: Path, origin: str | None = None
) -> ModelSpec:
    path = path.resolve()
    digest = storage.fingerprint(path)
    return ModelSpec(name, framework, form, origin or str(path), str(path), digest)


def _load_estimator(name: str, path: Path) -> tuple[Any, str]:
    import joblib

    try:
        if path.suffix.lower() != ".joblib":
            # Many a .pkl was written by joblib, which pickle alone does not read.
            with contextlib.suppress(pickle.UnpicklingError), path.open("rb") as file:
                return pickle.load(file), "pickle"
        return joblib.load(path), "joblib"
    except Exception as error:
        raise ModelError(
            f"cannot register {str(path)!r} as {name!r}: it cannot be loaded ({one_line(error)})",
            remedy="save it with joblib.dump(estimator, path), in an environment like this one",
        ) from error


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(entry.endswith("/constants.pkl") for entry in archive.namelist())


def _check_torchscript(name: str, path: Path) -> None:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as error:
        raise ModelError(
            f"cannot register {str(path)!r} as {name!r}: "
            f"TorchScript does not load it ({one_line(error)})",
            remedy="save it again with torch.jit.save, with this version of torch",
        ) from error


def _check_state_dict(
    name: str, path: Path, model_class: Callable[..., Any], params: dict[str, Any]
) -> None:
    if _is_torchscript(path):
        raise ModelError(
            f"cannot register {str(path)!r} as {name!r}: it is TorchScript, no state dict",
            remedy="TorchScript holds its own code: leave model_class and model_params out",
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
            remedy="give the class and model_params that the weights were trained with",
        ) from error


def _made(name: str, called: str, model_class: Callable[..., Any], params: dict[str, Any]) -> Any:
    """The module for a state dict."""
    import torch

    remedy = "model_class is a torch nn.Module class, or a function that returns a module"
    if isinstance(model_class, torch.nn.Module) or not callable(model_class):
        kind = type(model_class).__name__
        raise ModelError(f"cannot register {name!r}: model_class is a {kind}", remedy=remedy)
    try:
        cloudpickle.dumps((model_class, params))
    except Exception as error:
        raise ModelError(
            f"cannot register {name!r}: {called} or its model_params cannot be pickled "
            f"({one_line(error)})",
            remedy="keep locks, open files, connections and generators out of them",
        ) from error
    try:
        module = model_class(**params)
    except Exception as error:
        given = ", ".join(f"{key}={value!r}" for key, value in params.items())
        raise ModelError(
            f"cannot register {name!r}: {called}({given}) raises {one_line(error)}",
            remedy="model_params holds the arguments that the class was made with",
        ) from error
    if not isinstance(module, torch.nn.Module):
        kind = type(module).__name__
        raise ModelError(f"cannot register {name!r}: {called} makes a {kind}", remedy=remedy)
    return module


def _load_state(name: str, path: Path) -> Any:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(
            f"cannot register {str(path)!r} as {name!r}: "
            f"it is no file of weights ({one_line(error)})",
            remedy="save the weights with torch.save(module.state_dict(), path); a whole pickled "
            "module runs code when it is loaded: if you trust it, load it yourself with "
            "torch.load(path, weights_only=False) and register the live module",
        ) from error


def _unknown_file(name: str, path: Path) -> ModelError:
    text = f"cannot register {str(path)!r} as {name!r}: "
    if zipfile.is_zipfile(path) or path.suffix.lower() in (".pt", ".pth", ".bin", ".ckpt"):
        _load_state(name, path)
        return ModelError(
            text + "it is a state dict: weights without the module they belong to",
            remedy="name the module's class: model_class=Net, model_params={...} "
            "(in a magic: --class Net --params '{...}')",
        )
    return ModelError(
        text + f"files ending in {path.suffix!r} are not known",
        remedy="allowed: TorchScript (.pt), a torch state dict (.pt, with its class), "
        f"or an estimator's {', '.join(_PICKLES)}",
    )
