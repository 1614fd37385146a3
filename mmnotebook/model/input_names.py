"""The input names of a model, from the model or from its signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mmnotebook.graph.inputs import InputNames

_KIND = inspect.Parameter
_TRUTH = ("label", "labels", "target", "targets")


def of_columns(names: Any) -> InputNames | None:
    """Return the inputs of a model fitted on a table with these columns; None without names."""
    if names is None or not len(names) or not all(isinstance(name, str) for name in names):
        return None
    return InputNames(tuple(map(str, names)), always=True)


def of_estimator(model: Any) -> InputNames | None:
    """Return the inputs of an estimator from its `feature_names_in_`, as set by scikit-learn."""
    return of_columns(getattr(model, "feature_names_in_", None))


def of_call(call: Callable[..., Any]) -> InputNames | None:
    """Return the inputs of a function, method or torch module that is called with keywords.

    An optional parameter with a common name for labels, such as "labels", is for training. A
    required parameter is always an input, whatever its name is.
    """
    scripted = getattr(getattr(call, "forward", call), "schema", None)
    if scripted is not None:
        return _of_schema(scripted)
    try:
        given = inspect.signature(getattr(call, "forward", call)).parameters.values()
    except (TypeError, ValueError):  # some compiled modules have no signature
        return None
    named = [one for one in given if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    kinds = {one.kind for one in given}
    open_, rest = _KIND.VAR_KEYWORD in kinds, _KIND.VAR_POSITIONAL in kinds
    if _KIND.POSITIONAL_ONLY in kinds or not (named or (open_ and not rest)):
        return None
    names = _named([(one.name, one.default is one.empty) for one in named])
    return replace(names, open=open_, always=_KIND.POSITIONAL_OR_KEYWORD not in kinds and not rest)


def _of_schema(schema: Any) -> InputNames | None:
    """Return the inputs of a TorchScript method."""
    arguments = [one for one in schema.arguments if one.name != "self"]
    return _named([(one.name, not one.has_default_value()) for one in arguments])


def _named(pairs: Sequence[tuple[str, bool]]) -> InputNames:
    """Return the inputs from (name, is required) pairs."""
    needed = tuple(name for name, must in pairs if must)
    optional = [name for name, must in pairs if not must]
    truth = tuple(name for name in optional if name in _TRUTH)
    return InputNames(needed, tuple(name for name in optional if name not in truth), truth)
