"""How fields flow through a graph, and which fields are missing, before a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmnotebook.errors import Problem, nearest
from mmnotebook.graph import kinds
from mmnotebook.graph.field_selection import Drop, Select, kept, names_in
from mmnotebook.graph.graph import Graph, Input, Node
from mmnotebook.graph.inputs import InputNames
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import Names
from mmnotebook.steps import shapes
from mmnotebook.steps.shapes import Shape, together

_LISTED = 12


@dataclass(frozen=True)
class FieldFlow:
    """The fields of the input values or of the output values of a node.

    Attributes
    ----------
    shape
        The fields, as far as they are known.
    named
        Whether every field was selected by name.
    row
        Whether the fields are one row of numbers for a model whose inputs have no names.
    predicted
        Whether the values are predictions, whose fields are not known.
    """

    shape: Shape = None
    named: bool = False
    row: bool = False
    predicted: bool = False


def of_notebook(
    graph: Graph, names: Names, of_data: Callable[[Any], Shape] = shapes.of_data
) -> Callable[[Node], Shape]:
    """Return a function that finds the fields of a source node's elements in its data.

    Parameters
    ----------
    graph
        The graph. Its bindings take precedence over `names`.
    names
        Lookup of the data by name.
    of_data
        Returns the shape of the elements of a data object, or of files if its argument is a path.
    """

    def shape(node: Node) -> Shape:
        if node.step.reads_files:
            return of_data(node["path"])
        name = node["data"]
        try:
            return of_data(graph.bindings[name] if name in graph.bindings else names.object(name))
        except Exception:  # noqa: BLE001 - an object of another package can raise anything
            return None

    return shape


def problems(
    graph: Graph, shape_of: Callable[[Node], Shape], models: Mapping[str, Any]
) -> list[Problem]:
    """Return a problem for each field that a step or model uses but the data does not have.

    Where the fields are unknown, for example after a function, no problem is reported.

    Parameters
    ----------
    graph
        A graph without other problems. It may be incomplete.
    shape_of
        Returns the shape of the elements of a source node.
    models
        The registered models by name.
    """
    flows: dict[str, FieldFlow] = {}
    starts = [node.name for node in graph if node.step.inputs == "none"]
    sources = {name: frozenset([name]) for name in starts}
    found: list[Problem] = []
    for node in graph.order():
        if node.step.inputs == "none":
            # Elements without fields, {}, count as unknown: the run reports the failures.
            flows[node.name] = FieldFlow(shape_of(node) or None)
            found += _wrong_id(node, flows[node.name].shape)
            continue
        into = _into(node, flows, found)
        above = frozenset[str]().union(*(sources[wire.node] for wire in node.inputs))
        sources[node.name] = above
        found += _wrong_key(node, into, [flows[name].shape for name in starts if name in above])
        for name in node.models:
            found += _wrong_inputs(node, models.get(name), into)
        passes = node.step.passes_on and node.gather != "join"
        flows[node.name] = into if passes else FieldFlow(predicted=node.step.family == "model")
    return found


def _into(node: Node, flows: Mapping[str, FieldFlow], found: list[Problem]) -> FieldFlow:
    """Return the fields that flow into a node; add a problem for each missing selected field."""
    parts = [_selected(node, wire, flows[wire.node], found) for wire in node.inputs]
    if node.gather == "join":
        keys = [wire.key for wire in node.inputs]
        return FieldFlow(dict(zip(keys, (part.shape for part in parts), strict=True)), named=True)
    if not parts:
        return FieldFlow()
    if len(parts) == 1:
        return parts[0]
    alike = all(part.row for part in parts)
    shape = together([part.shape for part in parts])
    return FieldFlow(shape, alike, alike, all(part.predicted for part in parts))


def _selected(node: Node, wire: Input, flow: FieldFlow, found: list[Problem]) -> FieldFlow:
    select, shape = wire.select, flow.shape
    if select is None or flow.predicted:
        return _after(flow, select)
    wrong = missing(node.name, names_in(select), shape)
    if isinstance(select, Drop) and shape and not wrong and not kept(select, shape):
        dropped = f"drop of {listed(select.names)}"
        wrong = [Problem("no field is left", node.name, found=dropped)]
    found += wrong
    return FieldFlow() if wrong else _after(flow, select)


def _after(flow: FieldFlow, select: Select) -> FieldFlow:
    """Return the fields that remain after a selection."""
    if select is None:
        return flow
    shape = None if flow.predicted else flow.shape
    if isinstance(select, str):
        return FieldFlow(None if shape is None else shape.get(select))
    if not isinstance(select, Drop):
        known = shape or {}
        return FieldFlow({name: known.get(name) for name in select}, named=True, row=True)
    if shape is None:
        return FieldFlow(row=True)
    return FieldFlow({name: shape[name] for name in kept(select, shape)}, row=True)


def missing(
    node: str, names: Iterable[str], shape: Shape, message: str = "the data has no such field"
) -> list[Problem]:
    """Return a problem for each of these fields that is missing in values of this shape."""
    if shape is None:
        return []
    if not shape:
        message, allowed = f"{message}: its elements are not records", None
    else:
        allowed = listed(shape)
    return [
        Problem(message, node, found=repr(name), allowed=allowed, nearest=nearest(name, shape))
        for name in names
        if name not in shape
    ]


def listed(names: Iterable[str]) -> str:
    """Return fields as text for a message, at most the first twelve."""
    names = list(names)
    return ", ".join(map(repr, names[:_LISTED])) + (", …" if names[_LISTED:] else "")


def _wrong_id(node: Node, shape: Shape) -> list[Problem]:
    return missing(node.name, [node["id"]] if node["id"] else [], shape, "no such column for id=")


def _wrong_key(node: Node, into: FieldFlow, sources: list[Shape]) -> list[Problem]:
    """Return a problem if the field of `by=` is missing in the input and in the source data."""
    if kinds.KINDS[node.kind].param("by") is None or not node["by"]:
        return []
    known = list(sources)
    if not into.predicted and not into.row:
        known.append(into.shape)
    message = "the data has no field with this name"
    return missing(node.name, [node["by"]], together(known), message)


def _wrong_inputs(node: Node, spec: Any, into: FieldFlow) -> Iterator[Problem]:
    """Yield the problems of model inputs without a field, and of fields that are not inputs."""
    if not isinstance(spec, ModelSpec) or into.predicted:
        return
    if spec.input is not None:
        about = f"model {spec.name!r} is registered with an input that the data does not have"
        yield from missing(node.name, names_in(spec.input), into.shape, about)
        into = _after(into, spec.input)
    names = spec.fields
    if names is None or spec.preprocess is not None or into.shape is None:
        return
    if not into.shape:
        if len(names.needed) > 1 and not names.always and spec.collate is None:
            yield _alone(node, spec, names)
        return
    fields = list(into.shape)
    if into.row and not names.match(fields):
        return
    if into.named:
        yield from _extra(node, spec, names, fields)
    yield from _lacking(node, spec, names, fields)


def _alone(node: Node, spec: ModelSpec, names: InputNames) -> Problem:
    """Return the problem of a model with several named inputs that receives single values."""
    allowed = f"records with the fields {listed(names.needed)}"
    message = f"model {spec.name!r} has {len(names.needed)} inputs, but receives one value"
    return Problem(message, node.name, allowed=allowed)


def _extra(
    node: Node, spec: ModelSpec, names: InputNames, fields: Sequence[str]
) -> Iterator[Problem]:
    for name in names.extra(fields):
        message = f"model {spec.name!r} has no such input"
        if name in names.truth:
            message = (
                f"model {spec.name!r} uses this only in training, according to its name and its "
                "default; if it is an input for predictions, rename it in the model"
            )
        close = nearest(name, names.missing(fields) or names.known)
        allowed = listed(names.known) or None
        yield Problem(message, node.name, found=repr(name), allowed=allowed, nearest=close)


def _lacking(
    node: Node, spec: ModelSpec, names: InputNames, fields: Sequence[str]
) -> Iterator[Problem]:
    lacking = names.missing(fields)
    if not lacking:
        return
    message = f"no field for the input {lacking[0]!r} of model {spec.name!r}"
    if lacking[1:]:
        message = f"no fields for the inputs {listed(lacking)} of model {spec.name!r}"
    alone = names.known == (lacking[0],) and not names.always
    allowed = 'a single field: data["x"], or register(..., input="x")' if alone else None
    close = nearest(lacking[0], names.extra(fields) or fields)
    yield Problem(message, node.name, found=listed(fields), allowed=allowed, nearest=close)
