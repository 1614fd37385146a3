"""Lookup of bare names, and messages about unknown names."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from mmnotebook.graph.graph import Graph, Node
from mmnotebook.graph.kinds import KINDS, StepKind, bare_step
from mmnotebook.graph.names import Names, Role, how_to_register
from mmnotebook.notation.log import LAMBDA, Log, is_gap, listed
from mmnotebook.notation.values import NotRead, Values
from mmnotebook.notebook_state import shell

Step = tuple[str, dict[str, Any]]

DATA = (
    "a DataFrame, Series, list, tuple, range, numpy array, torch tensor, dict of columns, "
    "generator, data set of `datasets`, PCollection, path, glob, or a Beam transform that reads"
)
_STEPS: tuple[Role, ...] = ("function", "transform", "pipeline")
_PORTS = 'for branches without steps, write split({"train": 0.9, "test": 0.1})'


class Words:
    """Lookup of bare names and of the names of calls, which adds problems to a log.

    Parameters
    ----------
    names
        Lookup of names. If None, every name is valid and gets a role that its place allows.
    log
        Receives the problems.
    lines
        The names of all lines and their line numbers.
    nodes
        The nodes that have been read so far; the reader adds to them.
    """

    def __init__(
        self, names: Names | None, log: Log, lines: Mapping[str, int], nodes: Mapping[str, Node]
    ) -> None:
        self._names = names
        self._log = log
        self._lines = lines
        self._nodes = nodes
        self.values = Values(names, log)

    def role(self, name: str) -> str | None:
        return None if self._names is None else self._names.role(name)

    def pipeline(self, name: str) -> Graph | None:
        """Return the pipeline with this name; None if the name refers to anything else."""
        if self._names is None or self.role(name) != "pipeline":
            return None
        found: Graph = self._names.object(name)
        return found

    def starts(self, node: ast.Name) -> bool:
        """Return whether a name can start a line; log a problem if it cannot start a line."""
        name, role = node.id, self.role(node.id)
        if name in self._lines:
            above = "a line can only use names from earlier lines"
            if self._lines[name] == node.lineno:
                message, remedy = f"{name!r} is the name of this line itself", "rename the line"
            else:
                message = f"{name!r} is a later line, line {self._lines[name]}; {above}"
                remedy = f"move that line up, or write source({name}) for data with that name"
            self._log.add(node, message, allowed=listed(self._nodes), remedy=remedy)
        elif role in ("model", "unregistered"):
            message, remedy = "a model cannot start a line; it needs an input", f"data | {name}"
            if self._names is not None and self._names.is_data(name):
                remedy = f"for the data with that name, write source({name})"
            self._log.add(node, message, allowed=self.heads(), remedy=remedy)
        elif role == "function":
            message, remedy = "a function cannot start a line; it needs an input", f"data | {name}"
            self._log.add(node, message, allowed=self.heads(), remedy=remedy)
        elif role is None and self._names is not None:
            self._unknown_data(node, self._names)
        else:
            return True
        return False

    def _unknown_data(self, node: ast.Name, names: Names) -> None:
        message, remedy = "nothing is defined with this name", None
        known = [*self._nodes, *names.known("data", "pipeline")]
        useless = names.useless(node.id)
        if useless is not None:
            message, known = f"{node.id!r} is {useless}, which is not data", []
            remedy = f"data is {DATA}"
            if names.has_items(node.id):
                remedy = f"{node.id} = list({node.id}); {remedy}"
        self._log.add(
            node,
            message,
            allowed=self.heads(),
            candidates=known,
            name=node.id,
            remedy=remedy,
            unbound=useless is None,
        )

    def heads(self) -> str:
        """List the names that may start a line."""
        data = self._names.known("data", "pipeline") if self._names else ()
        return listed([*self._nodes, *data])

    def step(self, node: ast.Name) -> Step | None:
        """Return the step of a bare name after a `|`: a model or a map; None for a problem."""
        name, names = node.id, self._names
        if names is None or name in names.models:
            return bare_step("model", name)
        role = names.role(name)
        if role is None and name not in KINDS and names.function(name) is not None:
            role = "function"
        if role == "unregistered":
            self.values.unregistered(node, name)
        elif role == "function" and isinstance(names.function(name), type):
            remedy = f"map({name}) calls it for each value; for a model, register an instance"
            self._log.add(
                node, f"{name!r} is a class", allowed="a model, a function", remedy=remedy
            )
        elif role in ("function", "transform"):
            return bare_step("function" if role == "function" else "transform", name)
        elif role == "data" or name in self._nodes or name in self._lines:
            message = f"{name!r} can only start a line"
            remedy = f"{name} | step, or [{name}, other] | step to combine several"
            self._log.add(node, message, allowed=self._steps(names), remedy=remedy)
        else:
            self._unknown_step(node, names)
        return None

    def _steps(self, names: Names) -> str:
        return listed(names.known("model", *_STEPS)) + "; " + listed(KINDS)

    def _unknown_step(self, node: ast.Name, names: Names) -> None:
        kinds = {kind.name: signature(kind) for kind in KINDS.values() if kind.inputs != "none"}
        if node.id in kinds:
            remedy = f"write {signature(KINDS[node.id], optional=False)}"
            message = f"{node.id!r} needs parentheses"
            self._log.add(node, message, allowed=kinds[node.id], remedy=remedy)
            return
        known = [*names.known("model"), *names.known(*_STEPS), *kinds]
        message = "no model or function with this name"
        useless = names.useless(node.id)
        if useless is not None:
            message, known = f"{node.id!r} is {useless}, neither a model nor a function", []
        self._log.add(
            node,
            message,
            allowed=self._steps(names),
            candidates=known,
            name=node.id,
            unbound=useless is None,
        )

    def kind(self, call: ast.Call, starts: bool) -> StepKind | None:
        """Return the step kind that a call names, or log a problem and return None.

        `starts` is true for a call at the start of a line.
        """
        name = call.func.id if isinstance(call.func, ast.Name) else None
        if name is not None and name in KINDS:
            return KINDS[name]
        remedy = None
        if name is not None and self.role(name) in ("model", *_STEPS):
            written = f"map({name})" if self.role(name) == "function" else name
            remedy = f"{name} takes no arguments here: write data | {written}"
        elif name is None:
            remedy = self.first(call) if starts else self._called(call)
        self._log.add(
            call,
            "no such step" if name else "a call is not allowed here",
            allowed=listed(KINDS),
            candidates=() if remedy else KINDS,
            name=name,
            remedy=remedy,
        )
        return None

    def first(self, node: ast.expr | None) -> str:
        """Return the remedy for a Python expression at a line's start: assign it to a name."""
        free, count = "few", 1
        while free in self._lines or self.role(free) is not None:
            count += 1
            free = f"few_{count}"
        text = None if node is None else self._log.whole(node)
        made = f"{free} = {text}" if text else f"give it a name, {free} = ...,"
        if shell() is not None:
            return f"{made} in a separate cell, then {free} | step"
        return f'{made} first, then mm.pipeline("{free} | step", {free}={free})'

    def how_to_select(self, term: ast.Subscript) -> str | None:
        """Return the remedy for text in brackets that is not a field, if there is one."""
        inside = term.slice
        if isinstance(inside, ast.Name):
            return f'put a field name in quotes: ["{inside.id}"]'
        if isinstance(inside, ast.Tuple):
            return (
                f"several fields are a list: [[{(self._log.whole(inside) or '...').strip('()')}]]"
            )
        if isinstance(inside, (ast.Constant, ast.List)):
            return None
        data = isinstance(term.value, ast.Name) and self.role(term.value.id) == "data"
        return self.first(term) if data else None

    def _called(self, call: ast.Call) -> str:
        """Return the remedy for a call after a `|` that is not the call of a step kind."""
        if isinstance(call.func, ast.Attribute) and (method := self._method(call.func)):
            return method
        return "define a function that does this, def f(value): ..., and write | f"

    def _method(self, node: ast.Attribute) -> str | None:
        """Return the remedy for a call of a model's method; None if the owner is not a model."""
        owner = node.value.id if isinstance(node.value, ast.Name) else None
        if owner is None or self._names is None:
            return None
        target = self._names.target(owner)
        if self.role(owner) == "model":
            remedy = f"| {owner} calls it"
            if target is not None and not node.attr.startswith("_"):
                remedy += f"; by another method: {how_to_register(owner, node.attr)}"
            return remedy
        if self.role(owner) == "unregistered":
            return f"register it first: {how_to_register(owner)}; then | {owner}"
        return None

    def no_output(self, node: ast.Attribute, owner: str) -> str | None:
        """Return the remedy for `name.attribute` at a line's start if `name` has no branches."""
        role = self.role(owner)
        if role in ("data", "transform"):
            fields = getattr(self._names.object(owner), "columns", ()) if self._names else ()
            is_field = isinstance(node.attr, str) and node.attr in fields
            return f'select a field with {owner}["{node.attr}"]' if is_field else self.first(None)
        if role == "model":
            return f"a model cannot start a line: data | {owner}"
        return self._method(node) or (self.first(node) if role is not None else None)

    def arms(
        self, call: ast.Call, kind: StepKind, arms: Sequence[ast.keyword]
    ) -> tuple[Any, ...] | None:
        """Return the branches in a call's keywords, with a split's weights; None for a problem."""
        place = [param.name for param in kind.params].index(str(kind.arms))
        if len(call.args) > place or any(word.arg == kind.arms for word in call.keywords):
            given = ", ".join(str(arm.arg) for arm in arms)
            message = f"the branches are given twice: in one value, and as {given}"
            self._log.add(call, message, allowed=", ".join(kind.words))
            return None
        weighed: list[Any] = []
        broken = False
        for arm in arms:
            weight = self._weight(arm, kind) if kind.weighed else arm.arg
            broken = broken or weight is None or arm.arg is None
            weighed.append((arm.arg, weight) if kind.weighed else arm.arg)
        return None if broken else tuple(weighed)

    def _weight(self, arm: ast.keyword, kind: StepKind) -> Any:
        try:
            weight = self.values.literal(arm.value, "a fraction above 0")
        except NotRead:
            return None
        if isinstance(weight, (int, float)) and not isinstance(weight, bool):
            return weight
        known = kind.words
        self._log.add(
            arm,
            f"{arm.arg!r} is not a parameter of {kind.name}, and as a branch it needs a fraction",
            allowed="a fraction above 0, or " + ", ".join(known),
            candidates=known,
            name=str(arm.arg),
        )
        return None

    def arm(self, arm: ast.keyword) -> Step | None:
        """Return the step after a branch of a split: the step with the name of the branch."""
        name, names = str(arm.arg), self._names
        if not isinstance(arm.value, ast.Constant) or isinstance(arm.value.value, str):
            return None  # not a branch: `arms` logged it
        if names is None or name in names.models:
            return bare_step("model", name)
        role = names.role(name)
        if role == "function" and not isinstance(names.function(name), type):
            return bare_step("function", name)
        if role == "unregistered":
            self.values.unregistered(arm, name)
            return None
        known = [*names.known("model"), *names.known("function")]
        self._log.add(
            arm,
            f"the branch {name!r} leads to the step with this name, but there is no such step",
            allowed=listed(known),
            candidates=known,
            name=name,
            remedy=_PORTS,
            unbound=role is None,
        )
        return None

    def not_a_head(self, node: ast.expr) -> None:
        """Log what is wrong with an expression at the start of a line."""
        remedy = None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            remedy = f"to read files, write read({self._log.found(node)})"
        elif isinstance(node, ast.Lambda):
            remedy = LAMBDA
        allowed = 'data, the name of an earlier line, s.branch, read("path"), [a, b], {a, b}'
        self._log.add(node, "this cannot start a line", allowed=allowed, remedy=remedy)

    def not_a_step(self, node: ast.expr) -> None:
        """Log what is wrong with an expression after a `|`."""
        message, remedy = "this cannot be a step", None
        if isinstance(node, ast.Lambda):
            message, remedy = "a lambda cannot be a step", LAMBDA
        elif isinstance(node, ast.Set):
            remedy = "write a list for several steps: data | [a, b]; a set can only start a line"
        elif is_gap(node):
            remedy = "'...' is allowed at the start of a line, and in parentheses"
        elif isinstance(node, ast.Attribute):
            message, remedy = self._attribute(node)
        allowed = "a model, a function, a list of steps, or " + listed(KINDS)
        self._log.add(node, message, allowed=allowed, remedy=remedy)

    def _exists(self, name: str) -> bool:
        """Return whether an object of any kind has this name."""
        if self._names is None:
            return False
        return self.role(name) is not None or self._names.useless(name) is not None

    def _attribute(self, node: ast.Attribute) -> tuple[str, str | None]:
        """Return what is wrong with `name.attribute` after a `|`, and the remedy."""
        owner = node.value.id if isinstance(node.value, ast.Name) else None
        if owner in self._nodes or (owner is not None and not self._exists(owner)):
            return "a branch can only start a line", f"{self._log.found(node)} | step"
        method = self._method(node)
        if method is not None:
            return "a method cannot be a step", method
        text, free = self._log.whole(node) or "...", node.attr
        if self.role(free) is not None or free in KINDS or free in self._lines:
            free = f"{free}_2"
        return "an attribute cannot be a step", f"{free} = {text} first, then | {free}"


def signature(kind: StepKind, optional: bool = True) -> str:
    """Return the signature of a step kind, such as `cascade(small, big, below, score=…)`."""
    given = [word if word in kind.placed else f"{word}=…" for word in kind.words]
    return f"{kind.name}({', '.join(given if optional else kind.placed)})"
