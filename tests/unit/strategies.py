"""Strategies for valid graphs, and for texts that are almost pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from mmnotebook.editing.texts import problems
from mmnotebook.graph.field_selection import Drop
from mmnotebook.graph.graph import Graph, Group, Input, Node
from mmnotebook.graph.kinds import IMAGE_MODES, KINDS, LOWERINGS, MISSING, default_name
from mmnotebook.graph.names import AbsentTransform, Names
from mmnotebook.steps import branch_meetings

# Names with another meaning elsewhere in the notation, plain names and unusual names.
PLAIN = ("a", "b", "c", "d", "rows", "mlp", "tree", "crop")
ODD = ("split", "switch", "vote", "read", "source", "by", "salt", "arms", "match", "_", "é", "名")
names = st.sampled_from((*PLAIN, *ODD, *(f"{name}_{n}" for name in PLAIN for n in (2, 3))))
texts = st.sampled_from(["x", "id", "qu\"o'te", "line\nbreak", "\ud800\0", "é"])
fields = texts | st.text(max_size=3)
drops = st.builds(Drop, st.sampled_from([("x",), ("y", "x"), ("",), ("qu\"o'te", "line\nbreak")]))
selects = st.sampled_from([None, None, None, "x", ("x", "y"), ("x",), "", ("'",)]) | drops
fractions = st.sampled_from([0, 1, 0.5]) | st.floats(0, 1)


@st.composite
def weights(draw: st.DrawFn, arms: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Draw ((branch, fraction), ...) with the sum 1."""
    parts = [draw(st.integers(1, 9)) for _ in arms]
    return tuple((arm, part / sum(parts)) for arm, part in zip(arms, parts, strict=True))


def in_two(pairs: Sequence[tuple[Sequence[str], str]]) -> bool:
    """Return whether a key is in two of these groups."""
    keys = [key for group, _ in pairs for key in set(group)]
    return len(keys) != len(set(keys))


@st.composite
def pins(draw: st.DrawFn, arms: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """Draw `pin` for some ids."""
    groups = st.lists(st.lists(fields, min_size=1, max_size=2), min_size=1, max_size=2)
    arm = st.sampled_from([name for name, _ in arms])
    drawn = [(group, draw(arm)) for group in draw(groups)]
    return {} if in_two(drawn) else {"pin": drawn}


several = st.lists(names, min_size=2, max_size=3, unique=True)
keyed_models = st.lists(
    st.tuples(st.lists(fields, min_size=1, max_size=2), names), min_size=1, max_size=3
).filter(lambda pairs: not in_two(pairs))

VALUES: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("data", "model", "function", "transform", "small", "big"), names),
    **dict.fromkeys(("id", "path", "salt", "by"), texts),
    "below": fractions,
    "max_models": st.integers(1, 2**31 - 1),
    "group": st.sampled_from([True, False, "auto"]),
    "models": keyed_models,
    "default": names,
    "lowering": st.sampled_from(LOWERINGS),
    "missing": st.sampled_from(MISSING),
    "score": names,
    "by_function": names,
    "watch": texts,
    "mode": st.sampled_from(IMAGE_MODES),
    "rotate": st.booleans(),
}


@st.composite
def params(
    draw: st.DrawFn, kind: str, arms: Sequence[str] | None = None, joins: bool = True
) -> dict[str, Any]:
    """Draw valid parameters of a step, with or without a join; some optional ones are missing."""
    given: dict[str, Any] = {}
    for param in KINDS[kind].params:
        if param.name == "by_function" and "by" in given:
            continue
        needed = param.required or (param.name == "by_function" and kind == "keyed")
        if param.name == "arms":
            arms = arms or draw(several)
            given["arms"] = draw(weights(arms)) if kind == "split" else tuple(arms)
        elif param.name == "missing" and not joins:
            continue
        elif param.name == "pin":
            given |= draw(st.just({}) | pins(given["arms"]))
        elif param.name == "missing" and kind == "stack":
            given["missing"] = draw(st.sampled_from(["fail", "skip"]))
        elif needed or draw(st.booleans()):
            given[param.name] = draw(VALUES[param.name])
    return given


@dataclass
class Sketch:
    """A graph under construction."""

    draw: st.DrawFn
    nodes: list[Node] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def name(self, wanted: str | None) -> str:
        """Return the wanted name in most cases, if it is free."""
        if wanted is None or wanted in self.taken or self.draw(st.integers(0, 5)) == 5:
            wanted = self.draw(names.filter(lambda name: name not in self.taken))
        self.taken.add(wanted)
        return wanted

    def add(self, kind: str, given: dict[str, Any], inputs: Sequence[Input], gather: Any) -> Node:
        name = self.name(default_name(kind, given))
        self.nodes.append(Node.make(name, kind, inputs, gather, **given))
        return self.nodes[-1]

    def ends(self) -> list[tuple[str, str | None]]:
        """Return every output that can have a next step."""
        open_ = [node for node in self.nodes if not KINDS[node.kind].ends]
        return [(node.name, port) for node in open_ for port in (node.arms or (None,))]

    def wire(self) -> Input:
        return Input(*self.draw(st.sampled_from(self.ends())), self.draw(selects))

    def source(self) -> None:
        kind = self.draw(st.sampled_from(["source", "source", "read"]))
        self.add(kind, self.draw(params(kind)), (), None)

    def step(self) -> None:
        kind = self.draw(st.sampled_from([k for k, v in KINDS.items() if v.inputs != "none"]))
        gather = self.draw(st.sampled_from([None, None, "join", "union"]))
        if KINDS[kind].inputs == "join":
            gather = "join"
        ends = self.ends()
        if gather == "union" and len(ends) < 2:
            gather = None
        count = {None: (1, 1), "join": (1, 3), "union": (2, 3)}[gather]
        unique = (lambda end: end[0]) if gather == "join" else (lambda end: end)
        chosen = self.draw(
            st.lists(st.sampled_from(ends), min_size=count[0], max_size=count[1], unique_by=unique)
        )
        wires = [Input(*end, self.draw(selects)) for end in chosen]
        if gather == "join" and self.draw(st.integers(0, 3)) == 3:
            count = len(wires)
            labels = self.draw(st.lists(texts, min_size=count, max_size=count, unique=True))
            wires = [replace(w, label=label) for w, label in zip(wires, labels, strict=True)]
            if self.draw(st.booleans()):  # another field of one of them, with a separate key
                label = self.draw(texts.filter(lambda text: text not in labels))
                wires.append(replace(wires[0], select=self.draw(selects), label=label))
        given = self.draw(params(kind, joins=gather == "join"))
        self.add(kind, given, wires, gather)

    def mirror(self) -> None:
        """Draw parallel models, and sometimes a step that combines them."""
        wire = self.wire()
        nodes = [self.add("model", {"model": m}, (wire,), None) for m in self.draw(several)]
        if self.draw(st.booleans()):
            wires = [Input(node.name, None, self.draw(selects)) for node in nodes]
            self.add("vote", {}, wires, "join")

    def fork(self) -> None:
        """Draw a split or a switch, a model on each branch, and sometimes a union."""
        kind, arms = self.draw(st.sampled_from(["split", "switch"])), self.draw(several)
        models = arms if kind == "split" else self.draw(st.permutations(arms))
        given = self.draw(params(kind, arms))
        wire = self.wire()
        fork = self.add(kind, given, (wire,), None).name
        fed = [
            self.add("model", {"model": model}, (Input(fork, arm),), None).name
            for arm, model in zip(arms, models, strict=True)
        ]
        if self.draw(st.booleans()):
            select = self.draw(selects)
            wires = [Input(name, None, select) for name in fed]
            self.add("map", {"function": "f"}, wires, "union")

    def group(self) -> Group:
        """Draw a group of any nodes, or of nodes with the same input."""
        whole = [node.name for node in self.nodes]
        wire = self.draw(st.sampled_from([w for n in self.nodes for w in n.inputs] or [None]))
        beside = [node.name for node in self.nodes if wire in node.inputs]
        pool = beside if beside and self.draw(st.booleans()) else whole
        members = self.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3, unique=True))
        gather = self.draw(st.sampled_from(["join", "union"]))
        return Group(self.name(None), tuple(members), gather)


@st.composite
def graphs(draw: st.DrawFn, moves: int = 5) -> Graph:
    """Draw a valid graph with one or more nodes, in any order."""
    sketch = Sketch(draw)
    sketch.source()
    kinds = [Sketch.step, Sketch.mirror, Sketch.fork, Sketch.source, Sketch.step]
    for move in draw(st.lists(st.sampled_from(kinds), max_size=moves)):
        move(sketch)
    groups = [sketch.group() for _ in range(draw(st.integers(0, 2)))]
    nodes = draw(st.permutations(sketch.nodes))
    return meeting_only(Graph(tuple(nodes), tuple(groups))).validate()


def meeting_only(graph: Graph) -> Graph:
    """Return the graph with only one input for each join that could never succeed."""
    while never := {one.node for one in branch_meetings.impossible_joins(graph)}:
        cut = (replace(n, inputs=n.inputs[:1]) if n.name in never else n for n in graph)
        graph = replace(graph, nodes=tuple(cut))
    return graph


def transforms_of(graph: Graph) -> set[str]:
    """Return the names of Beam transforms in a graph."""
    return {name for node in graph for name in node.transforms}


def bound_names(graph: Graph) -> Names:
    """Return an object for every name in a graph, each of a different kind."""
    given: dict[str, Any] = {}
    models: dict[str, object] = {model: object() for node in graph for model in node.models}
    for node in graph:
        given |= {name: [1, 2, 3] for name in node.data}
        given |= dict.fromkeys(node.functions, len)
    given |= dict.fromkeys(transforms_of(graph), AbsentTransform())
    return Names(models=models, given=given, notebook={})


def resolves(graph: Graph) -> bool:
    """Return whether each data name has one meaning, and every selected field exists."""
    data = {name for node in graph for name in node.data}
    functions = {n for node in graph for n in node.functions if not node.transforms}
    transforms = transforms_of(graph)
    models = {model for node in graph for model in node.models}
    apart = functions.isdisjoint(transforms) and data.isdisjoint(functions | transforms | models)
    return apart and transforms.isdisjoint(models) and not problems(graph, bound_names(graph))


VALID = (
    'both = digits["x"] | [mlp, tree]',
    'digits["x"] | [a, b["y"]] | vote()',
    "photos | detector | map(crop) | classifier",
    'rows | split(a=0.9, b=0.1, by="user") | map(f)',
    's = rows | split({"train": 0.9, "test": 0.1})\ns.train | a\ns.test[["x", "y"]] | b',
    "rows | switch(route, cheap=a, costly=b | c)",
    'rows["x"] | keyed({"K": m, ("L", "M"): n}, by="lang", max_models=2, group=True)',
    'x = source(d, id="k")\nread("p.csv") | cascade(small, big, below=0.8) | write("o.csv")',
    "g = {a, b}\n{g, c} | map(f)\n[a, [b]] | stack()\n",
    'rows.drop("label", "id") | [a, b.drop("x")] | f\n{"l": d["x"], "r": d["y"]} | g',
)
tokens = st.sampled_from(
    [*PLAIN, *ODD, *KINDS, *" |[](){}=,.:\"'#\n\t;-+*", "0.5", "10", "lambda x: x", "\0", "\ud800"]
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Draw a valid text in which a few pieces are removed, inserted or doubled."""
    text = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        stop = min(len(text), start + draw(st.integers(0, 6)))
        middle = draw(st.sampled_from(["", text[start:stop] * 2]) | tokens)
        text = text[:start] + middle + text[stop:]
    return text


soup = st.lists(tokens, max_size=25).map(" ".join)
