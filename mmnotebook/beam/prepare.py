"""Validation of a graph, and lookup of the objects to which its names refer."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from mmnotebook.beam.dofns.reuse import Reuse
from mmnotebook.beam.lowering import children, step, union
from mmnotebook.beam.lowering.step import BoundStep
from mmnotebook.beam.streaming import windowed_blocks
from mmnotebook.beam.streaming.recorded import Recording
from mmnotebook.elements import pickling
from mmnotebook.elements.block import Block
from mmnotebook.elements.elements import Select
from mmnotebook.errors import GraphError, ModelError, Problem, RunError, nearest, one_line, shown
from mmnotebook.fingerprint.identity import scan_modules_once
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.graph.models import ModelSpec, registry
from mmnotebook.graph.names import Names, Role, how_to_bind, notebook_names
from mmnotebook.graph.parameters import Parameter, unset
from mmnotebook.model.registered import newest_file, register
from mmnotebook.sources import fields, objects, overlap, sources, writers
from mmnotebook.steps import field_flow
from mmnotebook.steps.shapes import Shape

_OURS = "mmnotebook."
_A = {"transform": "a Beam transform"}

Record = Callable[[str, Any, int | None], tuple[Recording, str]]
"""A function that returns the recording of a Beam transform, and a note about the recording.

The arguments are the name of the source, the transform and the maximum number of elements.
"""


@dataclass(frozen=True)
class Prepared:
    """A checked graph with the objects to which its names refer.

    Attributes
    ----------
    plans
        The files of each source node that reads files.
    objects
        The elements of every other source node, read when the graph was prepared.
    models
        The models, by model name.
    functions
        The functions, by function name.
    carried
        The fields of sources that elements keep, for a later `by=`.
    recordings
        The recording of each source node that is a Beam transform and is recorded; `objects` has
        its elements too.
    transforms
        The Beam transform of each source node that is not recorded.
    pcollections
        The PCollection of each source node that is one.
    refreshed
        The models from newer files that replace registered models, by node name.
    said
        Notes for the user about nodes, by node name. Each note is a phrase, not a sentence.
    decisions
        The result of `Lowering.decide` for each node whose lowering has this function.
    codes
        The code of both lowerings of a step kind from another package, by node.
    watch_every
        Seconds between checks for newer model files in a stream.
    limit
        The number of elements to use from each source; None for all elements.
    """

    graph: Graph
    plans: Mapping[str, sources.SourcePlan]
    objects: Mapping[str, list[Block]]
    models: Mapping[str, ModelSpec]
    functions: Mapping[str, Callable[[Any], Any]]
    carried: tuple[str, ...]
    recordings: Mapping[str, Recording] = field(default_factory=dict)
    transforms: Mapping[str, Any] = field(default_factory=dict)
    pcollections: Mapping[str, Any] = field(default_factory=dict)
    refreshed: Mapping[str, ModelSpec] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)
    decisions: Mapping[str, Any] = field(default_factory=dict)
    codes: Mapping[str, tuple[Callable[..., Any], ...]] = field(default_factory=dict)
    watch_every: float = newest_file.INTERVAL
    limit: int | None = None

    def model(self, node: Node) -> ModelSpec:
        """Return the registered model of a node that runs one model, or its replacement."""
        return self.refreshed.get(node.name) or self.models[node["model"]]

    def bound(
        self,
        node: Node,
        select: Select = None,
        run_id: str = "",
        keys: Mapping[str, str | None] | None = None,
        reuse: Reuse | None = None,
    ) -> BoundStep:
        """Return a node with all objects that its lowering needs."""
        models, known = self.models, dict(keys or {})
        if node.name in self.refreshed:
            newer = self.refreshed[node.name]
            models = {**models, node["model"]: newer}
            known[newer.name] = known.get(f"{node.name} refreshed", known.get(newer.name))
        above: list[str] = []
        if node.step.ends:
            above = [one.name for one in self.graph.upto(node.name) if one.name != node.name]
        return BoundStep(
            node,
            self.functions,
            models,
            select,
            run_id,
            known,
            reuse,
            self.decisions.get(node.name),
            above,
            self.watch_every,
        )

    def totals(self) -> dict[str, int]:
        """Return the number of elements of each source, by node, where known before the run."""
        counts = {name: plan.count for name, plan in self.plans.items()}
        known = {name: count for name, count in counts.items() if count is not None}
        return {**known, **{name: sum(map(len, made)) for name, made in self.objects.items()}}

    def most(self) -> dict[str, int]:
        """Return the maximum number of elements that can reach each node, where known."""
        totals = self.totals()
        most: dict[str, int | None] = {}
        for node in self.graph.order():
            if not node.inputs:
                most[node.name] = totals.get(node.name)
                continue
            counts = [most[wire.node] for wire in node.inputs]
            grows = any(self.graph[wire.node].step.has_children for wire in node.inputs)
            known = [count for count in counts if count is not None]
            most[node.name] = sum(known) if len(known) == len(counts) and not grows else None
        return {name: count for name, count in most.items() if count is not None}


def prepare(
    graph: Graph,
    limit: int | None = None,
    record: Record | None = None,
    refused: list[RunError] | None = None,
    given: Mapping[str, Any] = MappingProxyType({}),
) -> Prepared:
    """Check a graph, look up its names, and open its sources.

    Parameters
    ----------
    record
        Records a Beam transform that is a source; if None, the pipeline reads the transform.
    refused
        Receives the errors of functions that cannot be sent to a worker; if None, they are raised.
    given
        The PCollections that take the place of sources, by the name of the source node.
    """
    check_graph(graph)
    graph.validate()
    _check_not_empty(graph)
    names = Names(registry, graph.bindings, notebook_names())
    models = _models(graph)
    functions = _functions(graph, names, refused)
    values = _values(graph, names, given)
    _check_writes(graph, values, models)
    carried = dict.fromkeys(name for node in graph for name in node.fields)
    refreshed, said = newest_file.models(graph, models)
    found = _sources(graph, values, limit, record)
    _check_fields(graph, found, models)
    _check_steps(graph, found)
    children.check(graph, found.objects)
    union.check(graph, found.objects, found.plans)
    prepared = Prepared(
        graph,
        found.plans,
        found.objects,
        models,
        functions,
        tuple(carried),
        found.recordings,
        found.transforms,
        found.pcollections,
        refreshed,
        {**said, **found.said},
        limit=limit,
    )
    codes = {
        node.name: tuple(step.of_kind(node.step, lean).code for lean in (False, True))
        for node in graph
        if node.inputs and not node.step.lowering.startswith(_OURS)
    }
    return replace(prepared, decisions=_decisions(prepared), codes=codes)


def _check_steps(graph: Graph, found: _Sources) -> None:
    """Raise GraphError if a step cannot process the elements that are known."""
    problems: list[Problem] = []
    for node in graph:
        check = step.of_kind(node.step).problems if node.inputs else None
        if check is not None:
            problems += check(graph, node, found.objects, list(found.plans))
    if problems:
        raise GraphError(problems)


def _decisions(prepared: Prepared) -> dict[str, Any]:
    found = {}
    for node in prepared.graph:
        decide = step.of_kind(node.step).decide if node.inputs else None
        if decide is not None:
            found[node.name] = decide(prepared.graph, prepared.bound(node), prepared.objects)
    return found


def renewed(prepared: Prepared) -> Prepared:
    """Return the same graph with the current models."""
    models = _models(prepared.graph)
    refreshed, _ = newest_file.models(prepared.graph, models)
    return replace(prepared, models=models, refreshed=refreshed)


def check_graph(graph: Any) -> None:
    """Raise RunError if `graph` is not a `Graph`."""
    if isinstance(graph, str):
        raise RunError(
            "a pipeline's text is not a graph yet", remedy="mm.run(mm.pipeline(text, name=data))"
        )
    if not isinstance(graph, Graph):
        raise RunError(
            f"expected a graph, not {shown(graph)}", remedy="mm.pipeline(text) creates one"
        )


def _check_fields(graph: Graph, found: _Sources, models: Mapping[str, ModelSpec]) -> None:
    """Raise GraphError if a step or a model needs a field that no element has."""

    def shape(node: Node) -> Shape:
        if node.name in found.plans:
            return fields.of_plan(found.plans[node.name])
        return fields.of_blocks(found.objects.get(node.name, ()))

    problems = field_flow.problems(graph, shape, models)
    if problems:
        raise GraphError(problems)


def _check_not_empty(graph: Graph) -> None:
    if not graph.nodes:
        raise GraphError([Problem("the graph is empty")], remedy="data | model")


@scan_modules_once()
def _models(graph: Graph) -> dict[str, ModelSpec]:
    wanted = dict.fromkeys(name for node in graph for name in node.models)
    missing = [name for name in wanted if name not in registry]
    if len(missing) > 1:
        raise ModelError(
            f"no models are registered as {', '.join(map(repr, missing))}; "
            f"registered: {', '.join(registry) or 'none yet'}",
            remedy="mm.register(name, model), or %mm_model name model",
        )
    return {name: register.current(registry[name]) for name in wanted}


def _functions(
    graph: Graph, names: Names, refused: list[RunError] | None
) -> dict[str, Callable[[Any], Any]]:
    wanted = {name: node.name for node in graph for name in node.functions}
    functions = {}
    transforms = {name for node in graph for name in node.transforms}
    for name, node in wanted.items():
        role: Role = "transform" if name in transforms else "function"
        function = _bound(name, node, role, names)
        if role == "transform":
            functions[name] = _transform_step(name, node, function)
            continue
        if not callable(function):
            kind = type(function).__name__
            raise RunError(f"{name!r} is a {kind}, not a function", node=node)
        try:
            pickling.check(function)
        except Exception as error:
            unsendable = RunError(
                f"the function {name!r} cannot be sent to a worker: {one_line(error)}",
                remedy="what it uses from outside must be picklable: no locks, open files, "
                "connections or generators",
                node=node,
            )
            if refused is None:
                raise unsendable from error
            refused.append(unsendable)
        functions[name] = function
    return functions


def _transform_step(name: str, node: str, transform: Any) -> Any:
    if not windowed_blocks.is_transform(transform):
        kind = type(transform).__name__
        raise RunError(
            f"{name!r} is a {kind}, not a Beam transform",
            remedy=f"transform({name}) applies a beam.PTransform; map({name}) calls a function",
            node=node,
        )
    return windowed_blocks.unused(transform)


@dataclass
class _Sources:
    """The content of the source nodes, by node name; `Prepared` describes the attributes."""

    plans: dict[str, sources.SourcePlan] = field(default_factory=dict)
    objects: dict[str, list[Block]] = field(default_factory=dict)
    recordings: dict[str, Recording] = field(default_factory=dict)
    transforms: dict[str, Any] = field(default_factory=dict)
    pcollections: dict[str, Any] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)


def _values(graph: Graph, names: Names, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what each source node reads: a path, an object, a transform, or a PCollection."""

    def value(node: Node) -> Any:
        if node.name in given:
            return given[node.name]
        if node.step.reads_files:
            return node["path"]
        return _bound(node["data"], node.name, "data", names)

    return {node.name: value(node) for node in graph if not node.inputs}


def _check_writes(graph: Graph, values: Mapping[str, Any], models: Mapping[str, ModelSpec]) -> None:
    """Raise RunError if a path cannot be written, or if the graph also reads it."""
    writes = {node.name: node["path"] for node in graph if node.step.ends}
    if writes:
        writers.check_paths(writes)
        files = {node: (path, writers.files(path)) for node, path in writes.items()}
        overlap.check(files, _reads(graph, values, models))


def _reads(
    graph: Graph, values: Mapping[str, Any], models: Mapping[str, ModelSpec]
) -> Iterator[overlap.Read]:
    yield overlap.of_cache()
    for name, value in values.items():
        by = f"source {name!r}"
        if objects.is_path(value):
            yield overlap.Read(by, str(value))
        elif windowed_blocks.is_pcollection(value):
            continue
        elif windowed_blocks.is_transform(value):
            yield from (overlap.Read(by, path) for path in windowed_blocks.files(name, value))
        else:
            yield from overlap.of_object(by, value)
    yield from overlap.of_models(models.values())
    for node in graph:
        if node.step.param("watch") and node["watch"]:
            yield overlap.Read(f"node {node.name!r}", node["watch"])


def _sources(
    graph: Graph, values: Mapping[str, Any], limit: int | None, record: Record | None
) -> _Sources:
    """List files, read notebook data, and record Beam transforms if a recorder is passed."""
    found = _Sources()
    for node in graph:
        if node.inputs:
            continue
        value = values[node.name]
        if windowed_blocks.is_pcollection(value):
            _pcollection(found, node, value, limit, record)
        elif node.step.reads_files or objects.is_path(value):
            # `node.params` does not contain parameters with their default values.
            options = {name: given for name, given in node.params if name in ("mode", "rotate")}
            plan = sources.plan_path(str(value), node["id"], **options)
            found.plans[node.name] = plan if limit is None else plan.first(limit)
        elif windowed_blocks.is_transform(value):
            _transform(found, node, value, limit, record)
        else:
            found.objects[node.name] = objects.blocks(node["data"], value, node["id"], limit)
    return found


def _pcollection(
    found: _Sources, node: Node, pcoll: Any, limit: int | None, record: Record | None
) -> None:
    name = node["data"] if node.data else node.name
    if record is not None:
        raise RunError(
            f"source {name!r} is a PCollection of a pipeline of yours, and mm.run runs a pipeline "
            "of its own",
            remedy="mm.compile_graph(graph, pipeline) adds the graph to your pipeline; for a run "
            f"here, bind {name} to data or to the transform that reads it",
            node=node.name,
        )
    if limit is not None:
        raise RunError(
            f"source {name!r}: limit= is not supported for a PCollection",
            remedy="remove limit=, or give it fewer elements",
            node=node.name,
        )
    found.pcollections[node.name] = pcoll


def _transform(
    found: _Sources, node: Node, transform: Any, limit: int | None, record: Record | None
) -> None:
    if record is not None:
        recording, found.said[node.name] = record(node["data"], transform, limit)
        recording = recording.first(limit).named(node["id"])
        found.recordings[node.name] = recording
        found.objects[node.name] = list(recording.blocks)
    elif limit is None:
        found.transforms[node.name] = transform
    else:
        raise RunError(
            f"source {node['data']!r}: limit= is not supported for Beam transforms",
            remedy="remove limit=, or make the transform return fewer elements",
            node=node.name,
        )


def _bound(name: str, node: str, role: Role, names: Names) -> Any:
    try:
        found = names.object(name)
        if isinstance(found, Parameter):
            raise unset(name, found, node)
        return found
    except KeyError:
        if role == "function" and hasattr(builtins, name):
            return getattr(builtins, name)
        known = list(names.known(role))
        close = nearest(name, known)
        raise RunError(
            f"{name!r} is not bound: node {node!r} needs {_A.get(role, role)} of that name"
            + (f"; did you mean {close!r}?" if close else ""),
            remedy=how_to_bind(name),
            node=node,
        ) from None
