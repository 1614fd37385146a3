"""Steps and inputs as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mmnotebook.graph import kinds
from mmnotebook.graph.field_selection import Drop
from mmnotebook.graph.graph import Input, Node


def is_bare(node: Node) -> bool:
    """Return whether a node is a source that is named after its data and has no other parameter."""
    return _bare(node, "data") and node.params == (("data", node.name),)


def is_bare_model(node: Node) -> bool:
    """Return whether a node is a model step whose only parameter is the model."""
    return _bare(node, "model") and [name for name, _ in node.params] == ["model"]


def _bare(node: Node, role: kinds.Bare) -> bool:
    return node.kind in kinds.KINDS and node.step.bare == role


def is_default(node: Node) -> bool:
    """Return whether a node has its default name."""
    return node.name == kinds.default_name(node.kind, dict(node.params))


def step(node: Node) -> str:
    """Write a step: `mlp`, `map(crop)`, `split({"a": 0.9, "b": 0.1}, by="user")`."""
    if is_bare_model(node):
        return str(node["model"])
    return call(node.kind, [_argument(node, name, value) for name, value in _parameters(node)])


def call(name: str, arguments: Sequence[str]) -> str:
    return f"{name}({', '.join(arguments)})"


def shorthand(fork: Node, models: Sequence[str]) -> str:
    """Write a routing step with its models: `split(a=0.9, b=0.1)`, `switch(route, x=a, y=b)`."""
    given = dict(_parameters(fork))
    arms = given.pop(str(fork.step.arms))
    if not fork.step.weighed:
        written = [f"{arm}={model}" for arm, model in zip(arms, models, strict=True)]
        return call(fork.kind, [_argument(fork, *pair) for pair in given.items()] + written)
    written = [f"{arm}={_number(weight)}" for arm, weight in arms]
    return call(fork.kind, written + [_argument(fork, *pair) for pair in given.items()])


def reference(wire: Input) -> str:
    """Write an input: `digits["x"]`, `s.train`."""
    port = f".{wire.port}" if wire.port else ""
    return wire.node + port + select(wire)


def labelled(pairs: Iterable[tuple[str, str]]) -> str:
    """Write inputs with their keys: `{"key": a, "other": b}`."""
    return _dict((_text(key), written) for key, written in pairs)


def select(wire: Input) -> str:
    """Write the selection of an input: `["x"]`, `[["a", "b"]]`, `.drop("y")`, or nothing."""
    if wire.select is None:
        return ""
    if isinstance(wire.select, Drop):
        return call(".drop", list(map(_text, wire.select.names)))
    if isinstance(wire.select, str):
        return f"[{_text(wire.select)}]"
    return f"[[{', '.join(map(_text, wire.select))}]]"


def _parameters(node: Node) -> tuple[tuple[str, Any], ...]:
    """Return the parameters of a node, with `...` for each missing required parameter."""
    kind, given = kinds.KINDS.get(node.kind), dict(node.params)
    if kind is None:
        return node.params
    open_ = [param.name for param in kind.params if param.required and param.name not in given]
    return kinds.canonical(node.kind, {**given, **dict.fromkeys(open_, ...)})


def _argument(node: Node, name: str, value: Any) -> str:
    param = kinds.KINDS[node.kind].param(name) if node.kind in kinds.KINDS else None
    written = "..." if value is ... else _value(param, value)
    keyword = "by" if name == "by_function" else name
    in_place = param is not None and param.required and not param.keyword
    return written if in_place else f"{keyword}={written}"


def _value(param: kinds.Param | None, value: Any) -> str:
    if param is None:
        return repr(value)
    if param.form == "branches":
        if isinstance(value[0], str):
            return f"[{', '.join(map(_text, value))}]"
        return _dict((_text(arm), _number(weight)) for arm, weight in value)
    if param.form == "mapping":
        write = _text if param.names is None else str
        return _dict((_keys(keys), write(name)) for keys, name in value)
    if param.names is not None:
        return str(value)
    if isinstance(value, str):
        return _text(value)
    return _number(value) if param.form == "number" else repr(value)


def _dict(pairs: Any) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"


def _keys(keys: tuple[str, ...]) -> str:
    if len(keys) == 1:
        return _text(keys[0])
    return f"({', '.join(map(_text, keys))})"


def _number(value: float) -> str:
    return repr(float(value))


def _text(value: str) -> str:
    written = repr(str(value))
    plain = '"' not in value and "'" not in value
    return f'"{written[1:-1]}"' if plain else written
