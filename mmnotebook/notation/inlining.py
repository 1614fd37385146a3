"""Inlining: copying a pipeline that is a step of another pipeline into the outer graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations

from mmnotebook.graph.field_selection import Drop, names_in
from mmnotebook.graph.graph import Gather, Graph, Group, Input, Node
from mmnotebook.graph.kinds import KINDS
from mmnotebook.notation.terms import Ends
from mmnotebook.steps import validation
from mmnotebook.steps.exclusive import apart, arms_by_node
from mmnotebook.steps.phrases import is_default, select


class NotTakenIn(Exception):
    """A pipeline cannot be inlined at this place.

    Attributes
    ----------
    message, allowed, remedy
        The problem, what is allowed at this place, and how to fix the problem.
    """

    def __init__(self, message: str, allowed: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.allowed = allowed
        self.remedy = remedy


@dataclass(frozen=True)
class Part:
    """The copy of a pipeline in the outer graph.

    Attributes
    ----------
    nodes, groups
        Its nodes and groups with new names, without its source if an input replaces it.
    ends
        Its outputs.
    """

    nodes: tuple[Node, ...]
    groups: tuple[Group, ...]
    ends: Ends


class Inlining:
    """Copies one pipeline into an outer graph.

    Parameters
    ----------
    called
        The name of the pipeline in the text.
    pipeline
        The pipeline.
    upstream
        The input of the pipeline; None if the pipeline starts a line and reads its own sources.
    name
        The line's name for the output, None if the line has none.
    free
        Returns an unused name: its argument, with a number appended if needed.
    source
        Returns the name of the source node with this content. Equal sources are one node.

    Raises
    ------
    NotTakenIn
        If the pipeline cannot be inlined at this place.
    """

    def __init__(
        self,
        called: str,
        pipeline: Graph,
        upstream: Ends | None,
        name: str | None,
        free: Callable[[str], str],
        source: Callable[[Node], str],
    ) -> None:
        self._called = called
        self._pipeline = pipeline
        self._into = upstream
        wrong = validation.problems(pipeline)
        if wrong:
            raise NotTakenIn(f"{called!r} is not a valid pipeline: {wrong[0]}", "a valid pipeline")
        self._order = pipeline.order()
        self._replaced = None if upstream is None else self._only_source()
        self._last = self._outputs()
        self._cover = self._covering()
        self._renamed = self._names(name, free, source)
        kept = {self._renamed[n]: n for n in self._renamed}
        nodes = tuple(self._node(pipeline[kept[new]]) for new in self._made)
        self.part = Part(nodes, self._groups(name, free), self._ends())

    def _only_source(self) -> str:
        sources = [node.name for node in self._order if not node.inputs]
        if len(sources) != 1:
            raise NotTakenIn(
                f"{self._called!r} has {len(sources)} sources, but a step has one input",
                "a pipeline with one source",
                f"put it at the start of a line, with its own sources: {self._called} | step",
            )
        if len(self._order) == 1:
            message = f"{self._called!r} has a source but no step, so it cannot process an input"
            raise NotTakenIn(message, "a pipeline with a step", f"{self._called} | step")
        return sources[0]

    def _outputs(self) -> tuple[str, ...]:
        """Return the names of the last steps: of `write` steps only if there are no others."""
        writes = [node.name for node in self._order if KINDS[node.kind].ends]
        others = [node for node in self._order if node.name not in writes]
        used = {wire.node for node in others for wire in node.inputs} | {self._replaced}
        return tuple(node.name for node in others if node.name not in used) or tuple(writes)

    def _covering(self) -> Group | None:
        """Return the group whose members are exactly the outputs, if there are several."""
        named = sorted(self._pipeline.groups, key=lambda group: group.name)
        same = (group for group in named if set(group.members) == set(self._last))
        return next(same, None) if len(self._last) > 1 else None

    def _names(
        self, name: str | None, free: Callable[[str], str], source: Callable[[Node], str]
    ) -> dict[str, str]:
        """Return the new name of every node except the replaced one; add new nodes to `_made`."""
        self._made: list[str] = []
        renamed: dict[str, str] = {}
        if len(self._last) == 1:
            renamed[self._last[0]] = name or free(self._called)
        for node in self._order:
            if node.name == self._replaced:
                continue
            if not node.inputs and is_default(node) and node.name not in renamed:
                renamed[node.name] = source(node)
                continue
            if node.name not in renamed:
                renamed[node.name] = free(f"{self._called}_{node.name}")
            self._made.append(renamed[node.name])
        return renamed

    def _node(self, node: Node) -> Node:
        wires: list[Input] = []
        # A user function receives its inputs by key, so the keys must not change.
        named = node.gather == "join" and KINDS[node.kind].inputs != "join"
        for wire in node.inputs:
            if wire.node == self._replaced:
                through = [self._through(outer, wire, node) for outer in self._flowing()]
            else:
                through = [replace(wire, node=self._renamed[wire.node])]
            keyed = named or wire.label is not None
            wires += [one.labelled(wire.key) for one in through] if keyed else through
        takes = any(wire.node == self._replaced for wire in node.inputs)
        gather = self._gather(node) if takes else node.gather
        return replace(node, name=self._renamed[node.name], inputs=tuple(wires), gather=gather)

    def _flowing(self) -> tuple[Input, ...]:
        return () if self._into is None else self._into.wires

    def _gather(self, node: Node) -> Gather | None:
        """Return how a node combines the input of the pipeline with its other inputs."""
        outer = None if self._into is None else self._into.gather
        if outer is None:
            return node.gather
        if node.gather is None or node.gather == outer == "union":
            return outer
        raise NotTakenIn(
            f"{node.name!r} of {self._called!r} combines its input with others, but there "
            "are several inputs here",
            "one input",
            f"put a step, such as map(f), between them and {self._called}",
        )

    def _through(self, outer: Input, wire: Input, node: Node) -> Input:
        """Return the wire from `outer`, the input of the pipeline, that replaces `wire`."""
        if wire.select is None:
            return outer
        if outer.select is not None:
            raise NotTakenIn(
                f"{self._called!r} already selects {_fields(wire)} of its input",
                f"{outer.node} | {self._called}",
                f"leave out {select(outer)}",
            )
        if self._into is not None and self._into.gather == "join":
            raise NotTakenIn(
                f"{node.name!r} of {self._called!r} selects {_fields(wire)} of its input, "
                "but the input here consists of several named outputs",
                "one input",
                f"put a step, such as map(f), between them and {self._called}",
            )
        return replace(outer, select=wire.select)

    def _groups(self, name: str | None, free: Callable[[str], str]) -> tuple[Group, ...]:
        """Return the groups with their new names.

        A group that contains the replaced source is left out. If the line has a name, the group of
        the outputs is left out too.
        """
        found = []
        for group in self._pipeline.groups:
            if self._replaced in group.members or (group == self._cover and name is not None):
                continue
            wanted = f"{self._called}_{group.name}" if group != self._cover else self._called
            members = tuple(self._renamed[member] for member in group.members)
            found.append(Group(free(wanted), members, group.gather))
        return tuple(found)

    def _ends(self) -> Ends:
        last = self._last if self._cover is None else self._cover.members
        wires = tuple(Input(self._renamed[node]) for node in last)
        if len(last) == 1:
            return Ends(wires)
        if self._cover is not None:
            return Ends(wires, self._cover.gather)
        arms = arms_by_node(self._order)
        ways = [apart(arms[one], arms[other]) for one, other in combinations(last, 2)]
        return Ends(wires, "union" if all(ways) else "join", any(ways) and not all(ways))


def _fields(wire: Input) -> str:
    """Describe a selection: `field "x"`, `fields "x", "y"`, `all fields but "x"`."""
    names = names_in(wire.select)
    quoted = ", ".join(f'"{name}"' for name in names)
    if isinstance(wire.select, Drop):
        return f"all fields but {quoted}"
    return f"field{'' if len(names) == 1 else 's'} {quoted}"
