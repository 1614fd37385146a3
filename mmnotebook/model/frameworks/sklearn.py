"""scikit-learn: fitted estimators, live or in pickle and joblib files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mmnotebook import storage
from mmnotebook.elements import pickling
from mmnotebook.errors import ModelError
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.model import framework, held_files, input_names
from mmnotebook.model.framework import Framework, Options
from mmnotebook.model.frameworks import pickles


def claims(target: Any) -> bool:
    """Return whether a target is an estimator, or a file with a pickle or joblib extension."""
    if isinstance(target, Path):
        return target.suffix.lower() in pickles.ENDINGS
    return is_a(target, {("sklearn", "BaseEstimator")})


def store(name: str, target: Any, options: Options) -> ModelSpec:
    """Return the spec of a file, or of a live estimator, which is stored in a private file."""
    if isinstance(target, Path):
        estimator, form = pickles.load(name, target)
        _check(name, estimator, str(target), options.method)
        spec = framework.of_file(name, "sklearn", form, target, beside=held_files.paths(estimator))
        return replace(spec, input_names=input_names.of_estimator(estimator))
    if not claims(target):
        raise framework.not_mine(name, target, FRAMEWORK)
    kind = type(target).__name__
    _check(name, target, f"this {kind}", options.method)
    path = storage.new_folder("model") / f"{name}.pkl"
    try:
        with storage.create_private(path) as file:
            pickling.dump(target, file, protocol=5)
    except Exception as error:
        raise framework.unpicklable(name, target, error) from error
    spec = framework.of_file(name, "sklearn", "pickle", path, kind)
    return replace(spec, input_names=input_names.of_estimator(target))


def handler(spec: ModelSpec) -> Any:
    """Return a handler based on Beam's scikit-learn handler, which also accepts records."""
    from mmnotebook.model.frameworks.sklearn_handler import SklearnHandler

    return SklearnHandler(spec)


def _check(name: str, estimator: Any, what: str, method: str | None) -> None:
    """Raise ModelError unless this is a fitted estimator with the method to call."""
    if not is_a(estimator, {("sklearn", "BaseEstimator")}):
        raise ModelError(
            f"cannot register {what} as {name!r}: it contains a {type(estimator).__name__}",
            remedy="allowed in a pickle or joblib file: a fitted scikit-learn estimator; register "
            'any other object with a predict method with framework="python"',
        )
    if method is not None:
        framework.check_method(name, estimator, method)
    elif not callable(getattr(estimator, "predict", None)):
        raise ModelError(
            f"cannot register {what} as {name!r}: {type(estimator).__name__} has no predict",
            remedy='pass the method to call, method="transform", or use a function as a step: '
            "def f(x): return transformer.transform([x])[0]",
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


FRAMEWORK = Framework(
    name="sklearn",
    words="a fitted scikit-learn estimator, or its pickle or joblib file",
    modules=("sklearn", "joblib"),
    install='pip install "mmnotebook[sklearn]"',
    claims=claims,
    store=store,
    handler=handler,
    uses=("method",),
)
