"""The cases shared by the Python and TypeScript implementations of editing, run in Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mmnotebook
from mmnotebook.editing import clips, commands
from mmnotebook.editing.document import Document
from mmnotebook.editing.wire_rules import refusal
from mmnotebook.errors import GraphError
from mmnotebook.graph import json_format
from mmnotebook.graph.graph import Graph
from mmnotebook.steps.validation import faults

CASES = Path(mmnotebook.__file__).parent / "ui" / "frontend" / "tests" / "cases"
CONNECTIONS = json.loads((CASES / "connections.json").read_text(encoding="utf-8"))
OPERATIONS = json.loads((CASES / "operations.json").read_text(encoding="utf-8"))


def graph_of(data: Any) -> Graph:
    graph = json_format.of_data(data)
    assert not faults(graph)
    return graph


def document_of(case: dict[str, Any]) -> Document:
    places = {name: (x, y) for name, (x, y) in case["places"].items()}
    return Document(graph_of(case["graph"]), places)


def test_there_are_cases_of_every_reason_and_operation() -> None:
    assert len(CONNECTIONS) >= 25 and len(OPERATIONS) >= 25
    said = " ".join(case["refusal"] or "" for case in CONNECTIONS)
    reasons = (
        "there is no step",
        "is data: it cannot have an input",
        "reads files: it cannot have an input",
        "cannot feed itself",
        "would create a cycle",
        "already has this input",
        "nothing can follow",
        "has several branches",
        "has no branch",
        "joins s already",
        "already has an input with the key",
    )
    assert [reason for reason in reasons if reason not in said] == []
    done = {case["command"]["op"] for case in OPERATIONS}
    assert done == {"move", "connect", "disconnect", "remove", "rename", "copy"}


@pytest.mark.parametrize("case", CONNECTIONS)
def test_a_wire_is_refused_with_its_reason(case: dict[str, Any]) -> None:
    document = Document.of(graph_of(case["graph"]))
    source, port, target = case["source"], case["port"], case["target"]
    assert refusal(document.graph, source, port, target) == case["refusal"]
    command = {"op": "connect", "source": source, "port": port, "target": target}
    if case["refusal"] is None:
        assert not faults(commands.apply(document, command).document.graph)
    else:
        assert len(case["refusal"]) < 80
        with pytest.raises(GraphError) as error:
            commands.apply(document, command)
        assert error.value.message == case["refusal"]


@pytest.mark.parametrize("case", OPERATIONS, ids=[case["what"] for case in OPERATIONS])
def test_an_operation_gives_what_both_languages_say(case: dict[str, Any]) -> None:
    document, command = document_of(case), case["command"]
    if command["op"] == "copy":
        assert json.loads(clips.copy(document, command["nodes"])) == case["clip"]
        return
    after = commands.apply(document, command).document
    assert after.graph == graph_of(case["graph_after"])
    assert list(after.graph.names) == [node["name"] for node in case["graph_after"]["nodes"]]
    assert {name: list(place) for name, place in after.places.items()} == case["places_after"]
    assert document == document_of(case)
