"""CatBoost: a live model, or a .cbm file that one was saved to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mmnotebook.errors import ModelError, one_line
from mmnotebook.graph.fingerprint import digest
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.runtime.data import storage
from mmnotebook.runtime.models import naming
from mmnotebook.runtime.models.frameworks.base import (
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
    names = naming.of_columns(columns(target))
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
            remedy="CatBoost must be able to save it, and its class to be made without arguments: "
            "model.save_model('model.cbm')",
        ) from error
    return spec


def _content(model: Any) -> str:
    # Its public way is through a file.
    return digest((type(model), model._serialize_model()))


def _of_path(name: str, path: Path, options: Options) -> ModelSpec:
    spec = of_file(name, "catboost", "model", path)
    spec = replace(spec, target=options.model_class, params=dict(options.model_params))
    try:
        model = load(spec)
    except Exception as error:
        remedy = "save it with CatBoost's own model.save_model('model.cbm'); model_class= is a "
        remedy += "class of CatBoost's"
        raise unloadable(name, path, error, remedy) from error
    check_method(name, model, options.method)
    return replace(spec, target=type(model), input_names=naming.of_columns(columns(model)))


def columns(model: Any) -> list[str] | None:
    """The names of the columns that it was fitted on; None where it has numbered them itself."""
    names = list(model.feature_names_)
    return None if names == [str(place) for place in range(len(names))] else names


def load(spec: ModelSpec) -> Any:
    """The model of a spec, from its file; of the class that gives what the saved one gave."""
    import catboost

    path, form = str(spec.path), Path(str(spec.path)).suffix[1:].lower()
    form = form if form == "json" else "cbm"
    made_by = spec.target
    if made_by is None:
        classes = catboost.CatBoost().load_model(path, format=form).classes_
        made_by = catboost.CatBoostClassifier if len(classes) else catboost.CatBoostRegressor
    return made_by(**spec.params).load_model(path, format=form)


def _handler(spec: ModelSpec) -> Any:
    from mmnotebook.runtime.models.frameworks.catboost_handler import CatBoostHandler

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
