"""Graphs as values: equality, order, checks, JSON, representation in a notebook."""

from __future__ import annotations

import json
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmnotebook.errors import GraphError, Problem
from mmnotebook.graph.checks import is_count, is_name
from mmnotebook.graph.field_selection import Drop
from mmnotebook.graph.graph import Graph, Group, Input, Node, rebound
from mmnotebook.graph.kinds import KINDS, arm_names, default_name
from mmnotebook.graph.names import Names, role_of
from mmnotebook.notation.text import parse
from mmnotebook.steps import field_flow
from mmnotebook.steps.validation import problems
from tests.unit.strategies import graphs

thorough = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)

ROWS = Node.make("rows", "source", data="rows")
MLP = Node.make("mlp", "model", ["rows"], model="mlp")


def found(*nodes: Node, groups: tuple[Group, ...] = ()) -> list[Problem]:
    return problems(Graph(nodes, groups))


def only(*nodes: Node, groups: tuple[Group, ...] = ()) -> Problem:
    (problem,) = found(*nodes, groups=groups)
    return problem


# --- nodes and graphs as values --------------------------------------------------------------


def test_a_node_has_one_form_however_it_is_made() -> None:
    weights = (("a", 0.5), ("b", 0.5))
    made = Node.make("s", "split", ["rows"], by="user", arms=[["a", 0.5], ["b", 0.5]])
    direct = Node("s", "split", (("salt", "mmnotebook"), ("by", "user"), ("arms", weights)))
    assert made == replace(direct, inputs=(Input("rows"),))
    assert made.params == (("arms", weights), ("by", "user"))
    assert (made["salt"], made["by"]) == ("mmnotebook", "user")
    with pytest.raises(KeyError):
        made["path"]
    with pytest.raises(FrozenInstanceError):
        made.name = "t"  # type: ignore[misc]


def test_arms_and_models_of_a_node() -> None:
    graph = parse(
        's = rows | split({"l": 0.5, "r": 0.5})\n'
        's.l | cascade(small, big, below=0.5)\ns.r | keyed({"k": m, "l": n, "j": m}, by="k")'
    )
    assert graph["s"].arms == ("l", "r")
    assert graph["rows"].arms == ()
    assert graph["cascade"].models == ("small", "big")
    assert graph["keyed"].models == ("m", "n")
    assert arm_names("nothing", {}) == ()
    assert default_name("write", {"path": "x"}) == "write"


def test_equality_is_about_content() -> None:
    graph = Graph((ROWS, MLP), (Group("g", ("mlp",)),))
    turned = Graph((MLP, ROWS), (Group("g", ("mlp",)),)).bind(rows=[1])
    assert graph == turned
    assert hash(graph) == hash(turned)
    assert graph != Graph((ROWS, MLP))
    assert graph != "graph"
    assert graph.bind(a=1).bind(b=2).bindings == {"a": 1, "b": 2}
    assert pickle.loads(pickle.dumps(turned)) == graph


def test_a_graph_is_a_container_of_nodes() -> None:
    graph = Graph((ROWS, MLP))
    assert (len(graph), list(graph), graph.names) == (2, [ROWS, MLP], ("rows", "mlp"))
    assert "mlp" in graph
    assert "nothing" not in graph
    assert [1] not in graph
    with pytest.raises(GraphError, match="did you mean 'mlp'"):
        graph["mpl"]


def test_order_and_upto() -> None:
    graph = Graph((MLP, ROWS, Node.make("f", "map", ["rows"], function="f")), (Group("g", ("f",)),))
    assert [node.name for node in graph.order()] == ["rows", "mlp", "f"]
    assert graph.upto("mlp") == Graph((ROWS, MLP))
    assert graph.upto("f").groups == graph.groups
    assert graph.upto("g") == graph.upto("f")
    with pytest.raises(GraphError, match="no such node"):
        graph.upto("h")


@thorough
@given(graphs())
def test_order_puts_inputs_first(graph: Graph) -> None:
    place = {node.name: at for at, node in enumerate(graph.order())}
    assert len(place) == len(graph)
    assert all(place[wire.node] < place[node.name] for node in graph for wire in node.inputs)


# --- checks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (Node.make("x", "modl", ["rows"]), "no such kind of step; found 'modl'"),
        (Node.make("x", "model", ["rows"], model="1"), "'model' of model cannot have this value"),
        (Node.make("x", "model", ["rows"]), "model needs 'model'"),
        (Node.make("x", "model", ["rows"], model="m", modell=1), "has no parameter 'modell'"),
        (Node.make("x", "model", ["rwos"], model="m"), "its input is not a node of this graph"),
        (Node.make("x", "model", model="m"), "this model step has no input"),
        (Node.make("x", "model", ["rows", "b"], model="m"), "several inputs without a gather mode"),
        (Node.make("x", "model", ["rows"], "union", model="m"), "a union needs two or more inputs"),
        (Node.make("x", "model", ["rows"], "blend", model="m"), "unknown gather mode"),  # type: ignore[arg-type]
        (Node.make("x", "vote", ["rows"]), "vote combines several outputs"),
        (Node.make("x", "read", ["rows"], path="p"), "read starts a line"),
        (Node.make("x", "map", [Input("rows", "a")], function="f"), "'rows' has no branches"),
        (Node.make("x", "map", [Input("rows", None, ())], function="f"), "not a field"),
        (Node.make("x", "map", [Input("rows", None, Drop(()))], function="f"), "not a field"),
        (Node.make("x", "map", ["rows", "rows"], "join", function="f"), "the same input twice"),
        (Node.make("1x", "map", ["rows"], function="f"), "not a name; found '1x'"),
        (Node.make("ﬁ", "map", ["rows"], function="f"), "not a name"),
        (Node.make("rows", "map", ["b"], function="f"), "the name is used 2 times"),
        (Node.make("x", "map", ["x"], function="f"), "a step cannot feed itself; found x → x"),
    ],
)
def test_problems_of_a_node(node: Node, message: str) -> None:
    other = Node.make("b", "source", data="b")
    assert message in str(only(ROWS, other, node))


def test_ports_are_checked() -> None:
    split = Node.make("s", "split", ["rows"], arms=[["left", 0.5], ["right", 0.5]])
    wrong = Node.make("x", "map", [Input("s", "lift")], function="f")
    problem = only(ROWS, split, wrong)
    assert (problem.node, problem.allowed, problem.nearest) == ("x", "s.left, s.right", "left")
    both = [Input("s", "left"), Input("s", "right")]
    assert found(ROWS, split, Node.make("x", "map", both, "union", function="f")) == []
    assert "twice" in str(only(ROWS, split, Node.make("x", "map", both, "join", function="f")))


@pytest.mark.parametrize("arms", [None, 3, {"a": 1}, [None, "b"], [[None], ["b"]], [{}, []]])
def test_unknown_branches_are_reported_where_they_are_used_too(arms: object) -> None:
    split = Node.make("s", "split", ["rows"], arms=arms)
    told = found(ROWS, split, Node.make("x", "map", [Input("s", "a")], function="f"))
    assert {problem.node for problem in told} == {"s", "x"}


def test_nothing_follows_a_write() -> None:
    write = Node.make("write", "write", ["rows"], path="x.csv")
    after = Node.make("x", "map", ["write"], function="f")
    assert only(ROWS, write, after).message == "nothing can follow a write"


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (Group("g", ()), "a group needs members, each once"),
        (Group("g", ("rows", "rows")), "a group needs members, each once"),
        (Group("g", ("rows",), "mix"), "unknown gather mode"),  # type: ignore[arg-type]
        (Group("g", ("row",)), "its member is not a node of this graph"),
        (Group("rows", ("rows",)), "the name is used 2 times"),
        (Group("a b", ("rows",)), "not a name"),
    ],
)
def test_problems_of_a_group(group: Group, message: str) -> None:
    assert message in str(only(ROWS, groups=(group,)))


def test_every_problem_is_reported() -> None:
    graph = Graph((Node.make("x", "vote", ["a"]), Node.make("y", "model")))
    with pytest.raises(GraphError) as error:
        graph.validate()
    assert len(error.value.problems) == 4
    assert str(error.value).startswith("4 problems\n")
    assert repr(graph).startswith("(a graph with 4 problems, the first: node 'x'")
    assert list(graph._repr_mimebundle_()) == ["text/plain"]


@pytest.mark.parametrize(
    ("kind", "param", "bad"),
    [
        ("split", "arms", [["a", 0.5], ["b", 0.6]]),
        ("split", "arms", [["a", 1.0]]),
        ("split", "arms", [["a", 1.0], ["b", 0.0]]),
        ("split", "arms", [["a", 0.5], ["a", 0.5]]),
        ("split", "arms", [[{}, 0.5], ["b", 0.5]]),
        ("split", "arms", [["a", True], ["b", False]]),
        ("split", "arms", 3),
        ("split", "salt", ""),
        ("switch", "arms", ["a", "a"]),
        ("switch", "arms", ["a", []]),
        ("switch", "arms", "ab"),
        ("cascade", "below", 1.1),
        ("cascade", "below", float("nan")),
        ("keyed", "models", [[["k", 1], "m"]]),
        ("keyed", "models", [[[], "m"]]),
        ("keyed", "models", [[[1], "m"]]),
        ("keyed", "models", []),
        ("keyed", "max_models", 0),
        ("keyed", "max_models", True),
        ("keyed", "group", 1),
        ("keyed", "group", "never"),
        ("keyed", "by_function", "a b"),
        ("keyed", "default", ""),
        ("keyed", "lowering", "best"),
        ("keyed", "lowering", None),
        ("split", "pin", {"a": "b"}),
        ("split", "pin", []),
        ("cascade", "score", "1"),
        ("model", "watch", ""),
        ("vote", "missing", "rest"),
        ("vote", "missing", True),
        ("stack", "missing", "rest"),
        ("read", "mode", "BGR"),
        ("read", "mode", None),
        ("read", "rotate", 0),
        ("read", "rotate", 90),
    ],
)
def test_bad_parameters(kind: str, param: str, bad: object) -> None:
    known = KINDS[kind].param(param)
    assert known is not None
    told = found(ROWS, Node.make("x", kind, ["rows"], **{param: bad}))
    message = f"{param!r} of {kind} cannot have this value"
    assert [p.allowed for p in told if p.message == message] == [known.allowed]


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        (
            "keyed",
            {"models": [[["k", "l"], "m"], [["l"], "n"]], "by": "k"},
            "the key 'l' is in two mappings, to 'm' and 'n'",
        ),
        (
            "split",
            {"arms": [["a", 0.5], ["b", 0.5]], "pin": [[["7"], "a"], [["7"], "b"]]},
            "the key '7' is in two mappings, to 'a' and 'b'",
        ),
        (
            "keyed",
            {"models": [[["k"], "m"]], "by": "k", "by_function": "f"},
            "'by' is both a field and a function",
        ),
        (
            "split",
            {"arms": [["left", 0.5], ["right", 0.5]], "pin": [[["7"], "lift"]]},
            "'pin' names an unknown branch; found 'lift'; allowed: left, right; "
            "did you mean 'left'?",
        ),
        ("map", {"function": "f", "missing": "skip"}, "nothing is joined here"),
    ],
)
def test_parameters_that_do_not_fit_together(
    kind: str, params: dict[str, Any], message: str
) -> None:
    assert message in str(only(ROWS, Node.make("x", kind, ["rows"], **params)))


@pytest.mark.parametrize("kind", ["map", "flat_map", "filter"])
def test_missing_is_for_what_joins(kind: str) -> None:
    other = Node.make("b", "source", data="b")
    joins = Node.make("x", kind, ["rows", "b"], "join", function="f", missing="skip")
    assert found(ROWS, other, joins) == []
    unites = replace(joins, gather="union")
    problem = only(ROWS, other, unites)
    assert (problem.found, problem.node) == ('missing="skip"', "x")
    assert f'[a, b] | {kind}(…, missing="skip")' in str(problem.allowed)


def test_a_stack_cannot_use_the_rest() -> None:
    other = Node.make("b", "source", data="b")
    stack = Node.make("x", "stack", ["rows", "b"], "join", missing="use rest")
    assert "stack cannot use the rest: the output shape would differ" in str(
        only(ROWS, other, stack)
    )
    assert found(ROWS, other, replace(stack, params=(("missing", "skip"),))) == []


@thorough
@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), min_size=1, max_size=3))
def test_a_key_counts_once_in_one_mapping_and_is_refused_in_two(groups: list[list[str]]) -> None:
    models = [[keys, f"m{place}"] for place, keys in enumerate(groups)]
    once = [[sorted(set(keys), key=keys.index), name] for keys, name in models]
    node = Node.make("x", "keyed", ["rows"], models=models, by="k")
    assert node == Node.make("x", "keyed", ["rows"], models=once, by="k")
    shared = [key for key in "abcd" if sum(key in keys for keys in groups) > 1]
    told = found(ROWS, node)
    assert bool(told) == bool(shared)
    for problem in told:
        key = problem.message.split("'")[1]
        named = [name for keys, name in models if key in keys]
        assert key in shared
        assert problem.message.endswith(" and ".join(map(repr, named)))


def test_names_and_counts() -> None:
    assert is_name("é")
    assert not any(is_name(value) for value in ("", "class", "a b", "ﬁ", 3, None))
    assert is_count(1)
    assert not any(is_count(value) for value in (0, True, 1.0, 10**5000))


# --- JSON ------------------------------------------------------------------------------------


@thorough
@given(graphs())
def test_json_reads_back_to_an_equal_graph(graph: Graph) -> None:
    text = graph.to_json()
    assert Graph.from_json(text) == graph
    assert Graph.from_json(text).to_json() == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | st.sampled_from(["", "a", "ﬁ"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("a"), inner),
    max_leaves=3,
)


@thorough
@given(st.data())
def test_json_with_anything_in_it_is_a_valid_graph_or_a_graph_error(data: st.DataObject) -> None:
    content = json.loads(data.draw(graphs(moves=2)).to_json())
    spots = list(_spots(content))
    holder, key = data.draw(st.sampled_from(spots))
    holder[key] = data.draw(json_values)
    try:
        graph = Graph.from_json(json.dumps(content))
    except GraphError as error:
        assert str(error)
    else:
        assert problems(graph) == []
        assert Graph.from_json(graph.to_json()) == graph


def _spots(value: Any) -> Any:
    """Yield every position in JSON content at which a value could be inserted."""
    keys: Any = []
    if isinstance(value, dict):
        keys = value
    elif isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        yield value, key
        yield from _spots(value[key])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a graph's JSON"),
        ("[]", "not a graph's JSON"),
        ("[" * 100000, "not a graph's JSON"),
        ('{"mmnotebook": 2}', "unknown format; found 2; allowed: 1"),
        ('{"mmnotebook": 1, "nodes": []}', "KeyError: 'groups'"),
        ('{"mmnotebook": 1, "nodes": [{"name": 1}], "groups": []}', "not a graph's JSON"),
        (
            '{"mmnotebook": 1, "nodes": [{"name": "a", "kind": "b", "params": {}, "inputs": []}], '
            '"groups": []}',
            "no such kind of step",
        ),
    ],
)
def test_json_that_is_not_a_graph(text: str, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        Graph.from_json(text)


def test_json_holds_names_and_no_objects() -> None:
    graph = parse("rows | a").bind(rows=object())
    assert Graph.from_json(graph.to_json()).bindings == {}
    assert json.loads(graph.to_json())["mmnotebook"] == 1


# --- names -----------------------------------------------------------------------------------


def test_names_are_looked_up_in_their_order() -> None:
    names = Names({"m": 1, "f": 2}, {"rows": [1]}, {"rows": len, "f": len, "_private": [2]})
    assert (names.role("rows"), names.role("f"), names.role("nothing")) == ("data", "model", None)
    assert names.function("f") is len
    assert names.function("len") is len
    assert names.function("rows") is None
    assert names.is_data("_private")
    assert not names.is_data("nothing")
    assert list(names.known("data", "model")) == ["m", "f", "rows"]
    assert role_of(3) is None
    assert role_of(int) == "function"
    assert role_of(Graph()) == "pipeline"
    assert list(Names({}, {"g": Graph()}, {"h": Graph()}).known("pipeline")) == ["h", "g"]


# --- representation in a notebook ------------------------------------------------------------


def test_a_graph_explains_how_it_will_be_run() -> None:
    told = repr(parse("rows | map(abs)").bind(rows=[1, 2]).explain())
    assert "rows" in told
    assert "abs" in told


def test_a_graph_shows_itself_as_text_and_drawing() -> None:
    bundle = parse("rows | a")._repr_mimebundle_()
    assert bundle["text/plain"] == "rows | a"
    assert "<svg" in bundle["text/html"]
    assert bundle["image/svg+xml"].startswith("<svg")


@thorough
@given(graphs(moves=4))
def test_a_graph_with_other_bindings_has_the_order_of_a_new_graph(graph: Graph) -> None:
    order = graph.order()
    bound = rebound(graph, {"a": [1]})
    assert bound == graph
    assert dict(bound.bindings) == {"a": [1]}
    assert bound.order() == order == Graph(graph.nodes, graph.groups).order()
    added = replace(bound, nodes=(*bound.nodes, Node.make("new", "source", data="new")))
    assert added != bound
    assert len(added.order()) == len(order) + 1


def test_by_finds_the_fields_of_all_sources_before_a_step() -> None:
    lines = (
        "other | elsewhere",
        'fork = {left, right} | split({"p": 0.5, "q": 0.5}, by="x")',
        'end = fork.p | split({"r": 0.5, "s": 0.5}, by="z")',
    )
    graph = parse("\n".join(lines))
    shapes = {"left": ["x"], "right": ["y"], "other": ["z"]}
    (problem,) = field_flow.problems(graph, lambda node: dict.fromkeys(shapes[node.name]), {})
    assert (problem.node, problem.found, problem.allowed) == ("end", "'z'", "'x', 'y'")
