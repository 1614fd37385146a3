"""`.mmgraph` files: written, read back, and refused when they are not valid."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mmnotebook as mm
from mmnotebook.export import graph_file
from mmnotebook.export.graph_file import GraphFile
from tests.unit.strategies import graphs

many = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
EXAMPLE = "s = rows | split({'a': 0.5, 'b': 0.5})\ns.a | one\ns.b | other | map(f)"
NUMBERS = st.integers(-9, 9) | st.floats(-1e6, 1e6)


@st.composite
def files(draw: st.DrawFn) -> GraphFile:
    """Draw a graph with places, notes and parameters for some of its names."""
    graph = draw(graphs())
    some = st.sets(st.sampled_from(graph.names))
    layout = {name: (draw(NUMBERS), draw(NUMBERS)) for name in draw(some)}
    named = [*graph.names, *(group.name for group in graph.groups)]
    notes = {name: draw(st.text(max_size=5)) for name in draw(st.sets(st.sampled_from(named)))}
    data = [name for node in graph for name in node.data]
    bound = draw(st.sets(st.sampled_from(data))) if data else set()
    graph = graph.bind(**{name: mm.parameter("path") for name in bound})
    models = {name: {"digest": "ab", "input": ["x"]} for node in graph for name in node.models}
    return GraphFile(graph, layout, notes, models)


@many
@given(files())
def test_a_file_reads_back_equal_and_writes_back_equal(file: GraphFile) -> None:
    text = graph_file.to_text(file)
    text.encode()
    again = graph_file.of_text(text)
    assert again == file
    assert again.graph.bindings == file.graph.bindings
    assert graph_file.to_text(again) == text
    assert json.loads(text)["graph"] == json.loads(file.graph.to_json())


@many
@given(graphs())
def test_each_node_is_one_line(graph: mm.Graph) -> None:
    lines = graph_file.to_text(GraphFile(graph)).splitlines()
    first = lines.index(' "nodes": [') + 1
    read = [json.loads(line.rstrip(",")) for line in lines[first : first + len(graph)]]
    assert [node["name"] for node in read] == list(graph.names)


@many
@given(files(), st.randoms(use_true_random=False))
def test_a_changed_file_is_read_or_refused(file: GraphFile, chance: random.Random) -> None:
    data = json.loads(graph_file.to_text(file))
    _change(data, chance)
    try:
        found = graph_file.of_text(json.dumps(data))
    except mm.MMError:
        return
    assert graph_file.of_text(graph_file.to_text(found)) == found


def _change(data: Any, chance: random.Random) -> None:
    """Replace a value somewhere inside by a value of another type."""
    places = []

    def walk(one: Any) -> None:
        for key in one if isinstance(one, dict) else range(len(one)):
            places.append((one, key))
            if isinstance(one[key], (dict, list)):
                walk(one[key])

    walk(data)
    holder, key = chance.choice(places)
    holder[key] = chance.choice([None, 1, -1.5, True, "x", [], {}, [[]], {"a": {}}, float("nan")])


def test_opening_a_file_returns_its_graph(tmp_path: Path) -> None:
    graph = mm.parse(EXAMPLE)
    path = mm.export.graph(graph, tmp_path / "e", layout={"one": (1, 2.5)}, notes={"rows": "é"})
    assert path == tmp_path / "e.mmgraph"
    assert mm.open(path) == graph
    read = graph_file.read(path)
    assert read.layout == {"one": (1, 2.5)} and read.notes == {"rows": "é"}
    path.write_text(graph.to_json())
    assert mm.open(str(path)) == graph


def test_a_registration_has_the_options_and_the_digest() -> None:
    spec = mm.register("one", len, framework="python", input=["x", "y"], batch_size=8, output=abs)
    graph = mm.parse("rows | one")
    try:
        text = graph_file.to_text(
            GraphFile(graph, {}, {}, graph_file.registrations.of_graph(graph))
        )
    finally:
        mm.registry.remove("one")
    found = graph_file.of_text(text).registrations["one"]
    assert found == {
        "digest": spec.fingerprint,
        "framework": "python",
        "input": ["x", "y"],
        "batch_size": 8,
        "functions": {"output": "abs"},
    }


def _file(**sections: Any) -> str:
    data = json.loads(graph_file.to_text(GraphFile(mm.parse(EXAMPLE))))
    return json.dumps({**data, **sections})


HOSTILE = {
    "not JSON": ("{", "not a graph's JSON"),
    "a list": ("[]", "not the file of a graph"),
    "deeply nested": ("[" * 100_000, "not a graph's JSON"),
    "a future version": (_file(mmgraph=2), "unknown version"),
    "a version that is true": (_file(mmgraph=True), "unknown version"),
    "a future graph": (_file(graph={"mmnotebook": 2, "nodes": [], "groups": []}), "unknown format"),
    "no graph": (_file(graph=None), "not a graph"),
    "a place of three": (_file(layout={"one": [1, 2, 3]}), "section 'layout'"),
    "a place at infinity": (
        _file(layout={"one": [1, 7]}).replace("7]", "1e999]"),
        "section 'layout'",
    ),
    "a place of a stranger": (_file(layout={"two": [1, 2]}), "no node 'two'"),
    "a note that is no text": (_file(notes={"one": 3}), "section 'notes'"),
    "a list of parameters": (_file(parameters=["rows"]), "section 'parameters'"),
    "a parameter of a stranger": (_file(parameters={"row": "path"}), "no data named 'row'"),
    "a registration of a stranger": (_file(registrations={"two": {}}), "no model 'two'"),
}


@pytest.mark.parametrize(("text", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_is_not_valid_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mmgraph"
    path.write_text(text)
    with pytest.raises(mm.GraphError, match=message):
        mm.open(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(mm.GraphError, match="No such file"):
        mm.open(tmp_path / "missing.mmgraph")
    with pytest.raises(mm.GraphError, match="cannot read"):
        mm.open(tmp_path)
    (tmp_path / "binary.mmgraph").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(mm.GraphError, match="not text in UTF-8"):
        mm.open(tmp_path / "binary.mmgraph")
    with (tmp_path / "large.mmgraph").open("wb") as file:
        file.truncate(graph_file.LARGEST + 1)
    with pytest.raises(mm.GraphError, match="too large"):
        mm.open(tmp_path / "large.mmgraph")


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    graph = mm.parse(EXAMPLE)
    with pytest.raises(mm.GraphError, match="no node 'two'"):
        mm.export.graph(graph, tmp_path / "a", notes={"two": "x"})
    with pytest.raises(mm.GraphError, match="cannot write"):
        mm.export.graph(graph, tmp_path / "missing" / "a")
    with pytest.raises(mm.GraphError, match="expected a graph"):
        mm.export.graph("rows | one", tmp_path / "a")  # type: ignore[arg-type]
