"""How the models of a graph are registered, as plain values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from mmnotebook.errors import GraphError, Problem, shown
from mmnotebook.graph.graph import Graph
from mmnotebook.graph.models import ModelSpec, registry

_OPTIONS: Mapping[str, Callable[[Any], bool]] = {
    "framework": lambda value: isinstance(value, str),
    "input": lambda value: isinstance(value, str) or _are_texts(value),
    "batch_size": lambda value: type(value) is int,
    "device": lambda value: isinstance(value, str),
    "output": lambda value: isinstance(value, str),
    "method": lambda value: isinstance(value, str),
    "timeout": lambda value: type(value) in (int, float),
    "batched": lambda value: isinstance(value, bool),
    "batch_axis": lambda value: type(value) is int,
    "version": lambda value: type(value) in (str, int),
    "cache": lambda value: isinstance(value, str),
    "model_params": lambda value: isinstance(value, dict),
}
"""The options of `register` that a file keeps, each with a check of its value."""
_FUNCTIONS = ("output", "preprocess", "collate", "reset", "model_class")


def of_graph(graph: Graph) -> dict[str, dict[str, Any]]:
    """Return the registration of each model of a graph that is registered, by model name."""
    models = dict.fromkeys(name for node in graph for name in node.models)
    return {name: of_spec(registry[name]) for name in models if name in registry}


def of_spec(spec: ModelSpec) -> dict[str, Any]:
    """Return a registration: the digest of the model, and the options that are not the defaults.

    Functions are kept by name. The values of environment variables and arguments, which may be
    secret, are not kept, and neither is a path.
    """
    given = {name: getattr(spec, name, None) for name in _OPTIONS}
    if spec.default_batch:
        del given["batch_size"]
    kept = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if value != _DEFAULTS.get(name) and not callable(value)
    }
    functions = {name: getattr(spec, name, spec.target) for name in _FUNCTIONS}
    named = {
        name: str(getattr(value, "__name__", type(value).__name__))
        for name, value in functions.items()
        if callable(value) and (name != "model_class" or spec.form == "state_dict")
    }
    if spec.params and _is_json(spec.params):
        kept["model_params"] = dict(spec.params)
    return {"digest": spec.fingerprint, **kept, **({"functions": named} if named else {})}


_DEFAULTS = {"device": "CPU", "batched": True, "batch_axis": 0}


def options(name: str, registration: Mapping[str, Any], functions: Mapping[str, Any]) -> Any:
    """Return the keywords of `register` of a registration.

    Parameters
    ----------
    functions
        The functions that the user passed, by name; the registration may use these only.

    Raises
    ------
    GraphError
        If a value is not valid, or a function is missing.
    """
    found: dict[str, Any] = {}
    for option, value in registration.items():
        if option in ("digest", "functions"):
            continue
        check = _OPTIONS.get(option)
        if check is None or not check(value):
            raise _refused(name, f"{option}={shown(value)} is not an option that a file can set")
        found[option] = value
    named = registration.get("functions", {})
    if not isinstance(named, dict):
        raise _refused(name, f"its functions are {shown(named)}")
    for option, function in named.items():
        if option not in _FUNCTIONS or not isinstance(function, str):
            raise _refused(name, f"{option}={shown(function)} is not an option that a file can set")
        if function not in functions:
            raise _refused(name, f"it uses the function {function!r}, which was not passed")
        found[option] = functions[function]
    return found


def _refused(name: str, why: str) -> GraphError:
    problem = Problem(f"the registration of the model {name!r} cannot be used: {why}")
    return GraphError([problem], remedy="--functions module.py passes the functions of a module")


def _is_json(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError):
        return False


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)
