"""The supported frameworks, and the frameworks of other installed packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mmnotebook import extensions
from mmnotebook.errors import ModelError, nearest, shown
from mmnotebook.graph.names import Role, is_a, role_of
from mmnotebook.model.framework import Framework, Options
from mmnotebook.model.frameworks import (
    beam,
    catboost,
    huggingface,
    lightgbm,
    onnx,
    python,
    remote,
    sentence_transformers,
    sklearn,
    tensorflow,
    torch,
    vllm,
    xgboost,
)

ALL: tuple[Framework, ...] = (
    sentence_transformers.FRAMEWORK,
    huggingface.FRAMEWORK,
    tensorflow.FRAMEWORK,
    onnx.FRAMEWORK,
    lightgbm.FRAMEWORK,
    catboost.FRAMEWORK,
    xgboost.FRAMEWORK,
    torch.FRAMEWORK,
    sklearn.FRAMEWORK,
    beam.FRAMEWORK,
    vllm.FRAMEWORK,
    remote.FRAMEWORK,
    python.FRAMEWORK,
)
"""The built-in frameworks. The first one that claims a target is used, so their order matters.

An XGBClassifier is also a scikit-learn estimator, a Hugging Face model is also a torch module, a
.keras file is a zip archive like a torch file, and the folder of a sentence encoder is also a
folder of Hugging Face.
"""


GROUP = "mmnotebook.frameworks"
"""The group of the entry points that add frameworks: `name = "module:FRAMEWORK"`."""


@cache
def installed() -> tuple[Framework, ...]:
    """Return the frameworks of other installed packages; warn about each that cannot be used."""
    taken = {framework.name for framework in ALL}

    def problem(one: Any) -> str | None:
        if not isinstance(one, Framework):
            return f"it is a {type(one).__name__}, not a Framework"
        if one.name in taken:
            return f"there is a framework {one.name!r} already"
        taken.add(one.name)
        return None

    return tuple(extensions.load(GROUP, "the framework", problem))


def every() -> Iterator[Framework]:
    """Yield the frameworks in the order in which they are tried; "python" is the last."""
    yield from ALL[:-1]
    yield from installed()
    yield ALL[-1]


def code_of(name: str) -> Any:
    """Return the `handler` of a framework of another package; None for a built-in framework."""
    if any(framework.name == name for framework in ALL):
        return None
    return by_name(name).handler


def by_name(name: str) -> Framework:
    """Return the framework with this name.

    Raises
    ------
    ModelError
        If no framework has this name; the error suggests the nearest name.
    """
    for framework in every():
        if framework.name == name:
            return framework
    known = [framework.name for framework in every()]
    close = nearest(str(name), known)
    raise ModelError(
        f"framework={name!r}; allowed: {', '.join(known)}"
        + (f"; did you mean {close!r}?" if close else "")
    )


def of(name: str, target: Any, options: Options) -> Framework:
    """Return the framework of a target that is registered as `name`.

    Raises
    ------
    ModelError
        If no framework claims the target.
    """
    weights = isinstance(target, Path) and options.model_class is not None
    for framework in every():
        if framework.claims(target) and (not weights or "model_class" in framework.uses):
            return framework
    if weights and target.is_file():
        return torch.FRAMEWORK  # a state dict, with any file extension
    if isinstance(target, Path):
        what = "it is a folder" if target.is_dir() else f"files ending in {target.suffix!r}"
        raise ModelError(
            f"cannot register {str(target)!r} as {name!r}: {what}"
            + ("" if target.is_dir() else " are not known"),
            remedy=f"allowed: {_allowed()}; or pass framework=",
        )
    role = role_of(target)
    plain = target is None or isinstance(target, (int, float, complex))
    if plain or (role in _USES and not _is_state_dict(target)):
        raise ModelError(
            f"cannot register {shown(target)} as {name!r}: it is not a model",
            remedy=_USES.get(role, "") + _MODELS,
        )
    raise ModelError(
        f"cannot register {shown(target)} as {name!r}; allowed: {_allowed()}",
        remedy=_remedy(target),
    )


_USES: Mapping[Role | None, str] = {
    "data": "data starts a line of a pipeline: rows | model; ",
    "pipeline": "use a pipeline as a step, by its name, without registering it; ",
}
_MODELS = (
    "a model is a torch module, a fitted estimator, a Beam ModelHandler, any object with "
    "predict, or the path of a model's file"
)


def _allowed() -> str:
    return "; ".join(framework.words for framework in every())


def _remedy(target: Any) -> str:
    if callable(target):
        return (
            "a function needs no registration: use its name as a step, rows | f; "
            'register a function of a whole batch with framework="python"'
        )
    if _is_state_dict(target):
        return "load the state dict with net.load_state_dict(weights), and register net"
    return "wrap it in a Beam ModelHandler: two methods, load_model and run_inference"


def _is_state_dict(target: Any) -> bool:
    return isinstance(target, Mapping) and any(
        is_a(value, {("torch", "Tensor")}) for value in target.values()
    )
