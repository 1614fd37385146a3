"""Properties of any document and any commands: nothing is lost or overlaps, and undo works."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mmnotebook.editing import texts
from mmnotebook.editing.commands import apply
from mmnotebook.editing.document import SIZE, Document, Place
from mmnotebook.editing.history import History
from mmnotebook.editing.wire_rules import refusal
from mmnotebook.errors import Gap, GraphError
from mmnotebook.graph.graph import Graph
from mmnotebook.graph.kinds import KINDS
from mmnotebook.notation.text import parse
from mmnotebook.steps.drawing import html, svg
from mmnotebook.steps.validation import faults, problems
from tests.unit.editing_strategies import commands, gapped, incomplete
from tests.unit.strategies import bound_names, mutated, resolves, soup

thorough = settings(
    max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


def check(document: Document) -> None:
    """Check that every node has a position, names are unique, and all problems are gaps."""
    graph = document.graph
    assert not faults(graph)
    assert (list(document.places) and set(document.places) == set(graph.names)) or not graph.nodes
    assert len(document.taken) == len(graph) + len(graph.groups)
    assert texts.read(texts.written(graph), None, graph).graph == graph


def apart(places: Mapping[str, Place]) -> bool:
    width, height = SIZE
    pairs = combinations(places.values(), 2)
    return all(abs(x - u) >= width or abs(y - v) >= height for (x, y), (u, v) in pairs)


@thorough
@given(incomplete(), st.data())
def test_commands_keep_a_document_valid_and_undo_restores_it(
    graph: Graph, data: st.DataObject
) -> None:
    first = Document.of(graph)
    history = History(first)
    for _ in range(data.draw(st.integers(1, 6))):
        before = history.document
        command = data.draw(commands(before))
        try:
            edit = apply(before, command)
        except GraphError as error:
            assert error.message
        else:
            check(edit.document)
            assert edit.label and set(edit.selection or ()) <= set(edit.document.graph.names)
            history.do(edit)
    last = history.document
    while history.undoable:
        assert history.undo() is not None
    assert history.document == first
    while history.redoable:
        assert history.redo() is not None
    assert history.document == last


@thorough
@given(incomplete())
def test_text_of_an_incomplete_graph_reads_back_to_it(graph: Graph) -> None:
    text = texts.written(graph)
    reading = texts.read(text, None, graph)
    assert reading.graph == graph
    assert all(isinstance(problem, Gap) and problem.line for problem in reading.problems)
    assert len(reading.problems) == len(problems(graph))
    assert texts.written(reading.graph) == text
    if problems(graph):
        with pytest.raises(GraphError):
            parse(text)
    else:
        assert parse(text) == graph


@thorough
@given(incomplete().filter(resolves))
def test_text_reads_back_where_its_names_stand_for_nothing_any_more(graph: Graph) -> None:
    text = texts.written(graph)
    assert texts.read(text, bound_names(graph), graph).graph == graph
    assert texts.read(text, bound_names(Graph()), graph).graph == graph


@thorough
@given(incomplete())
def test_an_incomplete_graph_is_drawn_with_every_step(graph: Graph) -> None:
    ElementTree.fromstring(svg(graph))
    assert all(escape(name) in html(graph) for name in graph.names)


@thorough
@given(gapped() | mutated() | soup)
def test_any_text_is_a_document_that_can_be_written_or_says_why_not(text: str) -> None:
    reading = texts.read(text, None)
    if reading.graph is None:
        wrong = [problem for problem in reading.problems if not isinstance(problem, Gap)]
        assert wrong and all(str(problem) for problem in wrong)
        with pytest.raises(GraphError):
            parse(text)
    else:
        check(Document.of(reading.graph))


@thorough
@given(incomplete(), st.data())
def test_a_wire_is_refused_exactly_if_it_is_invalid(graph: Graph, data: st.DataObject) -> None:
    document = Document.of(graph)
    source, target = (data.draw(st.sampled_from(graph.names)) for _ in "st")
    port = data.draw(st.sampled_from([None, "nothing", *graph[source].arms]))
    command = {"op": "connect", "source": source, "port": port, "target": target}
    why = refusal(graph, source, port, target)
    if why is not None:
        assert len(why) < 80
        with pytest.raises(GraphError, match=".") as error:
            apply(document, command)
        assert error.value.message == why
        return
    wired = apply(document, command).document
    check(wired)
    lone = graph[target].gather == "join" and len(graph[target].inputs) == 1
    assume(not lone or KINDS[graph[target].kind].inputs == "join")
    cut = apply(wired, {"op": "disconnect", "wires": [[source, port, target]]}).document
    assert cut == document


@thorough
@given(incomplete(), incomplete(), st.data())
def test_steps_never_overlap_where_they_are_placed(
    graph: Graph, other: Graph, data: st.DataObject
) -> None:
    document = Document.of(graph)
    assert apart(document.places)
    typed = apply(document, {"op": "text", "text": texts.written(other)}).document
    assert typed.graph == other and apart(typed.places)
    assert document.by_layout and typed.by_layout
    if graph.names:
        moved = apply(document, {"op": "move", "places": dict(document.places)}).document
        typed = apply(moved, {"op": "text", "text": texts.written(other)}).document
        assert typed.graph == other and apart(typed.places)
        kept = set(graph.names).intersection(other.names)
        assert all(typed.places[name] == document.places[name] for name in kept)
    for op in ("add", "template", "paste", "arrange"):
        command = data.draw(commands(typed, op))
        try:
            assert apart(apply(typed, command).document.places)
        except GraphError:
            assert op == "paste" or (op == "arrange" and not command["nodes"])
