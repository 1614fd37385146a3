"""Pipelines as steps of others: the inserted nodes, their names, and what is refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mmnotebook.errors import GraphError
from mmnotebook.graph.graph import Graph, Group, Input, Node
from mmnotebook.graph.kinds import KINDS
from mmnotebook.graph.models import ModelSpec, registry
from mmnotebook.graph.names import Names
from mmnotebook.notation.text import parse, pipeline, to_text
from mmnotebook.steps.phrases import reference
from tests.unit.strategies import bound_names, graphs, resolves, selects

thorough = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)

FEATURES = parse('rows["x"] | mlp | map(crop)')
BOTH = parse("rows | [mlp, tree]")
VOTE = parse("rows | [mlp, tree] | vote()")
NAMED = parse("both = rows | [mlp, tree]")
AB = parse('rows | split(mlp=0.9, tree=0.1, by="user")')
SAVED = parse('rows | mlp | write("out.csv")')
TWO = parse("[rows | mlp, other | tree] | vote()")


def crop(value: Any) -> Any:
    return value


def names(**pipelines: Graph) -> Names:
    models = dict.fromkeys(("mlp", "tree", "a", "b"), object())
    return Names(models, {**pipelines, "crop": crop}, {"digits": [1], "others": [2], "rows": [3]})


def checked_graph(text: str, **pipelines: Graph) -> Graph:
    """Return the graph of a text; its canonical text parses to an equal graph."""
    graph = parse(text, names(**pipelines))
    assert parse(to_text(graph)) == graph
    return graph


def refused(text: str, **pipelines: Graph) -> GraphError:
    with pytest.raises(GraphError) as error:
        parse(text, names(**pipelines))
    assert error.value.problems[0].line == text.count("\n") + 1
    return error.value


# --- the inserted nodes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "inner", "written"),
    [
        (
            "digits | it | a",
            FEATURES,
            'it_mlp = digits["x"] | mlp\nit = it_mlp | map(crop)\nit | a',
        ),
        ("x = digits | it", FEATURES, 'it_mlp = digits["x"] | mlp\nx = it_mlp | map(crop)'),
        (
            "digits | [it, a] | vote()",
            FEATURES,
            'it_mlp = digits["x"] | mlp\nit = it_mlp | map(crop)\ndigits | a\n[it, a] | vote()',
        ),
        (
            "digits | it | it",
            FEATURES,
            'it_mlp = digits["x"] | mlp\nit = it_mlp | map(crop)\n'
            'it_mlp_2 = it["x"] | mlp\nit_2 = it_mlp_2 | map(crop)',
        ),
        (
            "digits | switch(crop, cheap=it, costly=tree) | a",
            FEATURES,
            'digits | switch(crop, ["cheap", "costly"])\nit_mlp = switch.cheap["x"] | mlp\n'
            "it = it_mlp | map(crop)\nswitch.costly | tree\n{it, tree} | a",
        ),
        (
            "digits | split(it=0.9, tree=0.1)",
            FEATURES,
            'digits | split({"it": 0.9, "tree": 0.1})\nit_mlp = split.it["x"] | mlp\n'
            "it = it_mlp | map(crop)\nsplit.tree | tree",
        ),
        (
            'digits["y"] | it',
            VOTE,
            'it_mlp = digits["y"] | mlp\nit_tree = digits["y"] | tree\nit = [it_mlp, it_tree] '
            "| vote()",
        ),
        (
            "digits | it | vote()",
            BOTH,
            "it_mlp = digits | mlp\nit_tree = digits | tree\n[it_mlp, it_tree] | vote()",
        ),
        (
            "x = digits | it",
            BOTH,
            "it_mlp = digits | mlp\nit_tree = digits | tree\nx = [it_mlp, it_tree]",
        ),
        (
            "digits | it\nit | vote()",
            NAMED,
            "it_mlp = digits | mlp\nit_tree = digits | tree\nit = [it_mlp, it_tree]\nit | vote()",
        ),
        (
            "x = digits | it\nx | vote()",
            NAMED,
            "it_mlp = digits | mlp\nit_tree = digits | tree\nx = [it_mlp, it_tree]\nx | vote()",
        ),
        (
            "digits | it | a",
            AB,
            'it_split = digits | split({"mlp": 0.9, "tree": 0.1}, by="user")\n'
            "it_mlp = it_split.mlp | mlp\nit_tree = it_split.tree | tree\n{it_mlp, it_tree} | a",
        ),
        (
            "digits | it | a",
            SAVED,
            'it = digits | mlp\nit_write = it | write("out.csv")\nit | a',
        ),
        ("digits | it", parse('rows | write("out.csv")'), 'it = digits | write("out.csv")'),
        (
            "{digits, others} | it",
            FEATURES,
            'it_mlp = {digits["x"], others["x"]} | mlp\nit = it_mlp | map(crop)',
        ),
        (
            "digits | [a, b] | it",
            parse("rows | map(crop) | mlp"),
            "it_crop = digits | [a, b] | map(crop)\nit = it_crop | mlp",
        ),
        ("it | a", FEATURES, 'it_mlp = rows["x"] | mlp\nit = it_mlp | map(crop)\nit | a'),
        (
            "it | a\nit | b",
            BOTH,
            "it_mlp = rows | mlp\nit_tree = rows | tree\n[it_mlp, it_tree] | a\n"
            "[it_mlp, it_tree] | b",
        ),
        (
            "rows | a\nit | b",
            TWO,
            "it_mlp = rows | mlp\nit_tree = other | tree\nit = [it_mlp, it_tree] | vote()\n"
            "rows | a\nit | b",
        ),
        ("it | a", parse('source(rows, id="k") | mlp'), 'it = source(rows, id="k") | mlp\nit | a'),
        ("it | a", parse("rows"), "it = source(rows)\nit | a"),
        (
            "digits | it",
            parse('s = rows | split({"l": 0.5, "r": 0.5})\ns.l | mlp'),
            'it_s = digits | split({"l": 0.5, "r": 0.5})\nit = it_s.l | mlp',
        ),
        (
            "it = digits | it",
            FEATURES,
            'it_mlp = digits["x"] | mlp\nit = it_mlp | map(crop)',
        ),
    ],
)
def test_a_pipeline_is_written_out(text: str, inner: Graph, written: str) -> None:
    graph = checked_graph(text, it=inner)
    assert graph == parse(written)
    assert graph.pipelines == ("it",)


def test_an_output_of_a_pipeline_that_ends_in_a_split_can_be_named() -> None:
    inner = parse('rows | split({"train": 0.9, "test": 0.1})')
    graph = checked_graph("digits | it\nit.train | a", it=inner)
    assert graph["a"].inputs == (Input("it", "train"),)


def test_groups_come_along_but_not_those_of_the_replaced_source() -> None:
    inner = parse("both = rows | [mlp, tree]\nall = {rows, mlp}\nboth | vote()")
    assert set(checked_graph("digits | it", it=inner).groups) == {
        Group("it_both", ("it_mlp", "it_tree"))
    }
    assert {group.name for group in checked_graph("it | a", it=inner).groups} == {
        "it_both",
        "it_all",
    }


def test_a_pipeline_in_a_pipeline_in_a_pipeline() -> None:
    middle = checked_graph("digits | it | a", it=FEATURES)
    outer = checked_graph("others | mid | b", mid=middle)
    assert outer == parse(
        'mid_it_mlp = others["x"] | mlp\nmid_it = mid_it_mlp | map(crop)\nmid = mid_it | a\nmid | b'
    )
    assert outer.pipelines == ("mid", "it")


def test_a_node_and_a_model_of_the_name_come_first() -> None:
    assert checked_graph("it = digits | a\nit | b", it=FEATURES) == parse("it = digits | a\nit | b")
    assert checked_graph("digits | mlp", mlp=FEATURES) == parse("digits | mlp")


def test_several_ends_that_no_list_can_hold() -> None:
    inner = parse('s = rows | split({"l": 0.5, "r": 0.5})\ns.l | a\ns.r | b\nrows | c')
    error = refused("digits | it | mlp", it=inner)
    assert "some of these outputs are joined and others are in a union" in str(error)
    assert len(checked_graph("digits | it", it=inner)) == 5


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "inner", "message", "remedy"),
    [
        ("digits | it", TWO, "'it' has 2 sources, but a step has one input", "it | step"),
        ("digits | it", Graph(), "'it' has 0 sources", None),
        ("digits | it", parse("rows"), "'it' has a source but no step", None),
        (
            'digits["y"] | it',
            FEATURES,
            "'it' already selects field \"x\" of its input",
            'leave out ["y"]',
        ),
        (
            'digits[["y", "z"]] | it',
            parse('rows[["a", "b"]] | mlp'),
            'already selects fields "a", "b" of its input',
            'leave out [["y", "z"]]',
        ),
        ("digits | [a, b] | it", FEATURES, "several named outputs", "put a step"),
        (
            "{digits, others} | it",
            parse("[rows, rows | mlp] | stack()"),
            "'stack' of 'it' combines its input with others",
            "put a step",
        ),
        (
            "digits | it",
            Graph((Node.make("x", "vote", ["y"]),)),
            "'it' is not a valid pipeline: node 'x'",
            None,
        ),
        ("digits | map(it)", FEATURES, "'it' is a pipeline, not a function", "data | it"),
        ("digits | it()", FEATURES, "no such step", "data | it"),
        ("it = it | a", FEATURES, "'it' is the name of this line itself", "rename the line"),
        ("digits | it | a", parse('rows | write("x.csv")'), "nothing can follow a write", None),
        ("digits | it\nx = it", FEATURES, "'x' would be a second name for 'it'", None),
    ],
)
def test_pipelines_that_cannot_be_inlined(
    text: str, inner: Graph, message: str, remedy: str | None
) -> None:
    error = refused(text, it=inner)
    assert message in str(error.problems[0])
    assert len(error.problems) == 1
    assert remedy is None or remedy in str(error.remedy)


def test_the_nearest_pipeline_is_proposed() -> None:
    for text in ("digits | featurs", "featurs | a"):
        (problem,) = refused(text, features=FEATURES).problems
        assert problem.nearest == "features"
        assert "features" in str(problem.allowed)


# --- objects of the names --------------------------------------------------------------------


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> Graph:
    """Return a pipeline with its data and function."""
    monkeypatch.setitem(registry._specs, "mlp", ModelSpec("mlp", "torch", "m", "M", None, "00"))
    return pipeline("rows | crop | mlp", rows=[1], crop=crop)


def test_a_pipeline_brings_its_objects_but_not_the_replaced_source(bound: Graph) -> None:
    digits = [2]
    step = pipeline("digits | it", digits=digits, it=bound)
    assert step.bindings == {"digits": digits, "crop": crop}
    head = pipeline("it | mlp", it=bound)
    assert head.bindings == bound.bindings
    assert (step.pipelines, bound.pipelines) == (("it",), ())


def test_a_name_of_two_meanings_is_refused(bound: Graph) -> None:
    with pytest.raises(GraphError) as error:
        pipeline("digits | crop | it", digits=[2], it=bound, crop=len)
    (problem,) = error.value.problems
    assert problem.message.startswith("'crop' is <function crop at ")
    assert problem.message.endswith(
        "in 'it', and here <built-in function len> (builtin_function_or_method)"
    )
    assert (problem.line, problem.column) == (1, 17)
    assert error.value.remedy == "rename one of the two, which are both crop"
    same = pipeline("digits | crop | it", digits=[2], it=bound, crop=crop)
    assert same.bindings["crop"] is crop


def test_an_object_passed_for_a_pipelines_own_name_must_be_the_same(bound: Graph) -> None:
    with pytest.raises(GraphError, match="'crop' is <function crop"):
        pipeline("digits | it", digits=[2], it=bound, crop=len)
    unbound = parse("rows | map(crop) | mlp")
    assert pipeline("digits | it", digits=[2], it=unbound, crop=len).bindings["crop"] is len


def test_two_pipelines_must_mean_the_same(bound: Graph) -> None:
    other = pipeline("rows | crop | mlp", rows=[1], crop=len)
    with pytest.raises(GraphError, match="in 'that', and in 'it' <function crop"):
        pipeline("digits | it | that", digits=[2], it=bound, that=other)
    with pytest.raises(GraphError, match=r"'rows' is \[1\] \(list\) in 'that', and in 'it'"):
        pipeline("[it, that] | vote()", it=bound, that=bound.bind(rows=[1]))
    paths = [bound.bind(rows=Path("a.csv")) for _ in range(2)]
    assert len(pipeline("[it, that] | vote()", it=paths[0], that=paths[1])) == 6


def test_the_notebooks_own_function_is_not_taken_for_the_pipelines(bound: Graph) -> None:
    here = Names(registry, {"it": bound}, {"digits": [1], "crop": len})
    with pytest.raises(GraphError, match="'crop' is <function crop"):
        parse("digits | crop | it", here)
    graph = parse("digits | it", here)
    assert graph.bindings == {"crop": crop}


def test_a_pipeline_that_is_given_is_used(bound: Graph) -> None:
    with pytest.raises(GraphError) as error:
        pipeline("digits | mlp", digits=[2], mlp=bound, ti=bound)
    assert [problem.found for problem in error.value.problems] == ["'mlp'", "'ti'"]


# --- any graphs ------------------------------------------------------------------------------


def meanings(graph: Graph, source: str | None = None, into: tuple[Any, Input] | None = None) -> Any:
    """Return what every node computes, independent of names; `into` replaces a source."""
    known: dict[str, Any] = {}

    def wired(wire: Input) -> Any:
        if wire.node == source and into is not None:
            outer = into[1]
            return into[0], outer.port, outer.select if wire.select is None else wire.select
        return known[wire.node], wire.port, wire.select

    for node in graph.order():
        if node.name != source:
            wires = tuple(map(wired, node.inputs))
            known[node.name] = hash((node.kind, node.params, node.gather, wires))
    return known


@thorough
@given(st.data(), graphs(moves=2).filter(resolves), graphs(moves=3), selects)
def test_any_pipeline_computes_as_a_step_what_it_computes_alone(
    data: st.DataObject, outer: Graph, inner: Graph, select: Any
) -> None:
    sources = [node.name for node in inner if not node.inputs]
    assume(len(sources) == 1 and len(inner) > 1)
    ends = [(n, arm) for n in outer if not KINDS[n.kind].ends for arm in n.arms or (None,)]
    node, port = data.draw(st.sampled_from(ends))
    wire = Input(node.name, port, select)
    here = bound_names(outer)
    here = Names(here.models, {**here.given, "inner": inner}, {})
    try:
        graph = parse(f"{to_text(outer)}\nzz = {reference(wire)} | inner", here)
    except GraphError as error:
        excuses = (
            "already selects",
            "joined and others are in a union",
            "no field is left",  # the pipeline drops all fields that the wire selects
            "the data has no such field",  # that the pipeline selects from its own source
        )
        assert any(excuse in str(error) for excuse in excuses)
        return
    assert parse(to_text(graph)) == graph
    assert parse(to_text(graph)).to_text() == to_text(graph)
    assert all(graph[name] == outer[name] for name in outer.names)
    made = [name for name in graph.names if name not in outer]
    theirs = meanings(inner, sources[0], (meanings(outer)[node.name], wire))
    mine = meanings(graph)
    assert Counter(mine[name] for name in made) == Counter(theirs.values())
    out = next((group.members for group in graph.groups if group.name == "zz"), ("zz",))
    last = {name for name in theirs if not _goes_on(inner, name)}
    assert {mine[name] for name in out} == {theirs[name] for name in last}


def _goes_on(graph: Graph, name: str) -> bool:
    """Return whether a node is not an output: it is a write, or another step uses it."""
    writes = {node.name for node in graph if KINDS[node.kind].ends}
    used = {wire.node for node in graph if node.name not in writes for wire in node.inputs}
    outputs = [node.name for node in graph if node.inputs and node.name not in used | writes]
    return name not in (outputs or writes)


@thorough
@given(graphs(moves=2).filter(resolves), graphs(moves=3))
def test_any_pipeline_computes_at_a_head_what_it_computes_alone(outer: Graph, inner: Graph) -> None:
    here = bound_names(outer)
    here = Names(here.models, {**here.given, "inner": inner}, {})
    try:
        graph = parse(f"{to_text(outer)}\nzz = inner", here)
    except GraphError as error:
        assert "joined and others are in a union" in str(error)
        return
    assert parse(to_text(graph)) == graph
    assert all(graph[name] == outer[name] for name in outer.names)
    assert set(meanings(graph).values()) == {
        *meanings(outer).values(),
        *meanings(inner).values(),
    }
