"""Frozen `Node` and `Graph`: pipelines as values that can be compared, validated and saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from mmnotebook.errors import GraphError, Problem, counted, nearest
from mmnotebook.graph import kinds, upcalls
from mmnotebook.graph.field_selection import Select

if TYPE_CHECKING:
    import networkx

Gather = Literal["join", "union"]
T = TypeVar("T")


@dataclass(frozen=True)
class Input:
    """An input of a node: the output of another node that it reads.

    Attributes
    ----------
    node
        The name of the upstream node.
    port
        The branch of that node, for a split or a switch; None for a node with a single output.
    select
        One field of the value, several fields, or all fields except some (`Drop`); None for the
        whole value.
    label
        The key of this input in a join; None uses the name of the upstream node.

    See Also
    --------
    mmnotebook.Node : A step of a graph, with its inputs.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> graph = mm.parse('rows["text"] | model')
    >>> graph["model"].inputs
    (Input(node='rows', port=None, select='text', label=None),)
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
        """Return the same input with another label.

        Parameters
        ----------
        label
            The key in a join; None, or the name of the node, for no label.

        Returns
        -------
        Input
            The new input.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> mm.Input("tree").labelled("small").key
        'small'
        """
        return replace(self, label=None if label == self.node else label)


@dataclass(frozen=True)
class Node:
    """One step of a graph, under a unique name.

    Attributes
    ----------
    name
        The name of the node, unique in its graph.
    kind
        The name of its step kind.
    params
        (name, value) pairs in the kind's order, without values that equal the default.
    inputs
        Its inputs; () for a source.
    gather
        How several inputs are combined. "join" combines the outputs for one element into a dict, by
        node name or label. "union" passes each element separately. None for a single input.

    See Also
    --------
    mmnotebook.Node.make : Create a node with its parameters as keywords.
    mmnotebook.Graph : The graph that contains it.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> node = mm.parse("digits | cascade(tree, mlp, below=0.8)")["cascade"]
    >>> node.kind, node.models, node["below"]
    ('cascade', ('tree', 'mlp'), 0.8)
    """

    name: str
    kind: str
    params: tuple[tuple[str, Any], ...] = ()
    inputs: tuple[Input, ...] = ()
    gather: Gather | None = None

    def __post_init__(self) -> None:
        # The parameters are stored in canonical form, so that equal steps are equal nodes.
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
        """Create a node with its parameters as keywords.

        Parameters
        ----------
        name
            Its name, unique in the graph.
        kind
            The name of its step kind.
        inputs
            Its inputs. A string is the whole output of the node with this name.
        gather
            "join" or "union" for several inputs; None for a single one.
        **params
            The parameters of the step kind.

        Returns
        -------
        Node
            The node. `Graph.validate` checks its parameters and inputs.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> node = mm.Node.make("answer", "cascade", ["digits"], small="tree", big="mlp", below=0.8)
        >>> node.models
        ('tree', 'mlp')
        """
        wires = tuple(Input(wire) if isinstance(wire, str) else wire for wire in inputs)
        return cls(name, kind, tuple(params.items()), wires, gather)

    def __getitem__(self, param: str) -> Any:
        """Return the value of a parameter; the default value if the parameter was not given.

        Raises
        ------
        KeyError
            If the step kind has no such parameter.
        """
        given = dict(self.params)
        if param in given:
            return given[param]
        known = kinds.KINDS[self.kind].param(param)
        if known is None:
            raise KeyError(param)
        return known.default

    @property
    def arms(self) -> tuple[str, ...]:
        """The names of the node's branches; () if the node has a single output."""
        return kinds.arm_names(self.kind, dict(self.params))

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models that the node runs."""
        return kinds.names_of(self.kind, dict(self.params), "model")

    @property
    def step(self) -> kinds.StepKind:
        """Its step kind.

        Raises
        ------
        KeyError
            If there is no step kind of this name.
        """
        return kinds.KINDS[self.kind]

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the source fields by which the node chooses a branch or a model."""
        params = (param for param in self.step.params if param.form == "field")
        return tuple(self[param.name] for param in params if self[param.name])

    @property
    def data(self) -> tuple[str, ...]:
        """The name of the variable that the node reads, in a tuple; () if it reads no variable."""
        return kinds.names_of(self.kind, dict(self.params), "data")

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of the functions that the node calls, and of the transform that it applies."""
        return kinds.names_of(self.kind, dict(self.params), "function")

    @property
    def transforms(self) -> tuple[str, ...]:
        """The name of the Beam transform that the node applies, in a tuple; () if there is none."""
        step = kinds.KINDS.get(self.kind)
        return () if step is None or step.bare != "transform" else self.functions


@dataclass(frozen=True)
class Group:
    """A named group of nodes, as in `both = rows | [a, b]`.

    Attributes
    ----------
    name
        The name of the group, unique among the groups and nodes of its graph.
    members
        The names of its nodes.
    gather
        How a step after the group combines the outputs of the nodes: "join" or "union"; see `Node`.

    See Also
    --------
    mmnotebook.Graph : The graph that contains it.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> mm.parse("both = rows | [a, b]").groups
    (Group(name='both', members=('a', 'b'), gather='join'),)
    """

    name: str
    members: tuple[str, ...]
    gather: Gather = "join"


@dataclass(frozen=True, eq=False)
class Graph:
    """An immutable pipeline: its nodes and named groups of nodes.

    Two graphs are equal if they have the same nodes and groups, in any order. `bindings` and
    `pipelines` are not compared, and the text and the JSON of a graph do not contain them.

    Attributes
    ----------
    nodes
        The nodes.
    groups
        The named groups of nodes.
    bindings
        The objects that are bound to names, by name.
    pipelines
        The names of the pipelines that are used as steps. Their nodes are copied into this graph.

    See Also
    --------
    mmnotebook.pipeline : Create a graph from its text, with objects.
    mmnotebook.parse : Create a graph from its text alone.
    mmnotebook.run : Run a graph.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> graph = mm.parse("digits | [mlp, tree] | vote()")
    >>> graph
    digits | [mlp, tree] | vote()
    >>> [node.name for node in graph]
    ['digits', 'mlp', 'tree', 'vote']
    >>> graph["vote"].gather
    'join'
    """

    nodes: tuple[Node, ...] = ()
    groups: tuple[Group, ...] = ()
    bindings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    pipelines: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return once(self, _content) == once(other, _content)

    def __hash__(self) -> int:
        return hash(once(self, _content))

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields, without what was computed from them: equal graphs pickle alike."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @cached_property
    def _computed(self) -> dict[Callable[[Graph], Any], Any]:
        return {}

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in reversed(self.nodes)}

    def __getitem__(self, name: str) -> Node:
        """Return the node with this name.

        Raises
        ------
        GraphError
            If there is no such node.
        """
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
        """The names of its nodes, in the order of `nodes`."""
        return tuple(node.name for node in self.nodes)

    def unknown(self, name: str) -> GraphError:
        """Return the error for a node that does not exist.

        Parameters
        ----------
        name
            The name that was not found.

        Returns
        -------
        GraphError
            The error, with the names of all nodes and the nearest one.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> print(mm.parse("digits | tree").unknown("digit"))
        no such node; found 'digit'; allowed: digits, tree; did you mean 'digits'?
        """
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
        """Return the graph as a networkx graph: the names of nodes, with an edge for each input.

        Returns
        -------
        networkx.DiGraph
            A new graph.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> list(mm.parse("digits | [mlp, tree]").network().edges)
        [('digits', 'mlp'), ('digits', 'tree')]
        """
        import networkx

        net: networkx.DiGraph[str] = networkx.DiGraph()
        net.add_nodes_from(self.names)
        net.add_edges_from((wire.node, node.name) for node in self.nodes for wire in node.inputs)
        return net

    def order(self) -> tuple[Node, ...]:
        """Return the nodes in topological order: each node comes after its inputs.

        If several orders are possible, the order of `nodes` decides.

        Returns
        -------
        tuple of Node
            The nodes in topological order.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> nodes = reversed(mm.parse("digits | tree").nodes)
        >>> [node.name for node in mm.Graph(tuple(nodes)).order()]
        ['digits', 'tree']
        """
        return once(self, _order)

    def upto(self, name: str) -> Graph:
        """Return the subgraph that contains a node or a group, and all steps before it.

        Parameters
        ----------
        name
            The name of the node or the group.

        Returns
        -------
        Graph
            The subgraph.

        Raises
        ------
        GraphError
            If there is no such node or group.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> mm.parse("digits | [mlp, tree] | vote()").upto("mlp")
        digits | mlp
        """
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
        """Bind objects to names: return the graph with these bindings added.

        Parameters
        ----------
        **objects
            Data and functions of the graph by name. They replace earlier bindings.

        Returns
        -------
        Graph
            The new graph.

        See Also
        --------
        mmnotebook.pipeline : Create a graph with its bindings.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.parse("numbers | map(double)").bind(double=lambda x: 2 * x)
        >>> sorted(graph.bind(numbers=[1, 2]).bindings)
        ['double', 'numbers']
        """
        return rebound(self, {**self.bindings, **objects})

    def validate(self) -> Graph:
        """Check the graph, and return it if it has no problems.

        Returns
        -------
        Graph
            The graph itself.

        Raises
        ------
        GraphError
            With every problem that was found.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.Graph((mm.Node.make("tree", "model", model="tree"),))
        >>> try:
        ...     graph.validate()
        ... except mm.GraphError as error:
        ...     print(error.problems[0].message)
        this model step has no input
        """
        found = upcalls.call("problems", self)
        if found:
            raise GraphError(found)
        return self

    def to_text(self) -> str:
        r"""Return the canonical text, which parses back to an equal graph.

        Returns
        -------
        str
            The text, in the notation.

        See Also
        --------
        mmnotebook.parse : The reverse.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> print(mm.parse("a = digits|tree\na|write('out.csv')").to_text())
        a = digits | tree
        a | write("out.csv")
        """
        text: str = upcalls.call("to_text", self)
        return text

    def to_json(self) -> str:
        """Return the graph as JSON, the file format of graphs.

        Returns
        -------
        str
            The JSON text, without the objects that are bound to names.

        See Also
        --------
        mmnotebook.Graph.from_json : The reverse.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> graph = mm.parse("digits | tree")
        >>> mm.Graph.from_json(graph.to_json()) == graph
        True
        """
        text: str = upcalls.call("to_json", self)
        return text

    @classmethod
    def from_json(cls, text: str) -> Graph:
        """Read and validate a graph that `to_json` wrote.

        Parameters
        ----------
        text
            The JSON text.

        Returns
        -------
        Graph
            An equal graph, without bindings.

        Raises
        ------
        GraphError
            If the text is not such JSON, or the graph in it is not valid.

        See Also
        --------
        mmnotebook.Graph.to_json : The reverse; has an example.
        """
        graph: Graph = upcalls.call("from_json", text)
        return graph

    def transform(self, label: str = "graph") -> Any:
        """Return the graph as a Beam transform, for a pipeline of your own.

        Parameters
        ----------
        label
            The label of the transform, which is unique in a pipeline. With another label, the graph
            can be applied again.

        Returns
        -------
        beam.PTransform
            A transform. Applied to a PCollection, this takes the place of the graph's only source;
            applied to a dict of PCollections, these take the place of the sources with these names.
            The transform returns what `compile_graph` returns: the PCollection of each node by
            name, and `failed`.

        See Also
        --------
        mmnotebook.compile_graph : Add a graph with its own sources to a pipeline.

        Examples
        --------
        >>> import apache_beam as beam
        >>> import mmnotebook as mm
        >>> def double(x):
        ...     return 2 * x
        >>> graph = mm.parse("numbers | map(double)").bind(double=double)
        >>> with beam.Pipeline() as pipeline:
        ...     few = pipeline | beam.Create([1, 2])
        ...     nodes = few | graph.transform("doubled")
        ...     printed = nodes["double"] | beam.Values() | beam.Map(print)
        2
        4
        """
        return upcalls.call("transform", self, label)

    def explain(self) -> Any:
        """Explain how each step will run, with the numbers that decide its lowering and grouping.

        Returns
        -------
        Explanation
            A table with a row for each step, shown as text or HTML.

        Raises
        ------
        GraphError
            If the graph is not valid.

        See Also
        --------
        mmnotebook.explain : The same as a function; has an example.
        """
        return upcalls.call("explain", self)

    def __repr__(self) -> str:
        found = upcalls.call("problems", self)
        if found:
            first = found[0] if len(found) == 1 else f"the first: {found[0]}"
            return f"(a graph with {counted(len(found), 'problem')}, {first})"
        return self.to_text() or "(empty graph)"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        if upcalls.call("problems", self):
            return {"text/plain": repr(self)}
        drawn = {"text/html": "html", "image/svg+xml": "svg"}
        return {
            "text/plain": repr(self),
            **{k: upcalls.call(name, self) for k, name in drawn.items()},
        }


def once(graph: Graph, compute: Callable[[Graph], T]) -> T:
    """Return what a function computes from the nodes and groups of a graph, computed only once.

    Parameters
    ----------
    graph
        The graph.
    compute
        The function. Its result must not depend on the bindings, which `rebound` replaces.
    """
    computed = graph._computed
    if compute not in computed:
        computed[compute] = compute(graph)
    found: T = computed[compute]
    return found


def _content(graph: Graph) -> tuple[frozenset[Node], frozenset[Group]]:
    return frozenset(graph.nodes), frozenset(graph.groups)


def _order(graph: Graph) -> tuple[Node, ...]:
    import networkx

    place = {name: index for index, name in enumerate(graph.names)}
    ordered = networkx.lexicographical_topological_sort(graph.network(), key=place.__getitem__)
    return tuple(graph[name] for name in ordered)


def rebound(
    graph: Graph, bindings: Mapping[str, Any], pipelines: tuple[str, ...] | None = None
) -> Graph:
    """Replace the bindings of a graph and, if given, its pipelines.

    Both graphs share what is computed from their nodes; see `once`.
    """
    new = replace(graph, bindings=bindings, pipelines=pipelines or graph.pipelines)
    new.__dict__.update(_computed=graph._computed, _by_name=graph._by_name)
    return new
