"""The arguments of a step: names and literals."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from mmnotebook.graph import checks
from mmnotebook.graph.kinds import Param, StepKind
from mmnotebook.graph.names import Names, how_to_register
from mmnotebook.notation.log import LAMBDA, Log, is_gap, listed
from mmnotebook.steps import validation

_BIGGEST = 2**63


def _too_big(value: float) -> str:
    if value == math.inf:
        return "this number is infinity, which is not allowed here"
    return "this number is too large: it must be less than 2**63"


class NotRead(Exception):
    """A value could not be read; the log contains the problem."""


class Values:
    """A reader of the arguments of calls, which adds problems to a log.

    Parameters
    ----------
    names
        Lookup of names; None accepts every name.
    log
        Receives the problems.
    """

    def __init__(self, names: Names | None, log: Log) -> None:
        self._names = names
        self._log = log

    def refuse(self, node: ast.AST, message: str, **about: Any) -> NotRead:
        """Log a problem, and return an exception, which the caller may raise or ignore."""
        self._log.add(node, message, **about)
        return NotRead()

    def arguments(
        self, call: ast.Call, kind: StepKind, skip: frozenset[str] = frozenset()
    ) -> dict[str, Any] | None:
        """Read the arguments of a call, except those in `skip`; None if there is a problem."""
        values: dict[str, Any] = {}
        given: set[str] = set()
        broken = False
        for name, node in self._pairs(call, kind):
            if name in skip:
                continue
            if isinstance(node, ast.Name) and kind.param(f"{name}_function") is not None:
                name = f"{name}_function"  # by=f is a function, by="f" a field
            param = kind.param(name)
            try:
                if param is None:
                    raise self._unknown(node, name, kind)
                if name in given:
                    raise self.refuse(node, f"{kind.name} has two values for {name!r}")
                given.add(name)
                if is_gap(node):
                    self._left_open(node, param)
                    continue
                values[name] = self._value(node, param)
            except NotRead:
                broken = True
        if broken:
            self.check(call, kind, values)
        return None if broken else values

    def _left_open(self, node: ast.expr, param: Param) -> None:
        """Log a problem and raise NotRead for `...`, unless the text may be incomplete."""
        if not self._log.takes_gap(node, param.allowed, f"write {param.allowed}"):
            raise NotRead

    def check(self, call: ast.Call, kind: StepKind, values: Mapping[str, Any]) -> None:
        """Log the problems of the values of a call for which no node is created."""
        line, column = self._log.place(call)
        for problem in validation.value_problems(kind, values):
            self._log.problems.append(replace(problem, line=line, column=column))

    def _pairs(self, call: ast.Call, kind: StepKind) -> Iterator[tuple[str, ast.expr]]:
        for place, node in enumerate(call.args):
            yield (kind.placed[place] if place < len(kind.placed) else f"#{place + 1}"), node
        for keyword in call.keywords:
            yield keyword.arg or "**", keyword.value

    def _unknown(self, node: ast.expr, name: str, kind: StepKind) -> NotRead:
        known = kind.words
        called, remedy = repr(name), None
        if name.startswith("#"):
            called = f"number {name[1:]}"
            named = ", ".join(f"{word}=…" for word in known if word not in kind.placed)
            remedy = f"optional parameters are passed by name: {named}" if named else None
        return self.refuse(
            node,
            f"{kind.name} has no parameter {called}",
            allowed=", ".join(known) or "none",
            candidates=known,
            name=name,
            remedy=remedy,
        )

    def _value(self, node: ast.expr, param: Param) -> Any:
        if isinstance(node, ast.Lambda):
            raise self.refuse(node, "a lambda is not allowed here", remedy=LAMBDA)
        if isinstance(node, ast.Starred):
            raise self.refuse(node, "unpacking is not allowed here", allowed=param.allowed)
        readers: dict[str, Callable[[ast.expr], Any]] = {
            "by_function": self._by_function,
            "function": self.function,
            "transform": self.transform,
            "data": self.data,
            "model": self.model,
        }
        read = readers.get(param.name) or readers.get(str(param.names))
        if param.form == "branches":
            read = self._arms
        elif param.form == "mapping":
            read = self._pinned if param.names is None else self._keyed
        return read(node) if read else self.literal(node, param.allowed)

    def literal(self, node: ast.expr, allowed: str) -> Any:
        """Read a string, a number, True, False or None."""
        sign, inner = 1, node
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            sign, inner = -1, node.operand
        if isinstance(inner, ast.Constant):
            value = inner.value
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                if abs(value) < _BIGGEST:
                    return sign * value
                raise self.refuse(node, _too_big(value), allowed=allowed)
            if sign == 1 and (value is None or isinstance(value, (str, bool))):
                return value
        remedy = None
        if isinstance(inner, ast.Name):
            remedy = f'put a string in quotes: "{inner.id}"'
        raise self.refuse(node, "this is not a valid value here", allowed=allowed, remedy=remedy)

    def _identifier(self, node: ast.expr, what: str) -> str:
        if isinstance(node, ast.Name):
            return node.id
        remedy = None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            remedy = "write the name without quotes"
        raise self.refuse(node, f"not {what}", allowed=f"{what}, by its name", remedy=remedy)

    def _by_function(self, node: ast.expr) -> str:
        return self.function(node, f"put a field name in quotes: by={self._quoted(node)}")

    def _quoted(self, node: ast.expr) -> str:
        return f'"{self._log.found(node)}"'

    def function(self, node: ast.expr, remedy: str | None = None) -> str:
        """Read the name of a function; `remedy` is the remedy for a name that is not a function."""
        name = self._identifier(node, "a function")
        names = self._names
        if names is None or names.function(name) is not None:
            return name
        role = names.role(name)
        if role == "unregistered":
            raise self.unregistered(node, name)
        known = list(names.known("function"))
        message = "not a function"
        if role == "transform":
            message = f"{name!r} is a Beam transform, not a function"
            remedy = f"use it as a separate step: data | {name}"
        if role in ("model", "pipeline"):
            message = f"{name!r} is a {role}, not a function"
            remedy = f"use a {role} as a separate step: data | {name}"
        raise self.refuse(
            node,
            message,
            allowed=listed(known),
            candidates=known,
            name=name,
            remedy=remedy,
            unbound=role is None and names.useless(name) is None,
        )

    def transform(self, node: ast.expr) -> str:
        """Read the name of a Beam transform."""
        name = self._identifier(node, "a Beam transform")
        names = self._names
        role = None if names is None else names.role(name)
        if names is None or role == "transform":
            return name
        known = list(names.known("transform"))
        raise self.refuse(
            node,
            "not a Beam transform",
            allowed=listed(known),
            candidates=known,
            name=name,
            remedy=f"use it as a separate step: data | {name}" if role == "function" else None,
            unbound=role is None and names.useless(name) is None,
        )

    def model(self, node: ast.expr) -> str:
        """Read the name of a registered model."""
        name = self._identifier(node, "a model")
        names = self._names
        if names is None or name in names.models:
            return name
        if names.role(name) == "unregistered":
            raise self.unregistered(node, name)
        known = list(names.known("model"))
        message = "no model is registered under this name"
        raise self.refuse(node, message, allowed=listed(known), candidates=known, name=name)

    def data(self, node: ast.expr) -> str:
        """Read the name of data in the notebook."""
        name = self._identifier(node, "data")
        names = self._names
        if names is None or names.is_data(name):
            return name
        known = list(names.known("data"))
        raise self.refuse(
            node,
            f"{name!r} is not data that a pipeline can read",
            allowed=listed(known),
            candidates=known,
            name=name,
            unbound=names.role(name) is None and names.useless(name) is None,
        )

    def unregistered(self, node: ast.AST, name: str) -> NotRead:
        """Log that a model is used before it is registered, and return the exception to raise."""
        return self.refuse(
            node,
            f"{name!r} is a model that is not registered; it would be neither batched nor measured",
            allowed=listed(self._names.known("model")) if self._names else None,
            remedy=f"register it first: {how_to_register(name)}",
        )

    def _arms(self, node: ast.expr) -> tuple[Any, ...]:
        if isinstance(node, ast.Dict):
            fraction = "a fraction above 0"
            arms = tuple(
                (self._text(key, node), self.literal(value, fraction))
                for key, value in zip(node.keys, node.values, strict=True)
            )
            if not checks.is_weights(arms) and (found := checks.fractions(arms)) is not None:
                written = ", ".join(f'"{name}": {part}' for name, part in found.items())
                message, remedy = "the fractions do not add up to 1", f"did you mean {{{written}}}?"
                raise self.refuse(node, message, allowed=fraction, remedy=remedy)
            return arms
        if isinstance(node, (ast.List, ast.Tuple)):
            return tuple(self._text(item, node) for item in node.elts)
        raise self.refuse(
            node, "not the names of branches", allowed='{"a": 0.9, "b": 0.1} or ["a", "b"]'
        )

    def _text(self, node: ast.expr | None, within: ast.expr) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        raise self.refuse(node or within, "not a string in quotes", allowed='"a text"')

    def _key(self, node: ast.expr | None, within: ast.expr) -> str:
        """Read a key: a string, or a whole number, which becomes a string."""
        allowed = '"a string", or a whole number'
        value = None if node is None else self.literal(node, allowed)
        if isinstance(value, str) or type(value) is int:
            return str(value)
        raise self.refuse(node or within, "not a key", allowed=allowed)

    def _keyed(self, node: ast.expr) -> tuple[Any, ...]:
        return self._mapping(node, self.model, "a model for each key", "model")

    def _pinned(self, node: ast.expr) -> tuple[Any, ...]:
        def arm(value: ast.expr) -> str:
            return self._text(value, node)

        return self._mapping(node, arm, "a branch for each id", '"branch"')

    def _mapping(
        self, node: ast.expr, read: Callable[[ast.expr], str], what: str, to: str
    ) -> tuple[Any, ...]:
        if not isinstance(node, ast.Dict):
            allowed = f'{{"key": {to}, ("key", "other"): {to}}}'
            raise self.refuse(node, f"not {what}", allowed=allowed)
        pairs = []
        for key, value in zip(node.keys, node.values, strict=True):
            several = key.elts if isinstance(key, (ast.Tuple, ast.List)) else [key]
            pairs.append((tuple(self._key(item, node) for item in several), read(value)))
        return tuple(pairs)
