"""The lines of the canonical text of a graph, and the nodes that share a line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from mmnotebook.graph import kinds
from mmnotebook.graph.graph import Graph, Input, Node
from mmnotebook.steps.phrases import is_bare, is_bare_model, is_default

Names = tuple[str, ...]


@dataclass(frozen=True)
class LineEnd:
    """The nodes that end a line together: one step, or the members of a list.

    Attributes
    ----------
    members
        The names of the nodes.
    fork
        The split or switch that is their input, if it is written in short form.
    group
        The name of the line, if it names a group.
    """

    members: Names
    fork: str | None = None
    group: str | None = None


class Layout:
    """The layout of a text: which nodes are written in short form, in a list, or inside a line.

    A node is inside a line if nothing outside that line refers to the node: the node has its
    default name, is in no group, and all steps that use its output follow on that line. The layout
    does not depend on the order of the nodes: a graph that is parsed from its text has the same
    text.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.order = graph.order()
        self._place = {node.name: place for place, node in enumerate(self.order)}
        self.groups = sorted(graph.groups, key=lambda group: group.name)
        self._grouped = {member for group in graph.groups for member in group.members}
        self._uses: dict[str, list[tuple[Node, Input]]] = defaultdict(list)
        for node in self.order:
            for wire in node.inputs:
                self._uses[wire.node].append((node, wire))
        self.forks = {node.name: fed for node in self.order if (fed := self._fed_in_short(node))}
        self._fork_of = {name: fork for fork, fed in self.forks.items() for name in fed}
        self.fork_into = {n.name: fork for n in self.order if (fork := self._continued(n))}
        self.list_into = {n.name: names for n in self.order if (names := self._list_into(n))}
        self._rows = self._named_rows()
        self._rows.update(self._leaf_rows())
        lists = [*self.list_into.values(), *(row.members for row in self._rows.values())]
        self._lists = {member: names for names in lists for member in names}
        self.inside = {node.name for node in self.order if self._is_inside(node)}

    @property
    def named(self) -> set[str]:
        """The groups without a separate line: the line of their members has the group's name."""
        return {row.group for row in self._rows.values() if row.group is not None}

    def row(self, node: Node) -> LineEnd | None:
        """Return the line end whose first node is `node`; None if there is none."""
        name = node.name
        if is_bare(node):
            return None if self._uses[name] or name in self._grouped else LineEnd((name,))
        if name in self.inside:
            return None
        if name in self.forks:
            fed = self.forks[name]
            return self._rows.get(fed[0], LineEnd(fed, name))
        if name in self._fork_of:
            return None
        row = self._rows.get(name, LineEnd((name,)))
        return row if name == min(row.members, key=self._place.__getitem__) else None

    def _fed_in_short(self, fork: Node) -> Names:
        """Return the model nodes after a split or switch if it has a short form; otherwise ()."""
        uses = {wire.port: node for node, wire in self._uses[fork.name]}
        known = {param.name for param in kinds.KINDS[fork.kind].params}
        fed = [uses[arm] for arm in fork.arms if arm in uses]
        fits = (
            bool(fork.arms)
            and is_default(fork)
            and fork.name not in self._grouped
            and not known.intersection(fork.arms)
            and len(fed) == len(fork.arms) == len(self._uses[fork.name])
            and all(is_bare_model(node) and is_default(node) for node in fed)
            and all(node.gather is None and not node.inputs[0].select for node in fed)
            and (not fork.step.weighed or [node.name for node in fed] == list(fork.arms))
        )
        return tuple(node.name for node in fed) if fits else ()

    def _have_one_use(self, names: Sequence[str]) -> bool:
        """Return whether each of these nodes is used exactly once and is in no group."""
        return all(len(self._uses[n]) == 1 and n not in self._grouped for n in names)

    def _continued(self, node: Node) -> str | None:
        """Return the split or switch in short form that a node continues, or None.

        The input of the node is then the union of all its branches.
        """
        feeding = tuple(wire.node for wire in node.inputs)
        fork = self._fork_of.get(feeding[0]) if feeding else None
        if fork is None or self.forks[fork] != feeding or node.gather != "union":
            return None
        one_field = len({wire.select for wire in node.inputs}) == 1
        return fork if one_field and self._have_one_use(feeding) else None

    def _fit_a_list(self, names: Sequence[str]) -> bool:
        """Return whether these nodes can be written as one list of steps with the same input."""
        nodes = [self.graph[name] for name in names]
        return len({node.inputs for node in nodes}) == 1 and all(map(self._is_plain, nodes))

    def _is_plain(self, node: Node) -> bool:
        single = len(node.inputs) == 1 and node.gather is None and not node.arms
        return single and is_default(node) and node.name not in self._fork_of

    def _list_into(self, node: Node) -> Names:
        names = tuple(wire.node for wire in node.inputs)
        bare = node.gather == "join" and not any(wire.label for wire in node.inputs)
        fits = bare and self._have_one_use(names) and self._fit_a_list(names)
        return names if fits else ()

    def _named_rows(self) -> dict[str, LineEnd]:
        """Return, by member, the lists and forks that are written with the name of a group.

        If groups have a common member, only the first of these groups is used.
        """
        rows: dict[str, LineEnd] = {}
        for group in self.groups:
            if not rows.keys().isdisjoint(group.members):
                continue
            fork = self._fork_of.get(group.members[0])
            if fork and group.gather == "union" and group.members == self.forks[fork]:
                row = LineEnd(group.members, fork, group.name)
            elif group.gather == "join" and self._fit_a_list(group.members):
                row = LineEnd(group.members, None, group.name)
            else:
                continue
            rows.update(dict.fromkeys(group.members, row))
        return rows

    def _leaf_rows(self) -> dict[str, LineEnd]:
        """Return, by member, the lists of two or more final steps that have the same input."""
        found: dict[Input, list[str]] = defaultdict(list)
        for node in self.order:
            last = node.name not in self._grouped and not self._uses[node.name]
            if last and self._is_plain(node):
                found[node.inputs[0]].append(node.name)
        rows = [LineEnd(tuple(names)) for names in found.values() if len(names) > 1]
        return {name: row for row in rows for name in row.members}

    def _is_inside(self, node: Node) -> bool:
        name = node.name
        if name in self.forks:
            return name in self.fork_into.values()
        if name in self._fork_of:
            return self._fork_of[name] in self.fork_into.values()
        plain = is_default(node) and not is_bare(node) and not node.arms
        if not plain or name in self._grouped or not self._uses[name]:
            return False
        users = {user.name for user, _ in self._uses[name]}
        one = self._uses[name][0][0]
        if len(users) == 1 and (one.gather is None or one.name in self.list_into):
            return True
        return users == set(self._lists.get(one.name, ()))
