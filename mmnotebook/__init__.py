"""Pipelines with more than one machine-learning model, in a notebook, on Apache Beam.

Every public name is imported when it is first used, so that `import mmnotebook` and
`%load_ext mmnotebook` cost next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from mmnotebook.analysis import plots as plot
    from mmnotebook.analysis.inspection import trace
    from mmnotebook.analysis.memory import Forecast, forecast
    from mmnotebook.analysis.results import Result
    from mmnotebook.errors import (
        CacheWarning,
        GraphError,
        MMError,
        ModelError,
        ModelWarning,
        RunError,
        StorageError,
    )
    from mmnotebook.graph.digests.declared import depends, pure
    from mmnotebook.graph.graph import Graph, Group, Input, Node
    from mmnotebook.graph.models import ModelSpec, registry
    from mmnotebook.graph.text import parse, pipeline, to_text
    from mmnotebook.runtime import events
    from mmnotebook.runtime.compiler import compile_graph
    from mmnotebook.runtime.explaining import Explanation, explain
    from mmnotebook.runtime.models.registration import register
    from mmnotebook.runtime.models.warm import unload
    from mmnotebook.runtime.models.warm import warm as models
    from mmnotebook.runtime.session import Running, run
    from mmnotebook.runtime.store.cache import cache
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
    "graph.digests.declared": ("depends", "pure"),
    "graph.graph": ("Graph", "Group", "Input", "Node"),
    "graph.models": ("ModelSpec", "registry"),
    "graph.text": ("parse", "pipeline", "to_text"),
    "analysis.results": ("Result",),
    "analysis.inspection": ("trace",),
    "analysis.memory": ("Forecast", "forecast"),
    "runtime.models.registration": ("register",),
    "runtime.compiler": ("compile_graph",),
    "runtime.explaining": ("Explanation", "explain"),
    "runtime.session": ("Running", "run"),
    "runtime.store.cache": ("cache",),
    "runtime.models.warm": ("unload",),
    "ui.builder.builder": ("Builder",),
    "ui.dashboard": ("dashboard",),
    "ui.doctor": ("DoctorReport", "doctor"),
    "ui.inspector.inspecting": ("inspect",),
}
_MODULES = {"events": "runtime.events", "plot": "analysis.plots"}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "last":
        return _last()
    if name in _MODULES:
        value: Any = import_module(f"mmnotebook.{_MODULES[name]}")
    elif name == "models":
        value = import_module("mmnotebook.runtime.models.warm").warm
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
    session = sys.modules.get("mmnotebook.runtime.session")
    return None if session is None else session.last()


def load_ipython_extension(ip: InteractiveShell) -> None:
    """`%load_ext mmnotebook`: the `%mm_…` magics and their completion."""
    from mmnotebook.ui import extension

    extension.load(ip)


def unload_ipython_extension(ip: InteractiveShell) -> None:
    """`%unload_ext mmnotebook`: takes out what `load_ipython_extension` put in."""
    from mmnotebook.ui import extension

    extension.unload(ip)
