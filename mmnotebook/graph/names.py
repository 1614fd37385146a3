"""The meaning of a bare name: a registered model, a function, another pipeline, or data."""

from __future__ import annotations

import builtins
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from mmnotebook.notebook_state import shell, variables_of

Role = Literal["model", "function", "transform", "pipeline", "data", "unregistered"]

_DATA = {
    ("pandas", "DataFrame"),
    ("pandas", "Series"),
    ("datasets", "Dataset"),
    ("datasets", "IterableDataset"),
    ("numpy", "ndarray"),
    ("torch", "Tensor"),
    ("apache_beam", "PCollection"),
    ("mmnotebook", "Parameter"),
}
_TRANSFORMS = {("apache_beam", "PTransform"), ("mmnotebook", "AbsentTransform")}
_STARTS: tuple[Role, ...] = ("data", "transform")
"""The roles of objects that can start a line: a Beam transform may be one that reads."""
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
    """Return whether `value` is an instance of one of these (top package, class name) types.

    The check imports nothing.
    """
    kind = type(value)
    names = _names.get(kind)
    if names is None:
        names = _names[kind] = frozenset((_package(cls), cls.__name__) for cls in kind.__mro__)
    return not names.isdisjoint(types)


_names: weakref.WeakKeyDictionary[type, frozenset[tuple[str, str]]] = weakref.WeakKeyDictionary()
"""The (top package, class name) of each class and its base classes."""


def _package(cls: type) -> str:
    return str(cls.__module__).split(".")[0]


def role_of(value: Any) -> Role | None:
    """Return the role of an object in a pipeline; None if a pipeline cannot use the object.

    "unregistered" is the role of a model that is not registered. Such a model could be called, but
    without batches and without metrics. "transform" is the role of a Beam transform, which is data
    at the start of a line and a step elsewhere. The role depends on the type alone. No attribute of
    the object is read, because reading an attribute of a proxy can have any effect.
    """
    kind = type(value)
    if is_a(value, _DATA) or issubclass(kind, (list, tuple, range, str, PurePath)):
        return "data"
    if is_a(value, _TRANSFORMS):
        return "transform"
    if is_a(value, _PIPELINES):
        return "pipeline"
    if issubclass(kind, type):
        return "function" if callable(value) else None
    if is_a(value, _MODELS):
        return "unregistered"
    if callable(value):
        return "function"
    return "data" if issubclass(kind, (Mapping, Iterator)) else None


class AbsentTransform:
    """A placeholder with the role of a Beam transform that is not there."""


@dataclass(frozen=True)
class Names:
    """Lookup of bare names in registered models, passed objects and notebook variables.

    Attributes
    ----------
    models
        The registered models by name.
    given
        Objects that were passed by name. They take precedence over variables of the notebook.
    notebook
        The variables of the notebook.
    """

    models: Mapping[str, Any]
    given: Mapping[str, Any]
    notebook: Mapping[str, Any]

    def object(self, name: str) -> Any:
        """Return the object with this name; raise KeyError if there is none."""
        return self.given[name] if name in self.given else self.notebook[name]

    def useless(self, name: str) -> str | None:
        """Return the type of an object, as "an int", if no pipeline can use it; otherwise None."""
        if self.role(name) is not None:
            return None
        try:
            kind = type(self.object(name)).__name__
        except KeyError:
            return None
        return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"

    def has_items(self, name: str) -> bool:
        """Return whether the object with this name is iterable: list() can convert it to data."""
        return issubclass(type(self.object(name)), Iterable)

    def function(self, name: str) -> Any:
        """Return the function or class with this name, builtins included; None if there is none."""
        try:
            value = self.object(name)
        except KeyError:
            value = getattr(builtins, name, None)
        return value if role_of(value) == "function" else None

    def target(self, name: str) -> Any:
        """Return the object with this name if it is a model or has a `predict`; otherwise None."""
        try:
            value = self.object(name)
        except KeyError:
            return None
        return (
            value if role_of(value) == "unregistered" or hasattr(type(value), "predict") else None
        )

    def is_data(self, name: str) -> bool:
        """Return whether a variable with this name holds data, even if a model has this name."""
        try:
            return role_of(self.object(name)) in _STARTS
        except KeyError:
            return False

    def role(self, name: str) -> Role | None:
        """Return the role of a name in a pipeline, None if a pipeline cannot use it."""
        if name in self.models:
            return "model"
        try:
            return role_of(self.object(name))
        except KeyError:
            return None

    def known(self, *roles: Role) -> Iterator[str]:
        """Yield the names that have one of these roles; skip private variables.

        Beam transforms are among the data too, because a transform that reads starts a line.
        """
        roles = (*roles, *_STARTS) if "data" in roles else roles
        yield from (name for name in self.models if "model" in roles)
        for name in {**self.notebook, **self.given}:
            if not name.startswith("_") and name not in self.models and self.role(name) in roles:
                yield name


def how_to_register(name: str, method: str | None = None) -> str:
    """Return example code that registers a variable, or one of its methods, as a model."""
    keyword, option = (f', method="{method}"', f" --method {method}") if method else ("", "")
    return f'mm.register("{name}", {name}{keyword}), or %mm_model {name} {name}{option}'


def how_to_bind(name: str) -> str:
    """Return text for a message: how to bind a name to an object, in a notebook or in a script."""
    first = f"define {name} in the notebook" if shell() else f"mm.pipeline(..., {name}={name})"
    return f"{first}, or graph.bind({name}=...)"


def notebook_names() -> Mapping[str, Any]:
    """Return the notebook's variables, without those of IPython itself; {} outside a notebook.

    While `%run` executes a script, the result is the variables of the script.
    """
    running = shell()
    return {} if running is None else variables_of(running)
