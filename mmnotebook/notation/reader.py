"""Conversion of the syntax tree of a text to nodes and groups."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mmnotebook.graph import kinds
from mmnotebook.graph.graph import Gather, Graph, Group, Input, Node
from mmnotebook.graph.names import Names
from mmnotebook.notation.draft import GraphDraft
from mmnotebook.notation.log import Log, is_gap, listed
from mmnotebook.notation.terms import BROKEN, Ends, pieces, select_of, selected_of, together
from mmnotebook.notation.words import Words

_SELECT = 'one field, ["x"], several, [["x", "y"]], or all but some, .drop("x")'
_DROP = '.drop("field", "other")'


class NotationReader:
    """A reader of the lines of one text, in order, which adds problems to a log.

    Parameters
    ----------
    names
        Lookup of bare names. If None, a name at the start of a line is data, and a name after a `|`
        is a model.
    log
        Receives the problems.
    """

    def __init__(self, names: Names | None, log: Log) -> None:
        self._log = log
        self._draft = GraphDraft(names, log)
        self._nodes, self._groups = self._draft.nodes, self._draft.groups
        self._read: set[str] = set()
        self._failed: set[str] = set()
        self._words = Words(names, log, self._draft.lines, self._nodes)

    def read(self, tree: ast.Module) -> Graph:
        """Convert a syntax tree to a graph; the graph is incomplete if the log has problems."""
        lines = [self._line_parts(statement) for statement in tree.body]
        for target, _ in lines:
            if target is not None:
                self._draft.lines.setdefault(target.id, target.lineno)
        for target, value in lines:
            if value is not None:
                self._line(target, value)
        return self._draft.graph()

    def _line_parts(self, statement: ast.stmt) -> tuple[ast.Name | None, ast.expr | None]:
        if isinstance(statement, ast.Expr):
            return None, statement.value
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name):
                return target, statement.value
        allowed = "name = data | step | step"
        self._log.add(statement, "not a pipeline's line", allowed=allowed)
        return None, None

    def _line(self, target: ast.Name | None, value: ast.expr) -> None:
        name = target.id if target else None
        if target and target.id in self._read:
            self._log.add(target, "an earlier line already has this name", allowed="each name once")
            name = None
        ends = self._expression(value, name)
        if not ends.broken:
            ends = self._ended(value, ends)
        if target and name and name not in self._nodes:
            self._group(target, value, ends)
        self._read.update([target.id] if target else [])

    def _ended(self, value: ast.expr, ends: Ends) -> Ends:
        """Return `ends` if a line may end with these outputs; otherwise log a problem.

        If there is a problem, the result is `BROKEN`.
        """
        last = pieces(value)[-1]
        if any(wire.select is not None for wire in ends.wires):
            message = "a field is selected, but no step follows"
            self._log.add(last, message, allowed='data["x"] | step')
        elif any(wire.port is not None for wire in ends.wires):
            message = "a branch is selected, but no step follows"
            remedy = "a name refers to a whole step; select the branch where you use it"
            self._log.add(last, message, allowed="s.branch | step", remedy=remedy)
        elif any(wire.label is not None for wire in ends.wires):
            message = "an output has a key, but no step follows"
            self._log.add(last, message, allowed='{"key": a, "other": b} | step')
        elif not ends.wires:
            self._log.add(last, "a step is missing here", allowed="... | step")
        else:
            return ends
        return BROKEN

    def _group(self, target: ast.Name, value: ast.expr, ends: Ends) -> None:
        """Add a group for the members of a list; log a problem for a second name of one step."""
        name = target.id
        known = isinstance(value, ast.Name) and (
            value.id in self._nodes or value.id in self._groups
        )
        if not ends.broken and isinstance(value, ast.Name) and known:
            remedy = f"use {value.id} where you would use {name}, or put a step after it"
            message = f"{name!r} would be a second name for {value.id!r}"
            self._log.add(value, message, allowed="data | step, or a list", remedy=remedy)
        elif not ends.broken and not self._draft.is_mixed(value, ends):
            members = tuple(wire.node for wire in ends.wires)
            self._draft.add_group(target, Group(name, members, ends.gather or "join"))
            return
        self._failed.add(name)

    def _expression(self, value: ast.expr, name: str | None) -> Ends:
        first, *rest = pieces(value)
        return self._chain(rest, self._head(first, None if rest else name), name)

    def _chain(self, parts: Sequence[ast.expr], ends: Ends, name: str | None) -> Ends:
        for place, part in enumerate(parts, 1):
            ends = self._step(part, ends, name if place == len(parts) else None)
        return ends

    def _head(self, node: ast.expr, name: str | None) -> Ends:
        inner, select = self._peeled(node)
        if isinstance(inner, ast.Name):
            ends = self._named(inner, name if inner is node else None)
        elif isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
            ends = self._port(inner, inner.value)
        elif isinstance(inner, (ast.List, ast.Set)) and inner.elts:
            gather: Gather = "join" if isinstance(inner, ast.List) else "union"
            ends = together([self._expression(item, None) for item in inner.elts], gather)
        elif isinstance(inner, ast.Dict) and inner.keys:
            ends = self._labelled(inner, lambda item: self._expression(item, None))
        elif isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.BitOr):
            ends = self._expression(inner, name)
        elif isinstance(inner, ast.Call):
            ends = self._call(inner, None, name)
        elif is_gap(inner):
            allowed = self._words.heads()
            open_ = self._log.takes_gap(inner, allowed, "write the input: data | step")
            ends = Ends() if open_ else BROKEN
        else:
            self._words.not_a_head(inner)
            ends = BROKEN
        return self._selected(node, ends, select)

    def _step(self, node: ast.expr, upstream: Ends, name: str | None) -> Ends:
        inner, select = self._peeled(node)
        if isinstance(inner, ast.Name):
            ends = self._bare(inner, upstream, name)
        elif isinstance(inner, ast.Call):
            ends = self._call(inner, upstream, name)
        elif isinstance(inner, ast.List) and inner.elts:
            members = [self._chain(pieces(item), upstream, None) for item in inner.elts]
            ends = together(members, "join")
        elif isinstance(inner, ast.Dict) and inner.keys:
            ends = self._labelled(inner, lambda item: self._chain(pieces(item), upstream, None))
        elif isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.BitOr):
            ends = self._chain(pieces(inner), upstream, name)
        else:
            self._words.not_a_step(inner)
            ends = BROKEN
        return self._selected(node, ends, select)

    def _labelled(self, node: ast.Dict, read: Callable[[ast.expr], Ends]) -> Ends:
        """Read `{"key": a, "other": b}`: outputs that are joined under these keys."""
        members = []
        for key, value in zip(node.keys, node.values, strict=True):
            ends = read(value)
            if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                self._log.add(key or node, "not a key", allowed='{"key": a, "other": b}')
                ends = BROKEN
            elif not ends.broken and len(ends.wires) != 1:
                self._log.add(value, "several outputs under one key", allowed="one output")
                ends = BROKEN
            else:
                wires = tuple(wire.labelled(key.value) for wire in ends.wires)
                ends = replace(ends, wires=wires)
            members.append(ends)
        return together(members, "join")

    def _peeled(self, node: ast.expr) -> tuple[ast.expr, ast.expr | None]:
        """Return a term without its `[…]` or `.drop(…)`, and the whole term if it has either."""
        inner, depth = node, 0
        while (within := selected_of(inner)) is not None:
            inner, depth = within, depth + 1
        if depth > 1:
            self._log.add(node, "a field of a field cannot be selected", allowed=_SELECT)
        return inner, node if depth else None

    def _selected(self, node: ast.expr, ends: Ends, select: ast.expr | None) -> Ends:
        if select is None or ends.broken:
            return ends
        field = select_of(select)
        if field is None:
            self._not_a_field(select)
        elif any(wire.select is not None for wire in ends.wires):
            self._log.add(node, "a field of a field cannot be selected", allowed=_SELECT)
        else:
            return replace(ends, wires=tuple(replace(w, select=field) for w in ends.wires))
        return BROKEN

    def _not_a_field(self, select: ast.expr) -> None:
        if isinstance(select, ast.Subscript):
            given = select.slice
            number = given.value if isinstance(given, ast.Constant) else None
            whole = isinstance(number, int)
            message = "field names are strings, even those of numbered columns" if whole else ""
            allowed = f'["{number!r}"], or {_SELECT}' if whole else _SELECT
            remedy = None if whole else self._words.how_to_select(select)
            self._log.add(given, message or "not a field", allowed=allowed, remedy=remedy)
        else:
            self._log.add(select, "drop takes field names, in quotes", allowed=_DROP)

    def _named(self, node: ast.Name, name: str | None) -> Ends:
        """Read a bare name at the start of a line."""
        known = node.id
        if known in self._nodes:
            return Ends((Input(known),))
        if known in self._groups:
            group = self._groups[known]
            return Ends(tuple(map(Input, group.members)), group.gather)
        if known in self._failed or not self._words.starts(node):
            return BROKEN
        pipeline = self._words.pipeline(known)
        if pipeline is not None:
            return self._draft.take(node, known, pipeline, None, name)
        return self._make(node, *kinds.bare_step("data", known), None, name)

    def _port(self, node: ast.Attribute, owner: ast.Name) -> Ends:
        if owner.id in self._nodes:
            return Ends((Input(owner.id, node.attr),))
        if owner.id not in self._failed:
            forks = [name for name, split in self._nodes.items() if split.arms]
            message = f"{owner.id!r} is not a split or switch of an earlier line"
            remedy = self._words.no_output(node, owner.id)
            self._log.add(
                node, message, allowed=listed(forks), candidates=forks, name=owner.id, remedy=remedy
            )
        return BROKEN

    def _bare(self, node: ast.Name, upstream: Ends, name: str | None) -> Ends:
        pipeline = self._words.pipeline(node.id)
        if pipeline is not None:
            return self._draft.take(node, node.id, pipeline, upstream, name)
        found = self._words.step(node)
        if found is None:
            if self._words.role(node.id) is None:
                self._failed.add(node.id)
            return BROKEN
        kind, params = found
        return self._make(node, kind, params, upstream, name)

    def _call(self, call: ast.Call, upstream: Ends | None, name: str | None) -> Ends:
        kind = self._words.kind(call, starts=upstream is None)
        if kind is None:
            return BROKEN
        known = {param.name for param in kind.params}
        if kind.arms and any(keyword.arg not in known for keyword in call.keywords):
            return self._fork(call, kind, upstream)
        values = self._words.values.arguments(call, kind)
        return BROKEN if values is None else self._make(call, kind.name, values, upstream, name)

    def _fork(self, call: ast.Call, kind: kinds.StepKind, upstream: Ends | None) -> Ends:
        """Read `split(a=0.9, b=0.1)` or `switch(f, a=step, b=step)`: branches and their steps."""
        known = {param.name for param in kind.params}
        arms = [keyword for keyword in call.keywords if keyword.arg not in known]
        values = self._words.values.arguments(call, kind, frozenset(str(a.arg) for a in arms))
        weighed = self._words.arms(call, kind, arms)
        fork = BROKEN
        if values is not None and weighed is not None:
            fork = self._make(call, kind.name, {**values, str(kind.arms): weighed}, upstream, None)
        else:
            read = {**(values or {}), str(kind.arms): weighed}
            if weighed is None:  # the problem is already in the log
                del read[str(kind.arms)]
            self._words.values.check(call, kind, read)
        return together([self._arm(kind, arm, fork) for arm in arms], "union")

    def _arm(self, kind: kinds.StepKind, arm: ast.keyword, fork: Ends) -> Ends:
        into = replace(fork, wires=tuple(replace(wire, port=arm.arg) for wire in fork.wires))
        if not kind.weighed:
            return self._chain(pieces(arm.value), into, None)
        pipeline = self._words.pipeline(str(arm.arg))
        if pipeline is not None:
            return self._draft.take(arm, str(arm.arg), pipeline, into, None)
        found = self._words.arm(arm)
        return self._make(arm, *found, into, None) if found else BROKEN

    def _make(
        self,
        at: ast.AST,
        kind: str,
        params: dict[str, Any],
        upstream: Ends | None,
        name: str | None,
    ) -> Ends:
        return self._draft.add(at, Node("", kind, tuple(params.items())), upstream, name)
