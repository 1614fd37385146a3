"""Multi-model machine-learning pipelines in Jupyter, on Apache Beam.

Every public name is imported when it is first used, so that `import mmnotebook` and
`%load_ext mmnotebook` cost next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mmnotebook import _moved
from mmnotebook.graph import above

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from mmnotebook.beam.compiler import compile_graph
    from mmnotebook.errors import (
        CacheWarning,
        GraphError,
        MMError,
        ModelError,
        ModelWarning,
        RunError,
        StorageError,
    )
    from mmnotebook.fingerprint.declared import depends, pure
    from mmnotebook.graph.graph import Graph, Group, Input, Node
    from mmnotebook.graph.models import ModelSpec, registry
    from mmnotebook.model.loaded.models import loaded_models as models
    from mmnotebook.model.loaded.models import unload
    from mmnotebook.model.registered.register import register
    from mmnotebook.notation.text import parse, pipeline, to_text
    from mmnotebook.results import plots as plot
    from mmnotebook.results.inspection import trace
    from mmnotebook.results.memory import Forecast, forecast
    from mmnotebook.results.results import Result
    from mmnotebook.running.explain import Explanation, explain
    from mmnotebook.running.session import Running, run
    from mmnotebook.state import events
    from mmnotebook.store.cache import cache
    from mmnotebook.ui.builder.builder import Builder
    from mmnotebook.ui.dashboard import dashboard
    from mmnotebook.ui.doctor import DoctorReport, doctor
    from mmnotebook.ui.inspector.inspecting import inspect

    last: Result | None

__version__ = "0.1.0"

__all__ = [
    "Builder",
    "CacheWarning",
    "DoctorReport",
    "Explanation",
    "Forecast",
    "Graph",
    "GraphError",
    "Group",
    "Input",
    "MMError",
    "ModelError",
    "ModelSpec",
    "ModelWarning",
    "Node",
    "Result",
    "RunError",
    "Running",
    "StorageError",
    "cache",
    "compile_graph",
    "dashboard",
    "depends",
    "doctor",
    "events",
    "explain",
    "forecast",
    "inspect",
    "models",
    "parse",
    "pipeline",
    "plot",
    "pure",
    "register",
    "registry",
    "run",
    "to_text",
    "trace",
    "unload",
]

_HOMES = {
    "errors": (
        "CacheWarning",
        "GraphError",
        "MMError",
        "ModelError",
        "ModelWarning",
        "RunError",
        "StorageError",
    ),
    "fingerprint.declared": ("depends", "pure"),
    "graph.graph": ("Graph", "Group", "Input", "Node"),
    "graph.models": ("ModelSpec", "registry"),
    "notation.text": ("parse", "pipeline", "to_text"),
    "results.results": ("Result",),
    "results.inspection": ("trace",),
    "results.memory": ("Forecast", "forecast"),
    "model.registered.register": ("register",),
    "beam.compiler": ("compile_graph",),
    "running.explain": ("Explanation", "explain"),
    "running.session": ("Running", "run"),
    "store.cache": ("cache",),
    "model.loaded.models": ("unload",),
    "ui.builder.builder": ("Builder",),
    "ui.dashboard": ("dashboard",),
    "ui.doctor": ("DoctorReport", "doctor"),
    "ui.inspector.inspecting": ("inspect",),
}
_MODULES = {"events": "state.events", "plot": "results.plots"}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


_OF_GRAPH = {
    "explain": "running.explain",
    "from_json": "graph.json_format",
    "html": "steps.drawing",
    "problems": "steps.validation",
    "svg": "steps.drawing",
    "to_json": "graph.json_format",
    "to_text": "notation.text",
}


def _of_graph(name: str) -> Callable[..., Any]:
    """Return the function of a layer above that a graph offers under this name."""
    function: Callable[..., Any] = getattr(import_module(f"mmnotebook.{_OF_GRAPH[name]}"), name)
    return function


above.find = _of_graph
_moved.install()


def __getattr__(name: str) -> Any:
    if name == "last":
        return _last()
    if name in _MODULES:
        value: Any = import_module(f"mmnotebook.{_MODULES[name]}")
    elif name == "models":
        value = import_module("mmnotebook.model.loaded.models").loaded_models
    elif name in _HOME:
        value = getattr(import_module(f"mmnotebook.{_HOME[name]}"), name)
    else:
        from mmnotebook.errors import no_attribute

        raise no_attribute(f"module {__name__!r}", name, __all__)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "last"})


def _last() -> Any:
    """The latest `Result`; None, without importing Beam, when there can be none."""
    from mmnotebook.results import latest

    return latest.last()


def load_ipython_extension(ip: InteractiveShell) -> None:
    """`%load_ext mmnotebook`: the `%mm_…` magics and their completion."""
    from mmnotebook.ui import extension

    extension.load(ip, sys.modules[__name__])


def unload_ipython_extension(ip: InteractiveShell) -> None:
    """`%unload_ext mmnotebook`: takes out what `load_ipython_extension` put in."""
    from mmnotebook.ui import extension

    extension.unload(ip, sys.modules[__name__])
