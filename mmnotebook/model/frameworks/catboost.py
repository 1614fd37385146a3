"""CatBoost: a live model, or a .cbm file with a saved model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mmnotebook import storage
from mmnotebook.compat.catboost import serialized
from mmnotebook.errors import ModelError, one_line
from mmnotebook.fingerprint.identity import digest
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.model import input_names
from mmnotebook.model.framework import (
    Framework,
    Options,
    check_method,
    not_fitted,
    not_mine,
    of_file,
    only_files,
    starts_with,
    unloadable,
)
from mmnotebook.model.frameworks.catboost_loading import columns, load

_ENDING = ".cbm"
_START = b"CBM1"


def _claims(target: Any) -> bool:
    if isinstance(target, Path):
        return target.suffix.lower() == _ENDING or starts_with(target, _START)
    return is_a(target, {("catboost", "CatBoost")})


def _store(name: str, target: Any, options: Options) -> ModelSpec:
    if isinstance(target, Path):
        return _of_path(name, target, options)
    if not _claims(target):
        raise not_mine(name, target, FRAMEWORK)
    if options.model_class is not None or options.model_params:
        raise only_files(name, target)
    kind = type(target).__name__
    if not target.is_fitted():
        raise not_fitted(name, target)
    path = storage.new_folder("model") / f"{name}{_ENDING}"
    names = input_names.of_columns(columns(target))
    try:
        target.save_model(str(path))
        path.chmod(0o600)
        spec = of_file(name, "catboost", "model", path, kind)
        spec = replace(spec, target=type(target), input_names=names)
        check_method(name, load(spec), options.method)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"cannot store this {kind} for {name!r} ({one_line(error)})",
            remedy="CatBoost must be able to save it, and to create its class without arguments: "
            "model.save_model('model.cbm')",
        ) from error
    return spec


def _content(model: Any) -> str:
    return digest((type(model), serialized(model)))


def _of_path(name: str, path: Path, options: Options) -> ModelSpec:
    spec = of_file(name, "catboost", "model", path)
    spec = replace(spec, target=options.model_class, params=dict(options.model_params))
    try:
        model = load(spec)
    except Exception as error:
        remedy = "save it with CatBoost's model.save_model('model.cbm'); model_class= must be a "
        remedy += "class of CatBoost"
        raise unloadable(name, path, error, remedy) from error
    check_method(name, model, options.method)
    return replace(spec, target=type(model), input_names=input_names.of_columns(columns(model)))


def _handler(spec: ModelSpec) -> Any:
    from mmnotebook.model.frameworks.catboost_handler import CatBoostHandler

    return CatBoostHandler(spec)


FRAMEWORK = Framework(
    name="catboost",
    words="a CatBoost model, or its .cbm file",
    modules=("catboost",),
    install='pip install "mmnotebook[catboost]"',
    claims=_claims,
    store=_store,
    handler=_handler,
    content=_content,
    uses=("model_class", "model_params", "method"),
)
