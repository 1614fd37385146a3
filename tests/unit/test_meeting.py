"""Joins that can never succeed: refused before the run, with an alternative."""

from __future__ import annotations

import pytest

from mmnotebook.editing import texts
from mmnotebook.errors import Gap, GraphError
from mmnotebook.notation.text import parse

FORK = "c = xs | switch(way, ['big', 'small'])\nm = c.big | double\na = c.small | half\n"
CHILDREN = "parts = xs | flat_map(cut)\nothers = xs | flat_map(cut)\n"


def refused(text: str) -> str:
    with pytest.raises(GraphError) as error:
        parse(text)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        (f"{FORK}[m, a] | map(total)", "{m, a} | map(total)"),
        (f'{FORK}{{"l": m["x"], "r": a}} | total', '{m["x"], a} | total'),
        (f"{FORK}[m, a] | map(total, missing='skip')", "{m, a} | map(total)"),
        (f"{FORK}[m, a] | filter(total)", "{m, a} | filter(total)"),
        (f"{FORK}[c.big, a] | mlp", "{c.big, a} | mlp"),
        (f"{FORK}[m, a] | vote()", "without vote()"),
        (f"{FORK}[m, a, xs] | total", "joined with the others"),
        (f"{FORK}n = [m, xs] | total\n[n, a] | total", "{n, a} | total"),
        ("s = xs | split(a=.5, b=.5)\n[a, b] | total", "{a, b} | total"),
    ],
)
def test_outputs_of_exclusive_branches_are_not_joined(text: str, allowed: str) -> None:
    told = refused(text)
    assert "never have the same element" in told and allowed in told
    if "|" in allowed:
        *lines, _last = text.split("\n")
        assert parse("\n".join([*lines, allowed]))


def test_a_join_of_existing_outputs_succeeds_after_a_switch() -> None:
    assert parse(f"{FORK}[m, a] | map(total, missing='use rest')")
    assert parse(f"{FORK}[m, xs] | map(total, missing='skip')")
    assert parse(f"{FORK}u = {{m, a}} | total\n[u, xs] | total")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"whole": xs, "parts": parts} | f', "outputs after 'parts' only; cut can pass each"),
        ("scored = parts | mlp\n[scored, xs | tree] | f", "outputs after 'parts' only"),
        ("deep = parts | flat_map(cut)\n[parts, deep] | f", "outputs after 'deep' only"),
        ("[xs, parts] | vote()", "a child is not its parent"),
        ("[parts, others] | f", "{parts, others} | f; or one flat_map for both"),
        ("[parts, others] | map(f, missing='use rest')", "children of different flat_map steps"),
        ("u = {xs, parts} | f\ndeep = parts | flat_map(cut)\n[u, deep] | g", "after 'deep' only"),
    ],
)
def test_children_are_joined_with_children_of_the_same_step_alone(text: str, said: str) -> None:
    assert said in refused(CHILDREN + text)


def test_steps_after_one_flat_map_can_be_joined() -> None:
    assert parse(f"{CHILDREN}[parts | mlp, parts | filter(f)] | g")
    assert parse(f"{CHILDREN}u = {{xs, parts}} | f\n[u, parts] | g")
    assert parse(f"{CHILDREN}[xs, parts] | map(f, missing='use rest')")


def test_a_join_that_never_succeeds_can_be_edited() -> None:
    reading = texts.read(f"{FORK}[m, a] | total", None)
    assert reading.graph is not None and len(reading.problems) == 1
    assert isinstance(reading.problems[0], Gap) and reading.problems[0].line == 4
