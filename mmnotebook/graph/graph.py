"""Frozen `Node` and `Graph`: pipelines as values that can be compared, validated and saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from mmnotebook.errors import GraphError, Problem, counted, nearest
from mmnotebook.graph import above, kinds
from mmnotebook.graph.selecting import Select

if TYPE_CHECKING:
    import networkx

Gather = Literal["join", "union"]


@dataclass(frozen=True)
class Input:
    """An input of a node: the output that its elements are read from.

    Attributes
    ----------
    node
        The node upstream.
    port
        The output of that node, for a split or a switch.
    select
        A field, several fields, or all but some (`Drop`) of the value; None for the whole value.
    label
        The key in a join; None for the name of its node.
    """

    node: str
    port: str | None = None
    select: Select = None
    label: str | None = None

    @property
    def key(self) -> str:
        """The key of this input in a join."""
        return self.node if self.label is None else self.label

    def labelled(self, label: str | None) -> Input:
        """Return the same input with another label; None equals the name of the node."""
        return replace(self, label=None if label == self.node else label)


@dataclass(frozen=True)
class Node:
    """One step of a graph, under a unique name.

    Attributes
    ----------
    name
        Unique in its graph.
    kind
        A step kind, one of `steps.KINDS`.
    params
        (name, value) pairs in the kind's order, without values that equal the default.
    inputs
        Its inputs; () for a source.
    gather
        How several inputs are combined: "join" joins the outputs for one element into a dict by
        node name or label, "union" passes each element separately; None for a single input.
    """

    name: str
    kind: str
    params: tuple[tuple[str, Any], ...] = ()
    inputs: tuple[Input, ...] = ()
    gather: Gather | None = None

    def __post_init__(self) -> None:
        # One form for each meaning, so that equal steps are equal nodes however they were made.
        object.__setattr__(self, "params", kinds.canonical(self.kind, dict(self.params)))
        joins = self.gather == "join"
        wires = tuple(wire.labelled(wire.label if joins else None) for wire in self.inputs)
        object.__setattr__(self, "inputs", wires)

    @classmethod
    def make(
        cls,
        name: str,
        kind: str,
        inputs: Iterable[Input | str] = (),
        gather: Gather | None = None,
        **params: Any,
    ) -> Node:
        """Create a node, with its parameters as keywords; a string in `inputs` names a node."""
        wires = tuple(Input(wire) if isinstance(wire, str) else wire for wire in inputs)
        return cls(name, kind, tuple(params.items()), wires, gather)

    def __getitem__(self, param: str) -> Any:
        """The value of a parameter, its default when it was not given."""
        given = dict(self.params)
        if param in given:
            return given[param]
        known = kinds.KINDS[self.kind].param(param)
        if known is None:
            raise KeyError(param)
        return known.default

    @property
    def arms(self) -> tuple[str, ...]:
        """The names of its outputs; () if it has a single output."""
        return kinds.arm_names(self.kind, dict(self.params))

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models that it runs."""
        return kinds.names_of(self.kind, dict(self.params), "model")

    @property
    def step(self) -> kinds.StepKind:
        """The kind of step that this is; KeyError where there is no such kind."""
        return kinds.KINDS[self.kind]

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the source's fields that it goes by."""
        params = (param for param in self.step.params if param.form == "field")
        return tuple(self[param.name] for param in params if self[param.name])

    @property
    def data(self) -> tuple[str, ...]:
        """The name of the variable that it reads, if it reads one."""
        return kinds.names_of(self.kind, dict(self.params), "data")

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of the functions that it calls."""
        return kinds.names_of(self.kind, dict(self.params), "function")


@dataclass(frozen=True)
class Group:
    """A named group of nodes, as in `both = rows | [a, b]`."""

    name: str
    members: tuple[str, ...]
    gather: Gather = "join"


@dataclass(frozen=True, eq=False)
class Graph:
    """An immutable pipeline: its nodes and named groups of nodes.

    Two graphs are equal when they have the same nodes and groups, in whatever order. `bindings`
    holds the objects that were given for names, `pipelines` the names of the pipelines that were
    written into this one as steps; they take no part in equality, the text or the JSON.
    """

    nodes: tuple[Node, ...] = ()
    groups: tuple[Group, ...] = ()
    bindings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    pipelines: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[frozenset[Node], frozenset[Group]]:
        return frozenset(self.nodes), frozenset(self.groups)

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in reversed(self.nodes)}

    def __getitem__(self, name: str) -> Node:
        if name in self:
            return self._by_name[name]
        raise self.unknown(name)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._by_name

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(node.name for node in self.nodes)

    def unknown(self, name: str) -> GraphError:
        """Return the error for an unknown node."""
        known = self.names
        return GraphError(
            [
                Problem(
                    "no such node",
                    found=repr(name),
                    allowed=", ".join(known) or "none: the graph is empty",
                    nearest=nearest(str(name), known),
                )
            ]
        )

    def network(self) -> networkx.DiGraph[str]:
        """Return the graph as a networkx graph: node names, with an edge for each input."""
        import networkx

        net: networkx.DiGraph[str] = networkx.DiGraph()
        net.add_nodes_from(self.names)
        net.add_edges_from((wire.node, node.name) for node in self.nodes for wire in node.inputs)
        return net

    def order(self) -> tuple[Node, ...]:
        """The nodes in topological order; ties keep the order of `nodes`."""
        import networkx

        place = {name: index for index, name in enumerate(self.names)}
        ordered = networkx.lexicographical_topological_sort(self.network(), key=place.__getitem__)
        return tuple(self[name] for name in ordered)

    def upto(self, name: str) -> Graph:
        """Return the subgraph that `name`, a node or a group, needs, including `name`."""
        import networkx

        members = next((g.members for g in self.groups if g.name == name), (name,))
        if not all(member in self.names for member in members):
            raise self.unknown(name)
        network = self.network()
        keep = set(members).union(*(networkx.ancestors(network, member) for member in members))
        return replace(
            self,
            nodes=tuple(node for node in self.nodes if node.name in keep),
            groups=tuple(group for group in self.groups if keep.issuperset(group.members)),
        )

    def bind(self, **objects: Any) -> Graph:
        """Return the same graph with these objects bound to names, in addition to its bindings."""
        return replace(self, bindings={**self.bindings, **objects})

    def validate(self) -> Graph:
        """Return the graph itself if it has no problems, else raise.

        Raises
        ------
        GraphError
            With every problem that was found.
        """
        found = above.call("problems", self)
        if found:
            raise GraphError(found)
        return self

    def to_text(self) -> str:
        """Return the canonical text, which parses back to an equal graph."""
        text: str = above.call("to_text", self)
        return text

    def to_json(self) -> str:
        """Return the graph as JSON, the file format; `from_json` reads it back."""
        text: str = above.call("to_json", self)
        return text

    @classmethod
    def from_json(cls, text: str) -> Graph:
        """Read and validate a graph that `to_json` wrote.

        Raises
        ------
        GraphError
            When the text is not such JSON, or the graph in it is not valid.
        """
        graph: Graph = above.call("from_json", text)
        return graph

    def explain(self) -> Any:
        """Explain how each step will run and why: its lowering and grouping, with the numbers.

        Raises
        ------
        GraphError
            When the graph is not valid.
        """
        return above.call("explain", self)

    def __repr__(self) -> str:
        found = above.call("problems", self)
        if found:
            first = found[0] if len(found) == 1 else f"the first: {found[0]}"
            return f"(a graph with {counted(len(found), 'problem')}, {first})"
        return self.to_text() or "(empty graph)"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        if above.call("problems", self):
            return {"text/plain": repr(self)}
        drawn = {"text/html": "html", "image/svg+xml": "svg"}
        return {
            "text/plain": repr(self),
            **{k: above.call(name, self) for k, name in drawn.items()},
        }
