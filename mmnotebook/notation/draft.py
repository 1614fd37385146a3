"""The graph that is built while a text is read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from mmnotebook.errors import Problem
from mmnotebook.graph import kinds
from mmnotebook.graph.graph import Graph, Group, Input, Node
from mmnotebook.graph.names import Names
from mmnotebook.notation.inlining import Inlining, NotTakenIn
from mmnotebook.notation.log import Log
from mmnotebook.notation.meanings import Clash, Meanings
from mmnotebook.notation.terms import BROKEN, Ends
from mmnotebook.steps import field_flow, validation

_MIXED = "some of these outputs are joined and others are in a union"


class GraphDraft:
    """The nodes and groups that have been read so far; problems are added to a log.

    Parameters
    ----------
    names
        Lookup of bare names; None for no lookup.
    log
        Receives the problems.

    Attributes
    ----------
    lines
        The names of all lines, with their line numbers. Other nodes may not have these names.
    nodes, groups
        The nodes and groups by name.
    """

    def __init__(self, names: Names | None, log: Log) -> None:
        self.lines: dict[str, int] = {}
        self.nodes: dict[str, Node] = {}
        self.groups: dict[str, Group] = {}
        self._log, self._names = log, names
        self._places: dict[str, ast.AST] = {}
        self._tainted: set[str] = set()
        self._starts: dict[Node, str] = {}
        self._heads: dict[str, Ends] = {}
        self._own: dict[Node, None] = {}
        self._reserved: set[str] = set()
        self._taken: dict[str, ast.AST] = {}
        self._meanings = Meanings(names or Names({}, {}, {}))

    def add(self, at: ast.AST, content: Node, upstream: Ends | None, name: str | None) -> Ends:
        """Add a node with this content, named after its line or kind; add equal sources once."""
        self._own[content] = None
        if upstream is None and name is None:
            return Ends((Input(self._start(at, content)),))
        into = upstream or Ends()
        broken = into.broken or self.is_mixed(at, into)
        new = name or self._free(_wanted(content))
        self._put(at, replace(content, name=new, inputs=into.wires, gather=into.gather))
        if broken:
            self._tainted.add(new)
        return Ends((Input(new),))

    def take(
        self, at: ast.AST, called: str, pipeline: Graph, upstream: Ends | None, name: str | None
    ) -> Ends:
        """Copy a pipeline into this graph; copy it only once if it starts several lines."""
        if upstream is None and name is None and called in self._heads:
            return self._heads[called]
        if upstream is not None and (upstream.broken or self.is_mixed(at, upstream)):
            return BROKEN
        try:
            source = partial(self._start, at)
            part = Inlining(called, pipeline, upstream, name, self._reserve, source).part
        except NotTakenIn as error:
            self._log.add(at, error.message, allowed=error.allowed, remedy=error.remedy)
            return BROKEN
        for node in part.nodes:
            self._put(at, node)
        for group in part.groups:
            self.add_group(at, group)
        self._taken.setdefault(called, at)
        stay = [node for node in pipeline if upstream is None or node.inputs]
        for clash in self._meanings.take(called, pipeline, stay):
            self._clash(at, clash)
        if upstream is None:
            self._heads.setdefault(called, part.ends)
        return part.ends

    def add_group(self, at: ast.AST, group: Group) -> None:
        self.groups[group.name] = group
        self._places[group.name] = at

    def is_mixed(self, at: ast.AST, ends: Ends) -> bool:
        """Return whether some outputs are joined and others are in a union; log a problem if so."""
        if ends.mixed:
            remedy = "put a step after the inner ones, or put them on a separate line"
            self._log.add(at, _MIXED, allowed="[a, b] or {a, b}", remedy=remedy)
        return ends.mixed

    def graph(self) -> Graph:
        """Return the graph of all added nodes and groups, and log its problems."""
        for clash in self._meanings.own(self._own):
            self._clash(self._taken[clash.pipeline], clash)
        nodes, groups = tuple(self.nodes.values()), tuple(self.groups.values())
        brought = self._meanings
        graph = Graph(nodes, groups, brought.bindings, tuple(brought.pipelines))
        self._log.problems.extend(self._checked(graph))
        return graph

    def _checked(self, graph: Graph) -> Iterator[Problem]:
        """Yield the problems of a graph with positions; of broken nodes, only of parameters."""
        found = [p for p in validation.problems(graph) if p.node not in self._tainted]
        for name in self._tainted:
            found += validation.parameter_problems(graph[name])
        if not found and not self._log.problems and not self._log.incomplete:
            found = self._unknown_fields(graph)
        for problem in found:
            line, column = self._log.place(self._places[problem.node or ""])
            yield replace(problem, line=line, column=column)

    def _unknown_fields(self, graph: Graph) -> list[Problem]:
        if self._names is None:
            return []
        return field_flow.problems(
            graph, field_flow.of_notebook(graph, self._names), self._names.models
        )

    def _clash(self, at: ast.AST, clash: Clash) -> None:
        allowed = f"one meaning of {clash.name}"
        self._log.add(at, clash.message, allowed=allowed, remedy=clash.remedy)

    def _start(self, at: ast.AST, content: Node) -> str:
        """Return the name of the source with this content; add the source if there is none."""
        key = replace(content, name="")
        if key not in self._starts:
            self._starts[key] = self._free(_wanted(key))
            self._put(at, replace(key, name=self._starts[key]))
        return self._starts[key]

    def _put(self, at: ast.AST, node: Node) -> None:
        self.nodes[node.name] = node
        self._places[node.name] = at

    def _reserve(self, name: str) -> str:
        free = self._free(name)
        self._reserved.add(free)
        return free

    def _free(self, name: str) -> str:
        count, free = 1, name
        while any(free in names for names in (self.nodes, self.groups, self.lines, self._reserved)):
            count += 1
            free = f"{name}_{count}"
        return free


def _wanted(content: Node) -> str:
    return kinds.default_name(content.kind, dict(content.params))
