"""The edited document: a graph, which may be incomplete, and node positions."""

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
        The graph. It may be incomplete, with steps without inputs or required parameters;
        `validation.problems` returns what is missing.
    places
        The top-left corner of every node, in canvas units (pixels at zoom 1).
    by_layout
        Whether the layout placed every node, and the user none.
    """

    graph: Graph
    places: Mapping[str, Place]
    by_layout: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, graph: Graph) -> Document:
        """Create a document of a graph, with the nodes placed by the layout.

        Raises
        ------
        GraphError
            If the graph is invalid, not only incomplete.
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
        """The names that are in use: those of nodes and groups."""
        return {*self.graph.names, *(group.name for group in self.graph.groups)}

    def changed(self, *nodes: Node) -> Document:
        """Replace the nodes of the same names."""
        new = {node.name: node for node in nodes}
        kept = tuple(new.get(node.name, node) for node in self.graph)
        return self.wired(replace(self.graph, nodes=kept))

    def wired(self, graph: Graph) -> Document:
        """Replace the graph by one with the same node names."""
        return replace(self, graph=graph)

    def placed(self, places: Mapping[str, Place]) -> Document:
        """Move nodes to these places; the others stay where they are."""
        return replace(self, places={**self.places, **places}, by_layout=False)

    def grown(
        self, nodes: Iterable[Node], places: Mapping[str, Place], groups: Iterable[Group] = ()
    ) -> Document:
        """Add nodes, with their places, and groups."""
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
        The change in words, for undo: "connect digits to mlp".
    selection
        The nodes to select after the change; None keeps the selection.
    merges
        Consecutive edits with an equal value are undone together; None for an edit on its own.
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
    """Return the error of a change that is refused.

    Parameters
    ----------
    why
        What is wrong.
    node
        A name that was not found, for which the error suggests the nearest one.
    remedy
        What to do.
    known
        The names to suggest from.
    allowed
        Whether the error lists these names.
    """
    names = list(known)
    close = nearest(node, names) if node is not None else None
    listed = ", ".join(names) if allowed else None
    return GraphError([Problem(why, allowed=listed, nearest=close)], remedy=remedy)


def freed(wanted: str, taken: Collection[str]) -> str:
    """Return a name that is not taken: the wanted one, with `_2` or more appended if needed."""
    count, free = 1, wanted
    while free in taken:
        count += 1
        free = f"{wanted}_{count}"
    return free
