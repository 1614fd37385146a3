"""Runs started by the builder: the messages to its canvas, from beginning to end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mmnotebook as mm
from mmnotebook.errors import MMError, RunError
from mmnotebook.graph.graph import Graph
from mmnotebook.results.results import Result
from mmnotebook.ui.builder import background_runs, status
from mmnotebook.ui.builder.background_runs import Runner, error_line, error_text
from tests.runtime import toys


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMNOTEBOOK_CACHE", str(tmp_path))


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[toys.Gate]:
    fresh = toys.Gate()
    monkeypatch.setattr(toys, "GATE", fresh)
    yield fresh
    fresh.release.set()


class Canvas:
    """Records the messages to the canvas."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.results: list[Result] = []
        self.errors: list[MMError] = []
        self.runner = Runner(self.told.append, self.results.append, self.errors.append)

    def run(self, graph: Graph, **how: Any) -> dict[str, Any]:
        self.runner.start(graph, **how)
        assert self.runner.wait(60)
        return self.told[-1]


def plus(x: int) -> int:
    return x + 1


def picky(x: int) -> int:
    if x == 7:
        raise ValueError("seven")
    return x


def never(x: int) -> int:
    raise ValueError("never")


def test_a_run_tells_counts_failures_and_times() -> None:
    canvas = Canvas()
    graph = mm.pipeline("data | plus | picky", data=list(range(40)), plus=plus, picky=picky)
    last = canvas.run(graph)
    assert canvas.told[0] == status.PREPARING
    assert last["state"] == "done"
    assert "1 failed element in picky" in last["line"]
    node = last["nodes"]["picky"]
    assert (node["state"], node["elementsIn"], node["elementsOut"], node["failed"]) == (
        "done",
        40,
        39,
        1,
    )
    assert node["seconds"] > 0
    assert {"source": "plus", "port": None, "target": "picky", "count": 40} in last["wires"]
    (result,) = canvas.results
    assert len(result.failed) == 1


@pytest.mark.parametrize(("function", "state"), [(plus, "done"), (never, "failed")])
def test_the_end_is_sent_once_and_last(
    function: Any, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_runs, "PACE", 0.0)  # a message for each event
    canvas = Canvas()
    graph = mm.pipeline("data | f", data=list(range(40)), f=function)
    assert canvas.run(graph)["state"] == state
    assert {told["state"] for told in canvas.told[:-1]} == {"preparing", "running"}


def test_nodes_computed_before_are_cached() -> None:
    canvas = Canvas()
    graph = mm.pipeline("data | plus", data=[1, 2, 3], plus=plus)
    canvas.run(graph)
    assert {node["state"] for node in canvas.run(graph)["nodes"].values()} == {"cached"}
    fresh = canvas.run(graph, fresh=True)
    assert fresh["nodes"]["plus"]["state"] == "done"


def test_the_arms_of_a_split_are_counted_each() -> None:
    canvas = Canvas()
    text = "parts = data | split({'a': 0.5, 'b': 0.5})\none = parts.a | plus\ntwo = parts.b | plus"
    last = canvas.run(mm.pipeline(text, data=list(range(100)), plus=plus))
    counts = {wire["port"]: wire["count"] for wire in last["wires"] if wire["port"]}
    assert sum(counts.values()) == 100
    assert counts["a"] == last["nodes"]["one"]["elementsIn"]


def test_it_can_be_stopped_in_the_middle(gate: toys.Gate) -> None:
    canvas = Canvas()
    graph = mm.pipeline("data | hold", data=list(range(10)), hold=toys.hold)
    canvas.runner.start(graph)
    assert gate.started.wait(60)
    assert canvas.runner.in_progress
    canvas.runner.start(graph)  # no effect: a run is in progress
    canvas.runner.stop()
    gate.release.set()
    assert canvas.runner.wait(60)
    assert canvas.told[-1]["state"] == "stopped"
    assert "interrupted" in canvas.told[-1]["line"]
    assert [t["state"] for t in canvas.told].count("preparing") == 1


def test_a_run_that_fails_says_where_and_keeps_what_there_is() -> None:
    canvas = Canvas()
    graph = mm.pipeline("data | plus | never", data=list(range(40)), plus=plus, never=never)
    last = canvas.run(graph)
    assert last["state"] == "failed"
    assert "never" in last["line"]
    assert "→" in last["line"]
    assert last["nodes"]["never"]["state"] == "failed"
    assert last["nodes"]["plus"]["state"] in ("done", "stopped")
    assert "sys.last_value" not in last["line"]
    (error,) = canvas.errors
    assert isinstance(error, RunError)
    assert set(error.failed["node"]) == {"never"}
    again = canvas.run(mm.pipeline("data | plus", data=[1], plus=plus))
    assert again["state"] == "done"


def test_edits_during_the_run_are_reported() -> None:
    canvas = Canvas()
    graph = mm.pipeline("data | plus", data=[1, 2, 3], plus=plus)
    last = canvas.run(graph)
    assert status.as_of(last, graph, graph)["line"] == last["line"]
    more = mm.pipeline("data | plus | picky", data=[1, 2, 3], plus=plus, picky=picky)
    assert status.as_of(last, graph, more)["line"] == last["line"]
    other = mm.pipeline("data | picky", data=[1, 2, 3], picky=picky)
    assert status.as_of(last, graph, other)["line"] == f"{last['line']} · edited since"


def test_a_run_that_cannot_begin_says_why() -> None:
    canvas = Canvas()
    last = canvas.run(mm.parse("data | plus"))
    assert last["state"] == "failed"
    assert "plus" in last["line"] or "data" in last["line"]
    assert canvas.results == []


def test_nodes_changed_since_the_run_are_stale() -> None:
    ran = mm.parse("one = data | map(f)\ntwo = one | map(g)\nthree = data | map(h)")
    now = mm.parse("one = data | map(k)\ntwo = one | map(g)\nthree = data | map(h)")
    assert status.unchanged(ran, now) == {"data", "three"}
    node = {"state": "done"}
    shown = {
        **status.IDLE,
        "nodes": dict.fromkeys(ran.names, node),
        "wires": [
            {"source": "data", "port": None, "target": "three", "count": 3},
            {"source": "one", "port": None, "target": "two", "count": 3},
        ],
    }
    found = status.as_of(shown, ran, now)
    assert {name: node["state"] for name, node in found["nodes"].items()} == {
        "data": "done",
        "one": "stale",
        "two": "stale",
        "three": "done",
    }
    assert [wire["target"] for wire in found["wires"]] == ["three"]
    assert status.as_of(status.IDLE, None, now) == status.IDLE


def test_the_error_of_a_run_keeps_its_line_breaks() -> None:
    error = MMError("2 problems\n  line 1: one\n  line 2: two", remedy="mend them")
    assert error_text(error) == "2 problems\n  line 1: one\n  line 2: two\n  → mend them"
    assert error_line(error) == "2 problems line 1: one line 2: two → mend them"
