"""Validation of a graph, which finds all of its problems at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mmnotebook.errors import Gap, Problem, nearest
from mmnotebook.graph import checks, kinds
from mmnotebook.graph.field_selection import is_select
from mmnotebook.graph.graph import Graph, Input, Node, once
from mmnotebook.steps import branch_meetings

FIELDS = '["field"], [["field", "other"]] or .drop("field")'


def problems(graph: Graph) -> list[Problem]:
    """Return all problems of a graph, in the order of its nodes; [] if it is valid."""
    return list(once(graph, _problems))


def _problems(graph: Graph) -> list[Problem]:
    return once(graph, _all) or list(_cycle(graph)) or list(_never(graph))


def faults(graph: Graph) -> list[Problem]:
    """Return the problems of a graph that may be incomplete: all problems except gaps."""
    found = [problem for problem in once(graph, _all) if not isinstance(problem, Gap)]
    return found or list(_cycle(graph))


def _all(graph: Graph) -> list[Problem]:
    return [
        *_names(graph),
        *(problem for node in graph.nodes for problem in _node(graph, node)),
        *_groups(graph),
    ]


def parameter_problems(node: Node) -> list[Problem]:
    """Return the problems of a node's parameters, regardless of its inputs."""
    kind = kinds.KINDS.get(node.kind)
    return [] if kind is None else list(_params(node, kind))


def value_problems(kind: kinds.StepKind, given: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for each parameter with an invalid value."""
    for param in kind.params:
        if param.name in given and not param.check(given[param.name]):
            value = given[param.name]
            closer = param.why(value) if param.why is not None else None
            yield Problem(
                closer or f"{param.name!r} of {kind.name} cannot have this value",
                found=repr(value),
                allowed=param.allowed,
                nearest=param.meant(value) if param.meant is not None else None,
            )


def _names(graph: Graph) -> Iterator[Problem]:
    every = [*graph.names, *(group.name for group in graph.groups)]
    for name, count in Counter(every).items():
        if count > 1:
            yield Problem(f"the name is used {count} times", node=name, allowed="each name once")
        if not checks.is_name(name):
            yield Problem("not a name", node=name, found=repr(name), allowed="a Python identifier")


def _node(graph: Graph, node: Node) -> Iterator[Problem]:
    kind = kinds.KINDS.get(node.kind)
    if kind is None:
        yield Problem(
            "no such kind of step",
            node=node.name,
            found=repr(node.kind),
            allowed=", ".join(kinds.KINDS),
            nearest=nearest(node.kind, kinds.KINDS),
        )
        return
    yield from _params(node, kind)
    yield from _wires(graph, node, kind)


def _params(node: Node, kind: kinds.StepKind) -> Iterator[Problem]:
    given = dict(node.params)
    known = [param.name for param in kind.params]
    for name in given:
        if name not in known:
            yield Problem(
                f"{kind.name} has no parameter {name!r}",
                node=node.name,
                allowed=", ".join(known) or "none",
                nearest=nearest(name, known),
            )
    for param in kind.params:
        if param.required and param.name not in given:
            yield Gap(f"{kind.name} needs {param.name!r}", node=node.name, allowed=param.allowed)
    for problem in [
        *value_problems(kind, given),
        *_one_of_several(kind, given),
        *_pinned(kind, given),
    ]:
        yield replace(problem, node=node.name)


def _one_of_several(kind: kinds.StepKind, given: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem if `by` is given both as a field and as a function."""
    if "by" in given and "by_function" in given:
        yield Problem("'by' is both a field and a function", allowed="one of them")


def _pinned(kind: kinds.StepKind, given: Mapping[str, Any]) -> Iterator[Problem]:
    pinned = given.get("pin", ())
    arms = kinds.arm_names(kind.name, dict(given))
    if pinned and arms and checks.is_mapping(pinned):
        for _, arm in pinned:
            if arm not in arms:
                yield Problem(
                    "'pin' names an unknown branch",
                    found=repr(arm),
                    allowed=", ".join(arms),
                    nearest=nearest(arm, arms),
                )


def _wires(graph: Graph, node: Node, kind: kinds.StepKind) -> Iterator[Problem]:
    yield from _arity(node, kind)
    for wire in node.inputs:
        yield from _wire(graph, node, wire)
    if kind.problems is not None:
        yield from kind.problems(graph, node)
    if len(node.inputs) > 1:
        yield from _repeated(node)


def _repeated(node: Node) -> Iterator[Problem]:
    """Yield a problem for each input that a node has twice, and for each key of several inputs."""
    for name in _twice(node):
        yield Problem("the same input twice", node=node.name, found=repr(name))
    named = {(wire.node, wire.key) for wire in node.inputs if node.gather == "join"}
    for label, count in Counter(key for _, key in named).items():
        if count > 1:
            yield Problem("two inputs with the same key", node=node.name, found=repr(label))


def _twice(node: Node) -> list[str]:
    """Return the names of nodes that are an input twice.

    In a join this is allowed for fields of one output, each under its own key.
    """
    ends = Counter((wire.node, wire.port) for wire in node.inputs)
    if node.gather != "join":
        return [name for (name, _), count in ends.items() if count > 1]
    keys = Counter((wire.node, wire.key) for wire in node.inputs)
    ports = Counter(name for name, _ in ends)
    several = {name for (name, _), count in keys.items() if count > 1}
    return [name for name in ports if name in several or ports[name] > 1]


def _arity(node: Node, kind: kinds.StepKind) -> Iterator[Problem]:
    def wrong(message: str, allowed: str, sort: type[Problem] = Gap) -> Problem:
        inputs = ", ".join(wire.node for wire in node.inputs) or "no input"
        return sort(message, node=node.name, found=inputs, allowed=allowed)

    if node.gather not in (None, "join", "union"):
        yield Problem("unknown gather mode", node=node.name, found=repr(node.gather))
    elif kind.inputs == "none":
        if node.inputs or node.gather:
            message = f"{kind.name} starts a line; it cannot have an input"
            yield wrong(message, "no input", Problem)
    elif not node.inputs:
        yield wrong(f"this {kind.name} step has no input", "data | step")
    elif kind.inputs == "join" and node.gather != "join":
        yield wrong(f"{kind.name} combines several outputs", f"[a, b] | {kind.name}()")
    elif node.gather is None and len(node.inputs) > 1:
        message = "several inputs without a gather mode"
        yield wrong(message, "join or union", Problem)
    elif node.gather == "union" and len(node.inputs) < 2:
        yield wrong("a union needs two or more inputs", "{a, b} | step")
    yield from _missing(node, kind)


def _missing(node: Node, kind: kinds.StepKind) -> Iterator[Problem]:
    """Yield a problem if 'missing' is given for a step that does not join."""
    gives = kind.param("missing") is not None and "missing" in dict(node.params)
    if gives and node.gather != "join" and kind.inputs != "join":
        how = f'missing="{node["missing"]}"'
        allowed = f"[a, b] | {kind.name}(…, {how}), or {kind.name} without 'missing'"
        yield Gap(
            "'missing' says what to do when one of several joined outputs is missing, "
            "but nothing is joined here",
            node=node.name,
            found=how,
            allowed=allowed,
        )


def _wire(graph: Graph, node: Node, wire: Input) -> Iterator[Problem]:
    if wire.node not in graph:
        names = [name for name in graph.names if name != node.name]
        yield Problem(
            "its input is not a node of this graph",
            node=node.name,
            found=repr(wire.node),
            allowed=", ".join(names) or "none",
            nearest=nearest(str(wire.node), names),
        )
        return
    upstream = graph[wire.node]
    if upstream.kind in kinds.KINDS and kinds.KINDS[upstream.kind].ends:
        yield Problem(f"nothing can follow a {upstream.kind}", node=node.name, found=wire.node)
    yield from _port(node, wire, upstream.arms)
    if not is_select(wire.select):
        yield Problem(
            "not a field",
            node=node.name,
            found=repr(wire.select),
            allowed=FIELDS,
        )


def _port(node: Node, wire: Input, arms: tuple[str, ...]) -> Iterator[Problem]:
    if arms and wire.port not in arms:
        yield Problem(
            f"{wire.node!r} has several branches; name one of them",
            node=node.name,
            found=repr(wire.port) if wire.port else wire.node,
            allowed=", ".join(f"{wire.node}.{arm}" for arm in arms),
            nearest=nearest(str(wire.port), arms),
        )
    elif wire.port is not None and not arms:
        yield Problem(f"{wire.node!r} has no branches", node=node.name, found=f".{wire.port}")


def _groups(graph: Graph) -> Iterator[Problem]:
    for group in graph.groups:
        if not group.members or len(set(group.members)) != len(group.members):
            yield Problem("a group needs members, each once", node=group.name)
        if group.gather not in ("join", "union"):
            yield Problem("unknown gather mode", node=group.name, found=repr(group.gather))
        for member in group.members:
            if member not in graph:
                yield Problem(
                    "its member is not a node of this graph",
                    node=group.name,
                    found=repr(member),
                    allowed=", ".join(graph.names) or "none",
                    nearest=nearest(member, graph.names),
                )


def _cycle(graph: Graph) -> Iterator[Problem]:
    import networkx

    try:
        graph.order()
        return
    except networkx.NetworkXUnfeasible:
        edges = networkx.find_cycle(graph.network())
    path = " → ".join([edges[0][0], *(edge[1] for edge in edges)])
    yield Problem("a step cannot feed itself", node=edges[0][0], found=path, allowed="no cycle")


def _never(graph: Graph) -> Iterator[Problem]:
    """Yield the joins that can never succeed; the graph must have no other problems."""
    for one in branch_meetings.impossible_joins(graph):
        yield Gap(one.message, node=one.node, allowed=one.allowed)
