"""`fresh=`: all nodes, none, or the named nodes and those downstream."""

from __future__ import annotations

import ctypes
from typing import Any

import apache_beam as beam
import numpy as np
import pytest

import mmnotebook as mm
from mmnotebook.errors import RunError
from mmnotebook.graph.graph import Graph
from mmnotebook.results.results import Result


def one_more(x: int) -> int:
    return x + 1


def twice(x: int) -> int:
    return 2 * x


def total(parts: dict[str, int]) -> int:
    return sum(parts.values())


TEXT = "a = rows | one_more\nb = a | twice\nc = rows | twice\nboth = [b, c] | total"
ALL = {"rows", "a", "b", "c", "both"}


def graph(rows: Any = (1, 2, 3)) -> Graph:
    return mm.pipeline(TEXT, rows=list(rows), one_more=one_more, twice=twice, total=total)


def computed(result: Result) -> set[str]:
    return set(result.nodes.index[~result.nodes["cached"]])


def run_fresh(fresh: Any, made: Graph | None = None, **how: Any) -> Result:
    return mm.run(made or graph(), fresh=fresh, progress=False, **how)


CHOICES: dict[str, tuple[Any, set[str]]] = {
    "True": (True, ALL),
    "False": (False, set()),
    "a name": ("b", {"b", "both"}),
    "a list": (["b"], {"b", "both"}),
    "several": (("b", "c"), {"b", "c", "both"}),
    "a set": ({"a"}, {"a", "b", "both"}),
    "a source": ("rows", ALL),
    "the last": ("both", {"both"}),
    "none": ([], set()),
}


@pytest.mark.parametrize("name", CHOICES)
def test_named_nodes_and_those_downstream_are_computed(name: str) -> None:
    fresh, wanted = CHOICES[name]
    first = run_fresh(False)
    again = run_fresh(fresh)
    assert computed(again) == wanted
    assert again["both"].equals(first["both"])
    assert computed(run_fresh(False)) == set()


def test_nodes_of_the_graph() -> None:
    made = graph()
    run_fresh(False, made)
    assert computed(run_fresh(made["b"], made)) == {"b", "both"}
    assert computed(run_fresh([made["c"], "b"], made)) == {"b", "c", "both"}


def test_why_has_the_reason() -> None:
    run_fresh(False)
    why = run_fresh("b").why
    assert why["b"] == "fresh='b'" and why["a"] == "read from the cache"
    assert why["both"] == "its input is recomputed (b)"
    assert run_fresh(True).why["both"] == "fresh=True"


def test_new_results_replace_the_stored_ones() -> None:
    calls = ctypes.c_int(0)
    address = ctypes.addressof(calls)

    def count(x: int) -> int:  # the number of its calls is not part of its identity
        ctypes.c_int.from_address(address).value += 1
        return ctypes.c_int.from_address(address).value

    made = mm.pipeline("one = rows | count", rows=[1], count=count)
    for fresh, wanted in ((False, 1), (False, 1), ("one", 2), (False, 2)):
        assert run_fresh(fresh, made)["one"]["value"].tolist() == [wanted]


@pytest.mark.parametrize("fresh", [1, 0, None, "", "yes", np.True_, {"b": True}, ["b", 1], [["b"]]])
def test_anything_else_is_an_error(fresh: Any) -> None:
    with pytest.raises(RunError, match="fresh=") as caught:
        run_fresh(fresh)
    assert caught.value.remedy


def test_a_name_that_is_nearly_right() -> None:
    with pytest.raises(RunError, match="did you mean 'both'"):
        run_fresh(["bot"])


def test_a_node_of_another_graph() -> None:
    other = mm.pipeline("b = rows | one_more", rows=[1], one_more=one_more)
    with pytest.raises(RunError, match="fresh='b': this node is not in the graph"):
        run_fresh(other["b"])


def test_a_node_that_is_not_run() -> None:
    with pytest.raises(RunError, match="this run has no node with this name"):
        run_fresh("both", until="b")


def test_a_source_that_is_recorded_anew() -> None:
    made = mm.pipeline("rows | one_more", rows=beam.Create([1, 2]), one_more=one_more)
    run_fresh(False, made)
    assert "recorded earlier" in run_fresh("one_more", made).why["rows"]
    assert "recorded now" in run_fresh("rows", made).why["rows"]
