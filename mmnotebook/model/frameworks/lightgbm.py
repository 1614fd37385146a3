"""LightGBM: a live Booster or LGBMModel, or a file with a saved Booster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mmnotebook import storage
from mmnotebook.elements import pickling
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
    starts_with,
    unloadable,
    unpicklable,
)
from mmnotebook.model.frameworks.lightgbm_loading import columns, load

_LIKE_SKLEARN = {("lightgbm", "LGBMModel")}
_START = b"tree\nversion="
"""The start of every model file of LightGBM, with any extension (usually .txt)."""


def _claims(target: Any) -> bool:
    if isinstance(target, Path):
        return starts_with(target, _START)
    return is_a(target, {("lightgbm", "Booster"), *_LIKE_SKLEARN})


def _store(name: str, target: Any, options: Options) -> ModelSpec:
    if isinstance(target, Path):
        return _of_path(name, target, options)
    if not _claims(target):
        raise not_mine(name, target, FRAMEWORK)
    kind = type(target).__name__
    if is_a(target, _LIKE_SKLEARN) and not target.__sklearn_is_fitted__():
        raise not_fitted(name, target)
    check_method(name, target, options.method)
    # Store a pickle: LightGBM's file format has no class labels and no arguments of predict.
    path = storage.new_folder("model") / f"{name}.pkl"
    try:
        with storage.create_private(path) as file:
            pickling.dump(target, file, protocol=5)
    except Exception as error:
        raise unpicklable(name, target, error) from error
    spec = of_file(name, "lightgbm", "pickle", path, kind)
    return replace(spec, input_names=input_names.of_columns(columns(target)))


def _of_path(name: str, path: Path, options: Options) -> ModelSpec:
    if not _claims(path):
        raise not_mine(name, path, FRAMEWORK)
    spec = of_file(name, "lightgbm", "booster", path)
    try:
        model = load(spec)
    except Exception as error:
        remedy = "save it again with booster.save_model('model.txt')"
        raise unloadable(name, path, error, remedy) from error
    check_method(name, model, options.method)
    return replace(spec, input_names=input_names.of_columns(columns(model)))


def _handler(spec: ModelSpec) -> Any:
    from mmnotebook.model.frameworks.lightgbm_handler import LightGBMHandler

    return LightGBMHandler(spec)


FRAMEWORK = Framework(
    name="lightgbm",
    words="a LightGBM Booster or LGBMModel, or the file of booster.save_model",
    modules=("lightgbm",),
    install='pip install "mmnotebook[lightgbm]"',
    claims=_claims,
    store=_store,
    handler=_handler,
    uses=("method",),
)
