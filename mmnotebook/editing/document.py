"""The edited document: a graph, which may be incomplete, and the positions of its nodes."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from mmnotebook.editing.node_positions import SIZE, Place, arranged
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
        The graph. It may be incomplete: steps may lack inputs or required parameters, which
        `validation.problems` reports.
    places
        The top-left corner of every node, in canvas units (pixels at zoom 1).
    by_layout
        Whether all nodes are at the places that the layout chose.
    """

    graph: Graph
    places: Mapping[str, Place]
    by_layout: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, graph: Graph) -> Document:
        """Create a document from a graph; the layout places its nodes.

        Raises
        ------
        GraphError
            If the graph is invalid. An incomplete graph is allowed.
        """
        found = validation.faults(graph)
        if found:
            raise GraphError(found)
        return cls(graph, arranged(graph), True)

    def node(self, name: str) -> Node:
        """Return the node with this name; raise GraphError if there is none."""
        return self.graph[name]

    @property
    def taken(self) -> set[str]:
        """The names of all nodes and groups."""
        return {*self.graph.names, *(group.name for group in self.graph.groups)}

    def changed(self, *nodes: Node) -> Document:
        """Replace nodes of the document by the given nodes with the same names."""
        new = {node.name: node for node in nodes}
        kept = tuple(new.get(node.name, node) for node in self.graph)
        return self.wired(replace(self.graph, nodes=kept))

    def wired(self, graph: Graph) -> Document:
        """Replace the graph by a graph with the same node names."""
        return replace(self, graph=graph)

    def placed(self, places: Mapping[str, Place]) -> Document:
        """Move nodes to these places; other nodes do not move."""
        return replace(self, places={**self.places, **places}, by_layout=False)

    def grown(
        self, nodes: Iterable[Node], places: Mapping[str, Place], groups: Iterable[Group] = ()
    ) -> Document:
        """Add nodes and groups; `places` has the places of the new nodes."""
        graph = self.graph
        more = replace(graph, nodes=(*graph, *nodes), groups=(*graph.groups, *groups))
        return Document(more, {**self.places, **places}, not self.places)


@dataclass(frozen=True)
class Edit:
    """A document after a change.

    Attributes
    ----------
    document
        The document after the change.
    label
        A description of the change, for undo: "connect digits to mlp".
    selection
        The nodes to select after the change; None keeps the selection.
    merges
        Consecutive edits with the same value are undone together; None for a separate edit.
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
    """Return the error for a change that is not possible.

    Parameters
    ----------
    why
        The problem.
    node
        A name that was not found; the error suggests the nearest known name.
    remedy
        How to fix the problem.
    known
        The known names.
    allowed
        Whether the error lists the known names.
    """
    names = list(known)
    close = nearest(node, names) if node is not None else None
    listed = ", ".join(names) if allowed else None
    return GraphError([Problem(why, allowed=listed, nearest=close)], remedy=remedy)


def freed(wanted: str, taken: Collection[str]) -> str:
    """Return the wanted name, with a number such as `_2` appended if the name is in use."""
    count, free = 1, wanted
    while free in taken:
        count += 1
        free = f"{wanted}_{count}"
    return free
