"""Graph -> {node name: PCollection}."""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import cloudpickle

from mmnotebook.errors import GraphError, ModelError, Problem, RunError, nearest, one_line
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.graph.models import ModelSpec, registry
from mmnotebook.graph.names import Names, notebook_names
from mmnotebook.runtime import gathering, handlers, routing, transforms
from mmnotebook.runtime.data import sources, writers
from mmnotebook.runtime.node_fn import Outputs

LATER = ("switch", "cascade", "keyed")
"""Kinds that are in the notation but not compiled yet."""


class Compiled(dict[str, beam.PCollection[Any]]):
    """The PCollection of every node by its name; `failed` holds all failures of the graph.

    A node's elements are (key, value) pairs: the key holds the element's id, the value is what the
    next step's function is given; for a model, Beam's `PredictionResult`.
    """

    failed: beam.PCollection[Any]


@dataclass(frozen=True)
class Prepared:
    """A checked graph with everything that its names stand for.

    Attributes
    ----------
    plans
        By source node.
    models
        By model name.
    functions
        By function name.
    carried
        The sources' fields that travel with an element, as a later `by=` names them.
    """

    graph: Graph
    plans: Mapping[str, sources.Plan]
    models: Mapping[str, ModelSpec]
    functions: Mapping[str, Callable[[Any], Any]]
    carried: tuple[str, ...]


def compile_graph(
    graph: Graph, pipeline: beam.Pipeline, *, limit: int | None = None
) -> dict[str, beam.PCollection[Any]]:
    """Put a graph into a Beam pipeline, for any runner.

    Parameters
    ----------
    graph
        Names that are not bound in it are looked up in the notebook, models in the registry.
    pipeline
        Transforms are added to it, labelled by node name.
    limit
        The number of elements that are taken of each source; None takes all.

    Returns
    -------
    dict
        By node name, a PCollection of (key, value); see `Compiled`.

    Raises
    ------
    GraphError, ModelError, RunError
        When the graph is not valid, a name stands for nothing, or a source cannot be read.
    """
    return assemble(prepare(graph, limit), pipeline, run_id="")


def prepare(graph: Graph, limit: int | None = None) -> Prepared:
    """Check a graph, look up its names and write down its sources."""
    graph.validate()
    _check_supported(graph)
    names = Names(registry, graph.bindings, notebook_names())
    models = _models(graph)
    functions = _functions(graph, names)
    plans = {node.name: _plan(node, names, limit) for node in graph if not node.inputs}
    writers.check_paths({node.name: node["path"] for node in graph if node.kind == "write"})
    carried = dict.fromkeys(
        node["by"] for node in graph if node.kind in ("split", "keyed") and node["by"]
    )
    return Prepared(graph, plans, models, functions, tuple(carried))


def assemble(prepared: Prepared, pipeline: beam.Pipeline, run_id: str) -> Compiled:
    """The transforms of a prepared graph."""
    outputs: dict[str, Outputs] = {}
    failed: list[beam.PCollection[Any]] = []
    for node in prepared.graph.order():
        if node.kind in ("source", "read"):
            plan = prepared.plans[node.name]
            made = transforms.read(node.name, pipeline, plan.slices, run_id, prepared.carried)
        else:
            inputs = [
                outputs[wire.node].arms[wire.port] if wire.port else outputs[wire.node].main
                for wire in node.inputs
            ]
            gathered, lost = gathering.gather(node, inputs, run_id)
            failed += lost
            made = _step(node, gathered, prepared, run_id)
        outputs[node.name] = made
        failed += made.failed
    compiled = Compiled({name: made.main for name, made in outputs.items()})
    compiled.failed = failed | "failures: all" >> beam.Flatten()
    return compiled


def _step(node: Node, pcoll: Any, prepared: Prepared, run_id: str) -> Outputs:
    if node.kind == "model":
        spec = prepared.models[node["model"]]
        handler = handlers.handler(node.name, spec, run_id)
        return transforms.infer(node, pcoll, handler, spec.input, run_id)
    if node.kind == "split":
        return transforms.split(node, pcoll, run_id)
    if node.kind == "write":
        return transforms.write(node, pcoll, run_id)
    combine: dict[str, Callable[[Any], Any]] = {
        "vote": routing.vote,
        "mean": routing.mean,
        "stack": functools.partial(routing.stack, names=[wire.node for wire in node.inputs]),
    }
    function = combine.get(node.kind) or prepared.functions[node["function"]]
    return transforms.call(node, pcoll, function, run_id)


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
    wanted = {dict(n.params)["function"]: n.name for n in graph if "function" in dict(n.params)}
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


def _plan(node: Node, names: Names, limit: int | None) -> sources.Plan:
    if node.kind == "read":
        plan = sources.plan_path(node["path"], node["id"])
    else:
        value = _bound(node["data"], node.name, "data", names)
        plan = sources.plan_object(node["data"], value, node["id"], limit)
    return plan if limit is None else plan.first(limit)


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
