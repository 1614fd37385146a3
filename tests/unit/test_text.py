"""The notation: the meaning of each text, its errors and their positions, and canonical text."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmnotebook.errors import GraphError, Problem
from mmnotebook.graph.field_selection import Drop
from mmnotebook.graph.graph import Graph, Group, Input, Node
from mmnotebook.graph.models import ModelSpec, registry
from mmnotebook.graph.names import Names, notebook_names
from mmnotebook.notation.text import parse, pipeline, to_text
from tests.unit.strategies import VALID, bound_names, graphs, mutated, resolves, soup

thorough = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def crop(value: Any) -> Any:
    return value


class Tokenizer:
    """A class in the notebook that is not a model."""


NOTEBOOK = Names(
    models={"mlp": 1, "tree": 2, "detector": 3},
    given={"rows": [1, 2]},
    notebook={
        "digits": pd.DataFrame({"x": [1]}),
        "grid": np.zeros(3),
        "crop": crop,
        "Tokenizer": Tokenizer,
        "net": torch.nn.Linear(1, 1),
        "seven": 7,
    },
)


def refused(text: str, names: Names | None = None) -> tuple[Problem, ...]:
    with pytest.raises(GraphError) as error:
        parse(text, names)
    return error.value.problems


def only(text: str, names: Names | None = None) -> Problem:
    (problem,) = refused(text, names)
    return problem


def place(problem: Problem) -> tuple[int | None, int | None]:
    return problem.line, problem.column


def same(text: str) -> None:
    """Check that a text is canonical."""
    text = textwrap.dedent(text).strip()
    assert to_text(parse(text)) == text


def check(text: str, names: Names | None) -> None:
    """Check that a text is a valid graph with a canonical text, or a GraphError with positions."""
    try:
        graph = parse(text, names)
    except GraphError as error:
        places = [place(problem) for problem in error.problems]
        nothing = error.problems[0].message == "there is no pipeline in this text"
        assert nothing or all(line and column for line, column in places)
        assert places == sorted(places)
    else:
        assert graph.validate() == parse(to_text(graph), names)


def test_all_but_some_fields() -> None:
    graph = parse('rows.drop("label", "id") | [a, b.drop("x") | f]')
    assert graph["a"].inputs == (Input("rows", None, Drop(("label", "id"))),)
    assert graph["f"].inputs == (Input("b", None, Drop(("x",))),)
    same('read("p.csv").drop("x") | a')
    same('s = rows | split({"drop": 0.5, "b": 0.5})\ns.drop.drop("x") | a\ns.b["x"] | b')
    assert Drop(("x", "y", "x")) == Drop(("x", "y"))


def test_fields_of_one_output_are_joined_under_keys_of_their_own() -> None:
    same('{"a": df["x"], "b": df["y"], "c": df} | f')
    graph = parse('{"a": df["x"], "b": df["y"]} | f')
    assert [(wire.key, wire.select) for wire in graph["f"].inputs] == [("a", "x"), ("b", "y")]


# --- round trips -----------------------------------------------------------------------------


@thorough
@given(graphs())
def test_text_of_any_graph_parses_back_to_it(graph: Graph) -> None:
    text = to_text(graph)
    back = parse(text)
    assert back == graph
    assert to_text(back) == text


@thorough
@given(graphs().filter(resolves))
def test_text_parses_back_if_its_names_are_bound(graph: Graph) -> None:
    assert parse(to_text(graph), bound_names(graph)) == graph


# How deeply nested a text Python's parser accepts depends on the release.
@pytest.mark.parametrize("text", ["a" + " | b" * 20000, "a | " + "(a | " * 150 + "b" + ")" * 150])
def test_deeply_nested_text_is_read_or_refused(text: str) -> None:
    check(text, None)


@thorough
@given(st.text() | mutated() | mutated() | soup, st.sampled_from([None, NOTEBOOK]))
def test_any_text_is_a_valid_graph_or_a_graph_error(text: str, names: Names | None) -> None:
    check(text, names)


@pytest.mark.parametrize(
    "text",
    [
        "a\0b",
        "a | \ud800",
        "a | f(" + "9" * 5000 + ")",
        "a | keyed({'k': m}, by='x', max_models=0x" + "f" * 9000 + ")",
        "-" * 3000 + "1",
        "a" + "[0]" * 2000,
        "[" * 5000,
        "a | " + "(" * 250 + "b" + ")" * 250,
        "'\\z' | b",
        "\ufeff a |",
        "a\\",
    ],
)
def test_hostile_text_is_refused(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert refused(text)


def test_long_and_deep_texts_are_read() -> None:
    assert len(parse("a" + " | b" * 500)) == 501
    assert len(parse("[" * 90 + "a" + "]" * 90 + " | b")) == 2
    lines = "\n".join(f"x{n} = rows | m{n}" for n in range(2000))
    assert to_text(parse(lines)) == lines


def test_parsing_changes_no_warning_filter() -> None:
    before = list(warnings.filters)
    refused("'\\z' | b")
    assert list(warnings.filters) == before


# --- canonical text --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        'both = digits["x"] | [mlp, tree]',
        'digits["x"] | [mlp, tree]',
        'digits["x"] | [a, b] | vote()',
        "rows | [a, b, map(f)] | stack()",
        'rows | [a, b["y"]] | stack()',
        "rows | [a] | map(f)",
        "photos | detector | map(crop) | classifier",
        'photos | detector["boxes"] | map(crop) | classifier | write("out.csv")',
        'rows[["x", "y"]] | a',
        'rows | split(a=0.9, b=0.1, by="user")',
        "rows | split(a=0.9, b=0.1) | map(f)",
        'rows | split(a=0.9, b=0.1)[["x"]] | map(f)',
        "both = rows | split(a=0.9, b=0.1)",
        "rows | switch(route, cheap=a, costly=b) | map(f)",
        's = rows | split({"train": 0.9, "test": 0.1})\ns.train | a\ns.test["x"] | b',
        's = rows | switch(route, ["left", "right"])\n{s.left, s.right} | map(f)',
        'rows["x"] | keyed({"K": m1, ("L", "M"): m2}, by="lang", max_models=2, group=True)',
        "rows | cascade(small, big, below=0.8)",
        "both = rows | [a, b]\nboth | vote()\nboth | map(f)",
        'both = rows | [a, b]\nboth["x"] | vote()',
        'all = {rows, other}\nall["x"] | a',
        'x = source(data, id="key")\nx | [a, b]',
        'source(data, id="key")["x"] | a',
        'read("data/*.parquet", id="key") | a | b',
        "rows",
        "rows | flat_map(f) | filter(g)",
        "b = rows | a\na = rows | b",
        "mlp | mlp_2",
        "rows | split(a=0.5, a2=0.5)",
        "rows | split(a=0.5, b=0.5, by=user_of)",
        'rows | split(a=0.5, b=0.5, salt="s", pin={"7": "a", ("8", "x"): "b"})',
        's = rows | split({"l": 0.5, "r": 0.5}, by=user_of, pin={"7": "l"})',
        'rows | keyed({"K": m}, by=key_of, default=m)',
        'rows | keyed({"K": m}, by="lang", group=False, default=n, lowering="beam")',
        "rows | cascade(small, big, below=0.5, score=f)",
        '[a, b] | vote(missing="use rest")',
        'rows | [a, b] | map(f, missing="skip")',
        '[a, b] | stack(missing="skip")',
        'rows | model(mlp, watch="models/*.pt")',
        'rows | [model(mlp, watch="models/*.pt"), tree] | mean()',
    ],
)
def test_readable_text_is_canonical(text: str) -> None:
    same(text)


def test_other_ways_to_write_the_same() -> None:
    for text, canonical in [
        ("(rows\n | a\n | b)", "rows | a | b"),
        ("rows | (a | b)", "rows | a | b"),
        ("   rows | a\n   rows | b", "rows | [a, b]"),
        ("rows | model(a); rows | map(function=f)", "rows | [a, map(f)]"),
        ("[rows | a, rows | b] | vote()", "rows | [a, b] | vote()"),
        ("rows | [a, [b, c]] | vote()", "rows | [a, b, c] | vote()"),
        ("rows | split(arms={'a': .5, 'b': .5})\nsplit.a | f", None),
        ("rows | split(a=0.5, b=0.5, salt='mmnotebook')", "rows | split(a=0.5, b=0.5)"),
        ('rows | keyed({"K": m}, "lang", group="auto")', 'rows | keyed({"K": m}, by="lang")'),
        ("rows | cascade(small, big, 1)", "rows | cascade(small, big, below=1.0)"),
        ("both = rows | [a, b]\n[a, b] | vote()", "both = rows | [a, b]\nboth | vote()"),
        ("source(rows) | a\nrows | b", "rows | [a, b]"),
        (
            "rows | keyed({7: m, (-1, 'x'): n}, by='k')",
            'rows | keyed({"7": m, ("-1", "x"): n}, by="k")',
        ),
        ('rows | keyed({("K", "K", "L"): m}, by="k")', 'rows | keyed({("K", "L"): m}, by="k")'),
        ('rows | keyed({("K", "K"): m}, by="k")', 'rows | keyed({"K": m}, by="k")'),
        ("rows | keyed({'K': m}, by_function=f)", 'rows | keyed({"K": m}, by=f)'),
        ("rows | keyed({'K': m}, by='k', lowering='auto')", 'rows | keyed({"K": m}, by="k")'),
        ("rows | split(a=.5, b=.5, pin={7: 'a'})", 'rows | split(a=0.5, b=0.5, pin={"7": "a"})'),
        ("rows | map(f, missing='fail')", "rows | map(f)"),
        ("rows | model(mlp)", "rows | mlp"),
    ]:
        graph = parse(text)
        assert parse(to_text(graph)) == graph
        if canonical is not None:
            assert to_text(graph) == canonical


def test_graphs_in_another_order_are_equal_and_an_empty_one_has_no_text() -> None:
    assert parse("rows | a\nrows | b") == parse("rows | b\nrows | a")
    assert to_text(Graph()) == ""
    assert repr(Graph()) == "(empty graph)"


# --- the meaning of a text -------------------------------------------------------------------


def test_mirror() -> None:
    graph = parse('both = digits["x"] | [mlp, tree]')
    assert graph == Graph(
        (
            Node.make("digits", "source", data="digits"),
            Node.make("mlp", "model", [Input("digits", None, "x")], model="mlp"),
            Node.make("tree", "model", [Input("digits", None, "x")], model="tree"),
        ),
        (Group("both", ("mlp", "tree")),),
    )


def test_a_step_after_a_list_gets_its_outputs_joined() -> None:
    vote = parse("rows | [a, b | c, d] | vote()")["vote"]
    assert (vote.gather, [wire.node for wire in vote.inputs]) == ("join", ["a", "c", "d"])


def test_a_step_after_a_split_gets_each_element_once() -> None:
    graph = parse('rows | split(a=0.9, b=0.1, by="user", salt="s") | map(f)')
    assert graph["split"].params == (
        ("arms", (("a", 0.9), ("b", 0.1))),
        ("by", "user"),
        ("salt", "s"),
    )
    assert graph["a"].inputs == (Input("split", "a"),)
    assert (graph["f"].gather, graph["f"].inputs) == ("union", (Input("a"), Input("b")))


def test_by_is_a_field_in_quotes_and_a_function_without() -> None:
    for text in ("rows | split(a=0.5, b=0.5, by={})", "rows | keyed({{'k': m}}, by={})"):
        field, function = (list(parse(text.format(by)))[1] for by in ('"len"', "len"))
        assert (field["by"], field["by_function"], field.functions) == ("len", None, ())
        assert (function["by"], function["by_function"]) == (None, "len")
        assert function.functions == ("len",)


def test_a_key_is_a_text_and_counts_once_in_its_mapping() -> None:
    keyed = parse("rows | keyed({(5, '5', 6): m, 7: m}, by='k', default=n)")["keyed"]
    assert keyed["models"] == ((("5", "6"), "m"), (("7",), "m"))
    assert keyed.models == ("m", "n")
    split = parse("rows | split(a=0.5, b=0.5, pin={(7, 7): 'a'})")["split"]
    assert split["pin"] == ((("7",), "a"),)


def test_functions_and_models_of_every_step_are_named() -> None:
    cascade = parse("rows | cascade(small, big, below=0.8, score=sure)")["cascade"]
    assert (cascade.functions, cascade.models) == (("sure",), ("small", "big"))
    watched = parse('rows | model(mlp, watch="models/*.pt")')["mlp"]
    assert (watched.models, watched["watch"]) == (("mlp",), "models/*.pt")


def test_one_model_under_two_names_is_split_in_halves() -> None:
    graph = parse("rows | split(a=0.5, a2=0.5)")
    assert graph.names == ("rows", "split", "a", "a2")
    assert graph["split"]["arms"] == (("a", 0.5), ("a2", 0.5))


def test_the_arms_of_a_switch_are_any_steps() -> None:
    graph = parse("rows | switch(route, cheap=a, costly=map(f) | b) | write('o.csv')")
    assert graph["switch"]["arms"] == ("cheap", "costly")
    assert graph["f"].inputs == (Input("switch", "costly"),)
    assert graph["write"].inputs == (Input("a"), Input("b"))


def test_a_line_names_its_last_node_and_others_are_counted() -> None:
    graph = parse("last = rows | a | a | a\nb = rows | c\nrows | b")
    assert set(graph.names) == {"rows", "a", "a_2", "last", "b", "b_2"}
    assert graph["last"]["model"] == "a"
    assert graph["b_2"]["model"] == "b"


def test_names_of_lines_further_down_are_kept_free() -> None:
    graph = parse("rows | a\na = rows | c")
    assert graph["a"]["model"] == "c"
    assert graph["a_2"]["model"] == "a"


def test_a_source_is_one_node_however_often_it_is_used() -> None:
    assert parse("rows | a\nrows | b").names == ("rows", "a", "b")
    assert parse('read("p") | a\nread("p") | b\nread("q") | c').names == (
        "read",
        "a",
        "b",
        "read_2",
        "c",
    )


def test_groups_name_what_they_stand_for() -> None:
    graph = parse("rows | [a, b]\njoined = [a, b]\nunited = {a, b}\njoined | f\nunited | g")
    assert set(graph.groups) == {Group("joined", ("a", "b")), Group("united", ("a", "b"), "union")}
    assert (graph["f"].gather, graph["g"].gather) == ("join", "union")


def test_a_field_is_selected_on_the_way_to_what_follows() -> None:
    graph = parse('rows | detector["boxes"] | [a, b][["x", "y"]] | vote()')
    assert graph["a"].inputs == (Input("detector", None, "boxes"),)
    assert {wire.select for wire in graph["vote"].inputs} == {("x", "y")}


def test_bare_names_are_looked_up() -> None:
    graph = parse("rows | crop | mlp | len\nrows | map(Tokenizer) | map(str)", NOTEBOOK)
    assert [graph[name].kind for name in ("crop", "mlp", "len")] == ["map", "model", "map"]
    split = parse("rows | split(mlp=0.5, crop=0.5)", NOTEBOOK)
    assert (split["mlp"].kind, split["crop"].kind) == ("model", "map")
    assert parse("mlp = rows | crop\nmlp | tree", NOTEBOOK)["tree"].inputs == (Input("mlp"),)


# --- refused texts, and the positions of problems --------------------------------------------


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("rows | lambda x: x", (1, 8), "a lambda cannot be a step"),
        ("rows | map(lambda x: x)", (1, 12), "a lambda is not allowed here"),
        ("lambda x: x", (1, 1), "cannot start a line"),
        ("rows | a.b", (1, 8), "a branch can only start a line"),
        ("rows | f'{x}'", (1, 8), "cannot be a step"),
        ("rows | (x := a)", (1, 9), "cannot be a step"),
        ("rows | a < b", (1, 1), "cannot start a line"),
        ("rows | {a, b}", (1, 8), "cannot be a step"),
        ("rows | [a, *b] | vote()", (1, 12), "cannot be a step"),
        ("rows | []", (1, 8), "cannot be a step"),
        ("rows | 1 + 2", (1, 8), "cannot be a step"),
        ("1 + 2 | a", (1, 1), "cannot start a line"),
        ('"path.csv" | a', (1, 1), "cannot start a line"),
        ("{} | a", (1, 1), "cannot start a line"),
        ("rows | a.b(c)", (1, 8), "a call is not allowed here"),
        ("rows | map(a.b)", (1, 12), "not a function"),
        ('rows | map("f")', (1, 12), "not a function"),
        ("rows | map(f, g)", (1, 15), "map has no parameter number 2"),
        ("rows | map(f, function=g)", (1, 24), "map has two values for 'function'"),
        ("rows | map(*f)", (1, 12), "unpacking is not allowed here"),
        ("rows | map(**f)", (1, 14), "map has no parameter '**'"),
        ("rows | map()", (1, 8), "map needs 'function'"),
        ("rows | split({'a': 1, **b})", (1, 14), "not a string in quotes"),
        ("rows | split(a=0.9, b='x')", (1, 21), "as a branch it needs a fraction"),
        ("rows | split(a=0.9, b=c)", (1, 23), "this is not a valid value here"),
        ("rows | split({'a': 0.9}, b=0.1)", (1, 8), "the branches are given twice"),
        ("rows | split(a=0.9, b=0.2)", (1, 8), "'arms' of split cannot have this value"),
        ("rows | split(a=1.0)", (1, 8), "'arms' of split cannot have this value"),
        ("rows | split([1, 2])", (1, 15), "not a string in quotes"),
        ("rows | split(3)", (1, 14), "not the names of branches"),
        ("rows | switch(f, ['a', 'a'])", (1, 8), "'arms' of switch cannot have this value"),
        ("rows | keyed([m], by='k')", (1, 14), "not a model for each key"),
        ("rows | keyed({'k': 'm'}, by='k')", (1, 20), "not a model"),
        (
            "rows | keyed({'k': m, ('k', 'l'): n}, by='k')",
            (1, 8),
            "the key 'k' is in two mappings, to 'm' and 'n'",
        ),
        ("rows | keyed({'k': m, 'k': m}, by='k')", (1, 8), "in two mappings, to 'm' and 'm'"),
        ("rows | keyed({'7': m, 7: n}, by='k')", (1, 8), "the key '7' is in two mappings"),
        ("rows | keyed({1.5: m}, by='k')", (1, 15), "not a key"),
        ("rows | keyed({True: m}, by='k')", (1, 15), "not a key"),
        ("rows | keyed({None: m}, by='k')", (1, 15), "not a key"),
        (
            "rows | m | keyed({'k': m})",
            (1, 12),
            "the elements must be (key, value) pairs; 'm' does not return pairs",
        ),
        ("[a, b] | f | m | filter(g) | keyed({'k': m})", (1, 30), "'m' does not return pairs"),
        ("rows | keyed({'k': m}, 'k', 2)", (1, 29), "keyed has no parameter number 3"),
        ("rows | keyed({'k': m}, by='k', default='m')", (1, 40), "not a model"),
        ("rows | keyed({'k': m}, by='k', lowering='best')", (1, 8), "'lowering' of keyed"),
        ("rows | keyed({'k': m}, by=lambda e: e)", (1, 27), "a lambda is not allowed here"),
        ("rows | split(a=.5, b=.5, by='u', by_function=f)", (1, 8), "a field and a function"),
        ("rows | split(a=.5, b=.5, pin={7: 'c'})", (1, 8), "'pin' names an unknown branch"),
        ("rows | split(a=.5, b=.5, pin={7: b})", (1, 34), "not a string in quotes"),
        ("rows | split(a=.5, b=.5, pin=['a'])", (1, 30), "not a branch for each id"),
        ("rows | split(a=.5, b=.5, pin={7: 'a', '7': 'b'})", (1, 8), "in two mappings"),
        ("rows | map(f, missing='skip')", (1, 8), "nothing is joined here"),
        ("{a, b} | filter(f, missing='use rest')", (1, 10), "nothing is joined here"),
        ("[a, b] | vote(missing='rest')", (1, 10), "'missing' of vote cannot have this value"),
        ("[a, b] | stack(missing='use rest')", (1, 10), "the output shape would differ"),
        ("[a, b] | vote('skip')", (1, 15), "vote has no parameter number 1"),
        ("rows | model(mlp, 'm/*.pt')", (1, 19), "model has no parameter number 2"),
        ("rows | model(mlp, watch=3)", (1, 8), "'watch' of model cannot have this value"),
        ("source(rows, 'k') | a", (1, 14), "source has no parameter number 2"),
        ("rows | cascade(a, b, 0.5, f)", (1, 27), "cascade has no parameter number 4"),
        ("rows | cascade(a, b, 0.5, score='f')", (1, 33), "not a function"),
        ("rows | keyed({'k': m}, by='k', max_models=-1)", (1, 8), "'max_models' of keyed"),
        ("rows | keyed({'k': m}, by='k', group=1)", (1, 8), "'group' of keyed"),
        ("rows | cascade(a, b, below=2)", (1, 8), "'below' of cascade"),
        ("rows | cascade(a, b, below=1j)", (1, 28), "this is not a valid value here"),
        ("rows | read('x')", (1, 8), "read starts a line"),
        ("vote()", (1, 1), "this vote step has no input"),
        ("rows | vote()", (1, 8), "vote combines several outputs"),
        ("rows | write('a.csv') | b", (1, 25), "nothing can follow a write"),
        ("rows | split({'a': 0.5, 'b': 0.5}) | f", (1, 38), "'split' has several branches"),
        ("s = rows | split({'a': 0.5, 'b': 0.5})\ns.c | f", (2, 7), "'s' has several branches"),
        ("rows | a\na.left | f", (2, 10), "'a' has no branches"),
        ("no.left | f", (1, 1), "is not a split or switch of an earlier line"),
        ('rows["x"]', (1, 1), "a field is selected, but no step follows"),
        ('x = rows | a["y"]', (1, 12), "a field is selected, but no step follows"),
        ('rows["x"]["y"] | a', (1, 1), "a field of a field cannot be selected"),
        ('[rows["x"], other]["y"] | a', (1, 1), "a field of a field cannot be selected"),
        ('rows.drop("y").drop("z") | a', (1, 1), "a field of a field cannot be selected"),
        ('rows["x"].drop("y") | a', (1, 1), "a field of a field cannot be selected"),
        ('rows.drop("x")', (1, 1), "a field is selected, but no step follows"),
        ("rows.drop() | a", (1, 1), "drop takes field names, in quotes"),
        ("rows.drop(x) | a", (1, 1), "drop takes field names, in quotes"),
        ('rows.drop(columns=["x"]) | a', (1, 1), "drop takes field names, in quotes"),
        ('rows.keep("x") | a', (1, 1), "a call is not allowed here"),
        ("rows[0] | a", (1, 6), "field names are strings"),
        ('rows["x", "y"] | a', (1, 6), "not a field"),
        ("rows[[]] | a", (1, 6), "not a field"),
        ("rows[1:2] | a", (1, 6), "not a field"),
        ("rows | a\nx = a", (2, 5), "'x' would be a second name for 'a'"),
        ("g = rows | [a, b]\nx = g", (2, 5), "'x' would be a second name for 'g'"),
        ("x = rows | a\nx = rows | b", (2, 1), "an earlier line already has this name"),
        ("a | x\na = rows | c", (1, 1), "'a' is a later line, line 2"),
        ("rows = rows | a", (1, 8), "'rows' is the name of this line itself"),
        ("x, y = rows | a", (1, 1), "not a pipeline's line"),
        ("x = y = rows | a", (1, 1), "not a pipeline's line"),
        ("x |= rows", (1, 1), "not a pipeline's line"),
        ("import os", (1, 1), "not a pipeline's line"),
        ("def f(): pass", (1, 1), "not a pipeline's line"),
        ("rows | a\nrows | ", (2, 8), "not a pipeline's line (invalid syntax)"),
        ("g = {rows}\ng | a", (2, 5), "a union needs two or more inputs"),
        ("g = [a, a]", (1, 1), "a group needs members, each once"),
        ("[a, a] | f", (1, 10), "the same input twice"),
        ('[a["x"], a["y"]] | f', (1, 20), "the same input twice"),
        ('{a["x"], a["y"]} | f', (1, 20), "the same input twice"),
        ("[{a, b}, c] | f", (1, 15), "some of these outputs are joined and others are in a union"),
        ("g = rows | [a, split(b=0.5, c=0.5)]", (1, 5), "some of these outputs are joined"),
        ("é = rows | 'a'", (1, 12), "cannot be a step"),
        ("   rows | a\n   rows | 'b'", (2, 11), "cannot be a step"),
        ("a\n\0", (2, 1), "the text cannot contain the character"),
    ],
)
def test_one_problem(text: str, where: tuple[int, int], message: str) -> None:
    problem = only(text)
    assert message in problem.message
    assert place(problem) == where


@pytest.mark.parametrize(
    ("text", "where", "message", "nearest"),
    [
        ("rows | mpl", (1, 8), "no model or function with this name", "mlp"),
        ("rows | crops", (1, 8), "no model or function with this name", "crop"),
        ("rows | vot", (1, 8), "no model or function with this name", "vote"),
        ("rows | maap(crop)", (1, 8), "no such step", "map"),
        ("rows | map(corp)", (1, 12), "not a function", "crop"),
        ("rows | model(tre)", (1, 14), "no model is registered under this name", "tree"),
        ("rows | cascade(mlp, tee, below=.5)", (1, 21), "no model is registered", "tree"),
        ("rows | keyed({'k': tee}, by='k')", (1, 20), "no model is registered", "tree"),
        ("rows | keyed({'k': tree}, by='k', max_modls=2)", (1, 45), "no parameter", "max_models"),
        ("rows | keyed({'k': tree}, by=corp)", (1, 30), "not a function", "crop"),
        ("rows | split(mlp=.5, tree=.5, by=corp)", (1, 34), "not a function", "crop"),
        ("rows | keyed({'k': mlp}, by='k', default=tre)", (1, 42), "no model is", "tree"),
        ("rows | cascade(mlp, tree, .5, score=corp)", (1, 37), "not a function", "crop"),
        ("rows | keyed({'k': tree}, by=mlp)", (1, 30), "'mlp' is a model, not a function", None),
        ("rows | model(tree, wach='x')", (1, 25), "no parameter 'wach'", "watch"),
        (
            "rows | split(mlp=.5, tree=.5, pin={1: 'mpl'})",
            (1, 8),
            "'pin' names an unknown branch",
            "mlp",
        ),
        ("digts | mlp", (1, 1), "nothing is defined with this name", "digits"),
        ("source(digts) | mlp", (1, 8), "is not data", "digits"),
        ("rows | split(mpl=0.5, tree=0.5)", (1, 14), "there is no such step", "mlp"),
        ("rows | split(mlp=0.5, tree=0.5, slat='s')", (1, 33), "needs a fraction", "salt"),
        (
            "s = rows | split({'one': .5, 'two': .5})\ns.tow | mlp",
            (2, 9),
            "name one of them",
            "two",
        ),
        (
            "mid = rows | mlp\nmit.x | tree",
            (2, 1),
            "is not a split or switch of an earlier line",
            None,
        ),
        ("rows | mlp | digits", (1, 14), "can only start a line", None),
        ("x = rows | mlp\nrows | x", (2, 8), "can only start a line", None),
        ("mlp | tree", (1, 1), "a model cannot start a line; it needs an input", None),
        ("net | tree", (1, 1), "a model cannot start a line; it needs an input", None),
        ("crop | tree", (1, 1), "a function cannot start a line", None),
        ("seven | tree", (1, 1), "'seven' is an int, which is not data", None),
        ("rows | seven", (1, 8), "'seven' is an int, neither a model nor a function", None),
        ("rows | net", (1, 8), "a model that is not registered", None),
        ("rows | map(net)", (1, 12), "a model that is not registered", None),
        ("rows | model(net)", (1, 14), "a model that is not registered", None),
        ("rows | split(net=.5, mlp=.5)", (1, 14), "a model that is not registered", None),
        ("rows | map(mlp)", (1, 12), "'mlp' is a model, not a function", None),
        ("rows | mlp()", (1, 8), "no such step", None),
        ("rows | crop(2)", (1, 8), "no such step", None),
        ("rows | vote", (1, 8), "'vote' needs parentheses", None),
        ("rows | Tokenizer", (1, 8), "'Tokenizer' is a class", None),
    ],
)
def test_one_problem_with_names(
    text: str, where: tuple[int, int], message: str, nearest: str | None
) -> None:
    problem = only(text, NOTEBOOK)
    assert message in problem.message
    assert place(problem) == where
    assert problem.nearest == nearest
    assert problem.found and problem.allowed


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("rows | lambda x: x", "define a function with def, and write its name"),
        ("rows | net", "%mm_model net net"),
        ('"a.csv" | mlp', 'read("a.csv")'),
        ("rows | split(one=0.5, two=0.5)", 'split({"train": 0.9, "test": 0.1})'),
        ("rows | mlp(3)", "data | mlp"),
        ("rows | crop(3)", "map(crop)"),
        ("rows | vote", "write vote()"),
        ("rows | split", "write split(arms)"),
        ("rows | keyed", "write keyed(models, by)"),
        ("rows | map(crop, len)", "passed by name: missing=…"),
        ("rows | split(mlp=.5, tree=.5, by=user)", 'by="user"'),
        ("rows | digits", "[digits, other] | step"),
        ("seven | mlp", "path, glob, or a Beam transform"),
        ("rows | mlp.one", "| mlp calls it"),
        ("rows | net.forward", 'mm.register("net", net)'),
        ("rows | seven.real", "real = seven.real first, then | real"),
        ("s = rows | split({'a': 1})\nrows | s.a", "s.a | step"),
        (
            "digits.head(5) | mlp",
            'few = digits.head(5) first, then mm.pipeline("few | step", few=few)',
        ),
        ("digits[digits.x > 0] | mlp", "few = digits[digits.x > 0] first"),
        ("few = rows | mlp\ndigits[1:] | mlp", "few_2 = digits[1:] first"),
        ("digits[x] | mlp", '["x"]'),
        ('digits["x", "y"] | mlp', '[["x", "y"]]'),
        ("digits.x | mlp", 'digits["x"]'),
        ("rows | keyed({'k': mlp}, by=k)", '"k"'),
        ("", "both = data | [model_a, model_b]"),
        ("# nothing but this", "both = data | [model_a, model_b]"),
    ],
)
def test_remedies(text: str, remedy: str) -> None:
    with pytest.raises(GraphError) as error:
        parse(text, NOTEBOOK)
    assert error.value.remedy is not None
    assert remedy in error.value.remedy


def test_all_problems_are_reported_together_and_none_twice() -> None:
    problems = refused(
        """\
one = rows | mpl | map(corp) | crop
two = one | split(mlp=0.5, tree=0.6)
two | vote()
import os
digts | mlp
""",
        NOTEBOOK,
    )
    assert [(p.line, p.column, p.node) for p in problems] == [
        (1, 14, None),
        (1, 24, None),
        (2, 13, "split"),
        (3, 7, "vote"),
        (4, 1, None),
        (5, 1, None),
    ]
    assert "6 problems" in str(GraphError(problems))


def test_consequences_of_a_problem_are_not_reported() -> None:
    problem = only("x = rows | lambda v: v\nx | a\n[x, b] | vote()\ny = x | c\ny.left | d")
    assert place(problem) == (1, 12)


def test_parameters_are_checked_behind_a_problem() -> None:
    lambda_, below = refused("rows | map(lambda v: v) | cascade(a, b, below=7)")
    assert (lambda_.column, below.column, below.node) == (12, 27, "cascade")


def test_parameters_are_checked_beside_a_problem() -> None:
    problems = refused("x = rows | keyed({'k': tee}, by=3, max_models=0)\nx | mlp", NOTEBOOK)
    assert [(p.column, p.node) for p in problems] == [(12, None), (12, None), (24, None)]
    assert "'by'" in problems[0].message and "'max_models'" in problems[1].message
    weight, by = refused("rows | split(mlp='x', tree=0.5, by=3)", NOTEBOOK)[::-1]
    assert (by.column, weight.column) == (8, 14)
    by, arms = refused("rows | split(mlp=0.9, tree=0.5, by=digits)", NOTEBOOK)[::-1]
    assert "'arms'" in arms.message and by.column == 36


def test_a_problem_says_what_was_found_and_where() -> None:
    text = str(only("rows | mpl", NOTEBOOK))
    assert text.startswith("line 1, column 8: no model or function with this name; found mpl;")
    assert "allowed: crop, Tokenizer" in text or "allowed: Tokenizer, crop" in text
    assert text.endswith("did you mean 'mlp'?")


# --- pipeline --------------------------------------------------------------------------------


@pytest.fixture
def mlp() -> Iterator[None]:
    spec = ModelSpec("mlp", "torch", "module", "Linear", None, "00")
    registry.add(spec)
    yield
    registry.remove("mlp")


@pytest.mark.usefixtures("mlp")
def test_pipeline_binds_what_is_given() -> None:
    rows = [1, 2]
    graph = pipeline("rows | crop | map(len) | mlp", rows=rows, crop=crop)
    assert [graph[name].kind for name in ("crop", "len", "mlp")] == ["map", "map", "model"]
    assert graph.bindings == {"rows": rows, "crop": crop}
    assert graph == parse("rows | map(crop) | map(len) | mlp")


@pytest.mark.usefixtures("mlp")
def test_pipeline_refuses_what_the_text_does_not_use() -> None:
    with pytest.raises(GraphError) as error:
        pipeline("rows | mlp", rows=[1], crop=crop, row=[2])
    crop_, row = error.value.problems
    assert (crop_.found, row.found, row.nearest) == ("'crop'", "'row'", "rows")


@pytest.mark.usefixtures("mlp")
def test_pipeline_refuses_what_a_registered_model_hides() -> None:
    with pytest.raises(GraphError, match=r"'mlp'(?s:.*)map\(f\)"):
        pipeline("rows | mlp", rows=[1], mlp=crop)
    assert pipeline("rows | map(mlp)", rows=[1], mlp=crop)["mlp"].functions == ("mlp",)
    with pytest.raises(GraphError, match=r"write source\(mlp\)"):
        pipeline("mlp | crop", mlp=[1], crop=crop)
    assert pipeline("source(mlp) | crop", mlp=[1], crop=crop)["mlp"].data == ("mlp",)


def test_pipeline_looks_in_no_notebook_outside_of_one() -> None:
    assert notebook_names() == {}
    with pytest.raises(GraphError, match="nothing is defined with this name"):
        pipeline("rows | len")


def test_pipeline_sees_the_notebooks_variables_but_not_ipythons_own() -> None:
    code = """
        from IPython.core.interactiveshell import InteractiveShell
        from mmnotebook.graph.names import notebook_names
        from mmnotebook.notation.text import pipeline
        shell = InteractiveShell.instance()
        shell.run_cell("rows = [1]\\ndef crop(v): return v")
        graph = pipeline("rows | crop | len")
        assert graph["crop"].kind == "map", graph
        assert "In" not in notebook_names()
        assert graph["len"].kind == "map", graph
        print("seen")
    """
    run = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("seen"), done.stderr


@pytest.mark.parametrize("text", VALID)
def test_the_texts_that_are_mutated_are_valid(text: str) -> None:
    assert parse(to_text(parse(text))) == parse(text)


def test_a_pipeline_is_a_text() -> None:
    with pytest.raises(GraphError, match="a pipeline is a string; found 3"):
        pipeline(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('rows["x"]\n  | mlp\n  | crop', 'rows["x"] | mlp | map(crop)'),
        ("rows  # it's | data\n\n  # | none\n    | mlp  # m\n| crop", "rows | mlp | map(crop)"),
        ("rows \\\n | mlp", "rows | mlp"),
        ("    x = rows\r\n      | mlp\r\n    y = x\r\n      | crop", "rows | mlp | map(crop)"),
        ("out = [\n  rows\n  | mlp, rows | tree]\n  | vote()", None),
        ('read("""a\n| b""")\n | mlp', 'read("a\\n| b") | mlp'),
    ],
)
def test_a_line_that_begins_with_a_pipe_continues_the_one_before(
    text: str, line: str | None
) -> None:
    graph = parse(text, NOTEBOOK)
    assert parse(graph.to_text(), NOTEBOOK) == graph
    if line is not None:
        expected = parse(line, NOTEBOOK)
        assert [n.kind for n in graph] == [n.kind for n in expected]
        assert not any(text.startswith("|") for text in graph.to_text().splitlines())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("rows  # data\n\n  | mlpp", (3, 5)),
        ("    x = rows\n      | mlp\n      | nope()", (3, 9)),
        ("| mlp", (1, 1)),
        ("# rows\n| mlp", (2, 1)),
    ],
)
def test_problems_of_continued_lines_have_their_places(text: str, place: tuple[int, int]) -> None:
    with pytest.raises(GraphError) as error:
        parse(text, NOTEBOOK)
    assert (error.value.problems[0].line, error.value.problems[0].column) == place


def test_a_remedy_gives_only_names_that_are_there_or_are_no_misspelling() -> None:
    rows = [1, 2]
    with pytest.raises(GraphError) as error:
        pipeline("rows | anew", abc=rows)
    assert error.value.remedy == "mm.pipeline(..., rows=rows, anew=anew)"
    with pytest.raises(GraphError) as error:
        pipeline("rows | map(crop) | rowz", crop=crop, rowsy=crop)
    assert error.value.remedy == "mm.pipeline(..., rows=rows)"
