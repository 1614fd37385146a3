"""The meaning of a bare name: a registered model, a function, another pipeline, or data."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from mmnotebook.here import shell, variables_of

Role = Literal["model", "function", "pipeline", "data", "unregistered"]

_DATA = {
    ("pandas", "DataFrame"),
    ("pandas", "Series"),
    ("datasets", "Dataset"),
    ("datasets", "IterableDataset"),
    ("numpy", "ndarray"),
    ("torch", "Tensor"),
    ("apache_beam", "PTransform"),
}
_PIPELINES = {("mmnotebook", "Graph")}
_MODELS = {
    ("torch", "Module"),
    ("torch", "ExportedProgram"),
    ("sklearn", "BaseEstimator"),
    ("xgboost", "Booster"),
    ("onnx", "ModelProto"),
    ("onnxruntime", "InferenceSession"),
    ("lightgbm", "Booster"),
    ("catboost", "CatBoost"),
    ("keras", "Model"),
    ("transformers", "Pipeline"),
    ("apache_beam", "ModelHandler"),
}


def is_a(value: Any, types: set[tuple[str, str]]) -> bool:
    """Is one of (top package, class name) among the classes of `value`? Imports nothing."""
    return any((_package(cls), cls.__name__) in types for cls in type(value).__mro__)


def _package(cls: type) -> str:
    return str(cls.__module__).split(".")[0]


def role_of(value: Any) -> Role | None:
    """What an object can be in a pipeline; None for nothing.

    "unregistered" is a model that has not been registered: it could be called, but would then be
    neither batched nor metered. Only the type is looked at: nothing of the object's own is called,
    which in a proxy may do anything.
    """
    kind = type(value)
    if is_a(value, _DATA) or issubclass(kind, (list, tuple, range, str, PurePath)):
        return "data"
    if is_a(value, _PIPELINES):
        return "pipeline"
    if issubclass(kind, type):
        return "function" if callable(value) else None
    if is_a(value, _MODELS):
        return "unregistered"
    if callable(value):
        return "function"
    return "data" if issubclass(kind, (Mapping, Iterator)) else None


@dataclass(frozen=True)
class Names:
    """Where bare names are looked up.

    Attributes
    ----------
    models
        The registered models by name.
    given
        Objects that were passed by name; they come before the notebook's.
    notebook
        The notebook's own variables.
    """

    models: Mapping[str, Any]
    given: Mapping[str, Any]
    notebook: Mapping[str, Any]

    def object(self, name: str) -> Any:
        """The object behind a name; raises KeyError when there is none."""
        return self.given[name] if name in self.given else self.notebook[name]

    def useless(self, name: str) -> str | None:
        """What a name that a pipeline cannot use stands for, None when it stands for nothing."""
        if self.role(name) is not None:
            return None
        try:
            kind = type(self.object(name)).__name__
        except KeyError:
            return None
        return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"

    def has_items(self, name: str) -> bool:
        """Could list() make data of what a name stands for?"""
        return issubclass(type(self.object(name)), Iterable)

    def function(self, name: str) -> Any:
        """The function or class behind a name, Python's own included; None when there is none."""
        try:
            value = self.object(name)
        except KeyError:
            value = getattr(builtins, name, None)
        return value if role_of(value) == "function" else None

    def target(self, name: str) -> Any:
        """The model that a variable of that name holds; None when there is none."""
        try:
            value = self.object(name)
        except KeyError:
            return None
        return (
            value if role_of(value) == "unregistered" or hasattr(type(value), "predict") else None
        )

    def is_data(self, name: str) -> bool:
        """Is there data behind a name, whatever else has that name?"""
        try:
            return role_of(self.object(name)) == "data"
        except KeyError:
            return False

    def role(self, name: str) -> Role | None:
        """What a name stands for, None when it stands for nothing that a pipeline can use."""
        if name in self.models:
            return "model"
        try:
            return role_of(self.object(name))
        except KeyError:
            return None

    def known(self, *roles: Role) -> Iterator[str]:
        """The names that stand for one of `roles`; the notebook's private ones left out."""
        yield from (name for name in self.models if "model" in roles)
        for name in {**self.notebook, **self.given}:
            if not name.startswith("_") and name not in self.models and self.role(name) in roles:
                yield name


def how_to_register(name: str, method: str | None = None) -> str:
    """What registers the model that a variable holds, or one of its methods."""
    said, option = (f', method="{method}"', f" --method {method}") if method else ("", "")
    return f'mm.register("{name}", {name}{said}), or %mm_model {name} {name}{option}'


def how_to_bind(name: str) -> str:
    """What gives a graph the object of a name, where this runs."""
    first = f"define {name} in the notebook" if shell() else f"mm.pipeline(..., {name}={name})"
    return f"{first}, or graph.bind({name}=...)"


def notebook_names() -> Mapping[str, Any]:
    """The variables of the notebook that this runs in, without IPython's own; {} outside of one.

    Those of a script are not looked up, except while `%run` executes it.
    """
    running = shell()
    return {} if running is None else variables_of(running)
