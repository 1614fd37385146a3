"""The JSON file format of graphs."""

from __future__ import annotations

import json
from typing import Any

from mmnotebook.errors import GraphError, Problem
from mmnotebook.graph import field_selection
from mmnotebook.graph.field_selection import text_of
from mmnotebook.graph.graph import Graph, Group, Input, Node

FORMAT = 1


def to_json(graph: Graph) -> str:
    """Return a graph as JSON text, without the objects that are bound to its names."""
    return json.dumps(to_data(graph), indent=1, ensure_ascii=False)


def to_data(graph: Graph) -> dict[str, Any]:
    """Convert a graph to the dict that its JSON text contains."""
    return {
        "mmnotebook": FORMAT,
        "nodes": [_node_to_json(node) for node in graph.nodes],
        "groups": [
            {"name": g.name, "members": list(g.members), "gather": g.gather} for g in graph.groups
        ],
    }


def from_json(text: str) -> Graph:
    """Read and validate a graph that `to_json` wrote.

    Raises
    ------
    GraphError
        If the text is not such JSON, or the graph is not valid.
    """
    return of_data(loaded(text)).validate()


def loaded(text: str) -> Any:
    """Parse a JSON text; raise GraphError if it is not JSON."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, TypeError, RecursionError) as error:
        raise _no_json(error) from error


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def of_data(data: Any) -> Graph:
    """Convert the result of `to_data` back to a graph, without validation.

    Raises
    ------
    GraphError
        If the data does not describe a graph, or has another version of the format.
    """
    try:
        version = data["mmnotebook"]
        if version != FORMAT:
            problem = Problem("unknown format", found=repr(version), allowed=str(FORMAT))
            raise GraphError([problem], remedy="read it with the release that wrote it")
        nodes = tuple(_node_from_json(item) for item in data["nodes"])
        groups = tuple(_group_from_json(item) for item in data["groups"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _no_json(error) from error
    return Graph(nodes, groups)


def _no_json(error: Exception) -> GraphError:
    problem = Problem(f"not a graph's JSON ({type(error).__name__}: {error})")
    return GraphError([problem], remedy="write it with graph.to_json()")


def _node_to_json(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "kind": node.kind,
        "params": dict(node.params),
        "inputs": [_input_to_json(wire) for wire in node.inputs],
        "gather": node.gather,
    }


def _input_to_json(wire: Input) -> dict[str, Any]:
    label = {} if wire.label is None else {"label": wire.label}
    return {
        "node": wire.node,
        "port": wire.port,
        "select": field_selection.to_data(wire.select),
        **label,
    }


def _node_from_json(item: dict[str, Any]) -> Node:
    inputs = [_input_from_json(wire) for wire in item["inputs"]]
    name, kind = text_of(item["name"]), text_of(item["kind"])
    params = tuple(item["params"].items())
    return Node(name, kind, params, tuple(inputs), _gather(item.get("gather")))


def _input_from_json(wire: dict[str, Any]) -> Input:
    port, label = _text_or_none(wire.get("port")), _text_or_none(wire.get("label"))
    return Input(text_of(wire["node"]), port, field_selection.of_data(wire.get("select")), label)


def _group_from_json(item: dict[str, Any]) -> Group:
    members = tuple(text_of(member) for member in item["members"])
    return Group(text_of(item["name"]), members, _gather(item["gather"]))


def _text_or_none(value: Any) -> str | None:
    return None if value is None else text_of(value)


def _gather(value: Any) -> Any:
    """Return a string or None; `Graph.validate` checks whether it is a value of `Gather`."""
    return _text_or_none(value)
