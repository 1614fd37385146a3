"""XGBoost: a live Booster or XGBModel, or a .ubj or .json file with a saved model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mmnotebook import storage
from mmnotebook.compat.xgboost import estimator
from mmnotebook.errors import ModelError, one_line
from mmnotebook.fingerprint.identity import digest
from mmnotebook.graph.inputs import InputNames
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
    unloadable,
)
from mmnotebook.model.frameworks.xgboost_loading import load

_ENDINGS = (".ubj", ".json", ".xgb")
_KEPT = ("missing", "enable_categorical")
"""Arguments that affect predictions but that XGBoost does not save."""


def _claims(target: Any) -> bool:
    if isinstance(target, Path):
        return target.suffix.lower() in _ENDINGS
    return is_a(target, {("xgboost", "Booster"), ("xgboost", "XGBModel")})


def _store(name: str, target: Any, options: Options) -> ModelSpec:
    if isinstance(target, Path):
        return _of_path(name, target, options)
    if not _claims(target):
        raise not_mine(name, target, FRAMEWORK)
    if options.model_class is not None or options.model_params:
        raise only_files(name, target)
    sklearn_like = is_a(target, {("xgboost", "XGBModel")})
    kind = type(target).__name__
    if sklearn_like and not target.__sklearn_is_fitted__():
        raise not_fitted(name, target)
    path = storage.new_folder("model") / f"{name}.ubj"
    try:
        target.save_model(path)
        path.chmod(0o600)
    except Exception as error:
        raise ModelError(
            f"cannot store this {kind} for {name!r} ({one_line(error)})",
            remedy="XGBoost must be able to save it: model.save_model(path)",
        ) from error
    spec = of_file(name, "xgboost", "model" if sklearn_like else "booster", path, origin=kind)
    if sklearn_like:
        spec = replace(spec, target=type(target), params=_kept(target))
    model = load(spec)
    check_method(name, model, options.method)
    return replace(spec, input_names=_names(model))


def _content(model: Any) -> str:
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    return digest((type(model), bytes(booster.save_raw("ubj")), _kept(model)))


def _kept(model: Any) -> dict[str, Any]:
    """Return the arguments of a scikit-learn-like model that its file does not contain."""
    given = model.get_params() if hasattr(model, "get_params") else {}
    return {key: value for key, value in given.items() if key in _KEPT}


def _of_path(name: str, path: Path, options: Options) -> ModelSpec:
    try:
        made_by = options.model_class or _class_of(path)
        spec = of_file(name, "xgboost", "booster" if made_by is None else "model", path)
        spec = replace(spec, target=made_by, params=dict(options.model_params))
        model = load(spec)
    except Exception as error:
        said = ValueError(str(error).split("Stack trace")[0])
        raise unloadable(
            name,
            path,
            said,
            "save it with XGBoost's model.save_model('model.ubj'); model_class= must be a class of "
            "XGBoost",
        ) from error
    check_method(name, model, options.method)
    return replace(spec, input_names=_names(model))


def _names(model: Any) -> InputNames | None:
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    return input_names.of_columns(booster.feature_names)


def _class_of(path: Path) -> Any:
    """Return the scikit-learn-like class of a saved model; None for a Booster."""
    import xgboost

    kind = estimator(xgboost.Booster(model_file=path))
    classes = {"classifier": xgboost.XGBClassifier, "regressor": xgboost.XGBRegressor}
    return classes.get(kind) if kind else None


def _handler(spec: ModelSpec) -> Any:
    from mmnotebook.model.frameworks.xgboost_handler import XGBoostHandler

    return XGBoostHandler(spec)


FRAMEWORK = Framework(
    name="xgboost",
    words="an XGBoost Booster or XGBModel, or its .ubj or .json file",
    modules=("xgboost",),
    install="pip install xgboost",
    claims=_claims,
    store=_store,
    handler=_handler,
    content=_content,
    devices=("CPU", "GPU"),
    uses=("model_class", "model_params", "method"),
)
