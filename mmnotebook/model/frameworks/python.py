"""Python objects that predict a batch: with a `predict` method, or callable."""

from __future__ import annotations

import functools
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmnotebook import storage
from mmnotebook.elements import pickling
from mmnotebook.errors import ModelError
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import framework, held_files, input_names
from mmnotebook.model.framework import Framework, Options
from mmnotebook.model.frameworks import pickles

_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    functools.partial,
    type,
)


def claims(target: Any) -> bool:
    """Return whether a target, except functions and classes, has `predict` or is callable."""
    if isinstance(target, (*_FUNCTIONS, Path)):
        return False
    return callable(getattr(target, "predict", None)) or callable(target)


def store(name: str, target: Any, options: Options) -> ModelSpec:
    """Return the spec of a pickle file, or of a live object, which is stored in a private file."""
    if isinstance(target, Path):
        if target.suffix.lower() not in pickles.ENDINGS:
            raise framework.not_mine(name, target, FRAMEWORK)
        held, form = pickles.load(name, target)
        _check(name, held, options.method)
        spec = framework.of_file(name, "python", form, target, beside=held_files.paths(held))
        return replace(spec, input_names=input_names.of_estimator(held))
    _check(name, target, options.method)
    path = storage.new_folder("model") / f"{name}.pkl"
    try:
        with storage.create_private(path) as file:
            pickling.dump(target, file, protocol=5)
    except Exception as error:
        raise framework.unpicklable(name, target, error) from error
    origin = getattr(target, "__name__", type(target).__name__)
    spec = framework.of_file(name, "python", "pickle", path, origin)
    return replace(spec, input_names=input_names.of_estimator(target))


def handler(spec: ModelSpec) -> Any:
    """Return the handler of a pickled object."""
    from mmnotebook.model.frameworks.python_handler import PythonHandler

    return PythonHandler(spec)


def _check(name: str, target: Any, method: str | None) -> None:
    if method is not None:
        framework.check_method(name, target, method)
    elif not (callable(getattr(target, "predict", None)) or callable(target)):
        raise ModelError(
            f"cannot register this {type(target).__name__} as {name!r}: "
            "it has no predict method and is not callable",
            remedy='pass the method that takes a batch: method="score"',
        )


FRAMEWORK = Framework(
    name="python",
    words='any object with a predict method, or (framework="python") a function of a batch',
    modules=(),
    install="",
    claims=claims,
    store=store,
    handler=handler,
    uses=("method",),
)
