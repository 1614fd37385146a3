"""What is edited: a graph, which may be incomplete, and the places of its nodes."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from mmnotebook.editing.placing import SIZE, Place, arranged
from mmnotebook.errors import GraphError, Problem, nearest
from mmnotebook.graph.graph import Graph, Group, Node
from mmnotebook.steps import validation

__all__ = ["SIZE", "Document", "Edit", "Place", "freed", "refused"]


@dataclass(frozen=True)
class Document:
    """A graph on a canvas.

    Attributes
    ----------
    graph
        It may be incomplete: steps that nothing flows into, parameters that are not given.
        `validation.problems` says where.
    places
        The top-left corner of every node, in canvas units (pixels at zoom 1).
    by_layout
        Was every node placed by the layout, and none by a hand?
    """

    graph: Graph
    places: Mapping[str, Place]
    by_layout: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, graph: Graph) -> Document:
        """The graph, arranged.

        Raises
        ------
        GraphError
            When the graph is wrong in another way than that something is not there yet.
        """
        found = validation.faults(graph)
        if found:
            raise GraphError(found)
        return cls(graph, arranged(graph), True)

    def node(self, name: str) -> Node:
        """A node by its name; GraphError when it is not there."""
        return self.graph[name]

    @property
    def taken(self) -> set[str]:
        """The names of nodes and groups."""
        return {*self.graph.names, *(group.name for group in self.graph.groups)}

    def changed(self, *nodes: Node) -> Document:
        """With these nodes in place of those of their names."""
        new = {node.name: node for node in nodes}
        kept = tuple(new.get(node.name, node) for node in self.graph)
        return self.wired(replace(self.graph, nodes=kept))

    def wired(self, graph: Graph) -> Document:
        """With this graph of the same node names."""
        return replace(self, graph=graph)

    def placed(self, places: Mapping[str, Place]) -> Document:
        """With these places, beside those of the other nodes."""
        return replace(self, places={**self.places, **places}, by_layout=False)

    def grown(
        self, nodes: Iterable[Node], places: Mapping[str, Place], groups: Iterable[Group] = ()
    ) -> Document:
        """With more nodes."""
        graph = self.graph
        more = replace(graph, nodes=(*graph, *nodes), groups=(*graph.groups, *groups))
        return Document(more, {**self.places, **places}, not self.places)


@dataclass(frozen=True)
class Edit:
    """A document after a change.

    Attributes
    ----------
    document
        What it is then.
    label
        The change in words, for undo: "connect digits to mlp".
    selection
        The nodes that are selected after it, None to leave the selection.
    merges
        Edits in a row that have this in common are one for undo; None for an edit of its own.
    """

    document: Document
    label: str
    selection: tuple[str, ...] | None = None
    merges: Hashable = None


def refused(
    why: str,
    node: str | None = None,
    *,
    remedy: str | None = None,
    known: Iterable[str] = (),
    allowed: bool = False,
) -> GraphError:
    """The error of a change that cannot be.

    `known` are the names that `node` may be meant as; `allowed` lists them.
    """
    names = list(known)
    close = nearest(node, names) if node is not None else None
    listed = ", ".join(names) if allowed else None
    return GraphError([Problem(why, allowed=listed, nearest=close)], remedy=remedy)


def freed(wanted: str, taken: Collection[str]) -> str:
    """The name, with `_2` or more behind it where it is taken."""
    count, free = 1, wanted
    while free in taken:
        count += 1
        free = f"{wanted}_{count}"
    return free
