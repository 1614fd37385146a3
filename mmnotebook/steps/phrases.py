"""One step, one input as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mmnotebook.graph import kinds
from mmnotebook.graph.graph import Input, Node
from mmnotebook.graph.selecting import Drop

_IN_PLACE = ("data", "path", "model", "function", "arms", "small", "big", "models")
_NAMES = ("data", "model", "function", "small", "big", "default", "score", "by_function")


def is_bare(node: Node) -> bool:
    """Is it a source that its name alone says everything of?"""
    return node.kind == "source" and node.params == (("data", node.name),)


def is_bare_model(node: Node) -> bool:
    """Is it a model of which only the name is said?"""
    return node.kind == "model" and [name for name, _ in node.params] == ["model"]


def is_default(node: Node) -> bool:
    """Is it called what it would be called anyway?"""
    return node.name == kinds.default_name(node.kind, dict(node.params))


def step(node: Node) -> str:
    """`mlp`, `map(crop)`, `split({"a": 0.9, "b": 0.1}, by="user")`."""
    if is_bare_model(node):
        return str(node["model"])
    return call(node.kind, [_argument(name, value) for name, value in _parameters(node)])


def call(name: str, arguments: Sequence[str]) -> str:
    return f"{name}({', '.join(arguments)})"


def shorthand(fork: Node, models: Sequence[str]) -> str:
    """`split(a=0.9, b=0.1)` or `switch(route, cheap=a, costly=b)`."""
    given = dict(_parameters(fork))
    arms = given.pop("arms")
    if fork.kind == "switch":
        written = [f"{arm}={model}" for arm, model in zip(arms, models, strict=True)]
        return call(fork.kind, [_argument(*pair) for pair in given.items()] + written)
    written = [f"{arm}={_number(weight)}" for arm, weight in arms]
    return call(fork.kind, written + [_argument(*pair) for pair in given.items()])


def reference(wire: Input) -> str:
    """`digits["x"]`, `s.train`."""
    port = f".{wire.port}" if wire.port else ""
    return wire.node + port + select(wire)


def labelled(pairs: Iterable[tuple[str, str]]) -> str:
    """`{"key": a, "other": b}`."""
    return _dict((_text(key), written) for key, written in pairs)


def select(wire: Input) -> str:
    """`["x"]`, `[["a", "b"]]`, `.drop("y")`, or nothing."""
    if wire.select is None:
        return ""
    if isinstance(wire.select, Drop):
        return call(".drop", list(map(_text, wire.select.names)))
    if isinstance(wire.select, str):
        return f"[{_text(wire.select)}]"
    return f"[[{', '.join(map(_text, wire.select))}]]"


def _parameters(node: Node) -> tuple[tuple[str, Any], ...]:
    """Its parameters, `...` for those that it needs and that are not there yet."""
    kind, given = kinds.KINDS.get(node.kind), dict(node.params)
    if kind is None:
        return node.params
    open_ = [param.name for param in kind.params if param.required and param.name not in given]
    return kinds.canonical(node.kind, {**given, **dict.fromkeys(open_, ...)})


def _argument(name: str, value: Any) -> str:
    written = _value(name, value)
    keyword = "by" if name == "by_function" else name
    return written if name in _IN_PLACE else f"{keyword}={written}"


def _value(name: str, value: Any) -> str:
    if value is ...:
        return "..."
    if name in _NAMES:
        return str(value)
    if name == "arms":
        if isinstance(value[0], str):
            return f"[{', '.join(map(_text, value))}]"
        return _dict((_text(arm), _number(weight)) for arm, weight in value)
    if name == "models":
        return _dict((_keys(keys), model) for keys, model in value)
    if name == "pin":
        return _dict((_keys(keys), _text(arm)) for keys, arm in value)
    if isinstance(value, str):
        return _text(value)
    return _number(value) if name == "below" else repr(value)


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
