"""A graph checked, and everything that its names stand for."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cloudpickle

from mmnotebook.errors import GraphError, ModelError, Problem, RunError, nearest, one_line
from mmnotebook.graph.graph import Graph
from mmnotebook.graph.models import ModelSpec, registry
from mmnotebook.graph.names import Names, notebook_names
from mmnotebook.runtime.blocks.block import Block
from mmnotebook.runtime.data import objects, sources, writers

LATER = ("switch", "cascade", "keyed")
"""Kinds that are in the notation but not compiled yet."""


@dataclass(frozen=True)
class Prepared:
    """A checked graph with everything that its names stand for.

    Attributes
    ----------
    plans
        The files of each source node that reads files.
    objects
        The elements of every other source node, as they were when it was prepared.
    models
        By model name.
    functions
        By function name.
    carried
        The sources' fields that travel with an element, as a later `by=` names them.
    """

    graph: Graph
    plans: Mapping[str, sources.Plan]
    objects: Mapping[str, list[Block]]
    models: Mapping[str, ModelSpec]
    functions: Mapping[str, Callable[[Any], Any]]
    carried: tuple[str, ...]

    def totals(self) -> dict[str, int]:
        """By source node, the number of its elements, where that is known beforehand."""
        counts = {name: plan.count for name, plan in self.plans.items()}
        known = {name: count for name, count in counts.items() if count is not None}
        return {**known, **{name: sum(map(len, made)) for name, made in self.objects.items()}}

    def most(self) -> dict[str, int]:
        """By node, the most elements that can reach it, where that is known beforehand."""
        totals = self.totals()
        most: dict[str, int | None] = {}
        for node in self.graph.order():
            if not node.inputs:
                most[node.name] = totals.get(node.name)
                continue
            counts = [most[wire.node] for wire in node.inputs]
            grows = any(self.graph[wire.node].kind == "flat_map" for wire in node.inputs)
            known = [count for count in counts if count is not None]
            most[node.name] = sum(known) if len(known) == len(counts) and not grows else None
        return {name: count for name, count in most.items() if count is not None}


def prepare(graph: Graph, limit: int | None = None) -> Prepared:
    """Check a graph, look up its names and look into its sources."""
    graph.validate()
    _check_supported(graph)
    names = Names(registry, graph.bindings, notebook_names())
    models = _models(graph)
    functions = _functions(graph, names)
    plans, made = _sources(graph, names, limit)
    writers.check_paths({node.name: node["path"] for node in graph if node.kind == "write"})
    carried = dict.fromkeys(
        node["by"] for node in graph if node.kind in ("split", "keyed") and node["by"]
    )
    return Prepared(graph, plans, made, models, functions, tuple(carried))


def _check_supported(graph: Graph) -> None:
    if not graph.nodes:
        raise GraphError([Problem("the graph is empty")], remedy="data | model")
    problems = [
        Problem(
            f"{node.kind} is part of the notation, but this release does not run it yet",
            node=node.name,
            allowed="split, lists of steps, and functions",
        )
        for node in graph
        if node.kind in LATER
    ]
    if problems:
        raise GraphError(problems)


def _models(graph: Graph) -> dict[str, ModelSpec]:
    wanted = dict.fromkeys(name for node in graph for name in node.models)
    missing = [name for name in wanted if name not in registry]
    if len(missing) > 1:
        raise ModelError(
            f"no models are registered as {', '.join(map(repr, missing))}; "
            f"registered: {', '.join(registry) or 'none yet'}",
            remedy="mm.register(name, model), or %mm_model name model",
        )
    return {name: registry[name] for name in wanted}


def _functions(graph: Graph, names: Names) -> dict[str, Callable[[Any], Any]]:
    wanted = {name: node.name for node in graph for name in node.functions}
    functions = {}
    for name, node in wanted.items():
        function = _bound(name, node, "function", names)
        if not callable(function):
            kind = type(function).__name__
            raise RunError(f"{name!r} is a {kind}, not a function", node=node)
        try:
            cloudpickle.dumps(function)
        except Exception as error:
            raise RunError(
                f"the function {name!r} cannot be sent to a worker: {one_line(error)}",
                remedy="it may use no locks, open files, connections or generators from outside",
                node=node,
            ) from error
        functions[name] = function
    return functions


def _sources(
    graph: Graph, names: Names, limit: int | None
) -> tuple[dict[str, sources.Plan], dict[str, list[Block]]]:
    """What each source node reads: files, or the elements of an object."""
    plans: dict[str, sources.Plan] = {}
    made: dict[str, list[Block]] = {}
    for node in graph:
        if node.inputs:
            continue
        value = node["path"] if node.kind == "read" else None
        if value is None:
            value = _bound(node["data"], node.name, "data", names)
            if not objects.is_path(value):
                made[node.name] = objects.blocks(node["data"], value, node["id"], limit)
                continue
        plan = sources.plan_path(str(value), node["id"])
        plans[node.name] = plan if limit is None else plan.first(limit)
    return plans, made


def _bound(name: str, node: str, role: str, names: Names) -> Any:
    try:
        return names.object(name)
    except KeyError:
        if role == "function" and hasattr(builtins, name):
            return getattr(builtins, name)
        known = list(names.known("function" if role == "function" else "data"))
        close = nearest(name, known)
        raise RunError(
            f"{name!r} is not bound: node {node!r} needs {role} of that name"
            + (f"; did you mean {close!r}?" if close else ""),
            remedy=f"define {name} in the notebook, or graph.bind({name}=...)",
            node=node,
        ) from None
