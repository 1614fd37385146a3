"""`fresh=`: all nodes, none, or those that are named with what is below them."""

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


def ran(fresh: Any, made: Graph | None = None, **how: Any) -> Result:
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
def test_these_and_what_is_below_are_computed(name: str) -> None:
    fresh, wanted = CHOICES[name]
    first = ran(False)
    again = ran(fresh)
    assert computed(again) == wanted
    assert again["both"].equals(first["both"])
    assert computed(ran(False)) == set()


def test_nodes_of_the_graph() -> None:
    made = graph()
    ran(False, made)
    assert computed(ran(made["b"], made)) == {"b", "both"}
    assert computed(ran([made["c"], "b"], made)) == {"b", "c", "both"}


def test_why_says_so() -> None:
    ran(False)
    why = ran("b").why
    assert why["b"] == "fresh='b'" and why["a"] == "read from the cache"
    assert why["both"] == "its input is recomputed (b)"
    assert ran(True).why["both"] == "fresh=True"


def test_what_is_computed_takes_the_place_of_what_was_stored() -> None:
    calls = ctypes.c_int(0)
    address = ctypes.addressof(calls)

    def count(x: int) -> int:  # how often it was called is no part of what it is
        ctypes.c_int.from_address(address).value += 1
        return ctypes.c_int.from_address(address).value

    made = mm.pipeline("one = rows | count", rows=[1], count=count)
    for fresh, wanted in ((False, 1), (False, 1), ("one", 2), (False, 2)):
        assert ran(fresh, made)["one"]["value"].tolist() == [wanted]


@pytest.mark.parametrize("fresh", [1, 0, None, "", "yes", np.True_, {"b": True}, ["b", 1], [["b"]]])
def test_anything_else_is_an_error(fresh: Any) -> None:
    with pytest.raises(RunError, match="fresh=") as caught:
        ran(fresh)
    assert caught.value.remedy


def test_a_name_that_is_nearly_right() -> None:
    with pytest.raises(RunError, match="did you mean 'both'"):
        ran(["bot"])


def test_a_node_of_another_graph() -> None:
    other = mm.pipeline("b = rows | one_more", rows=[1], one_more=one_more)
    with pytest.raises(RunError, match="fresh='b': this node is not in the graph"):
        ran(other["b"])


def test_a_node_that_is_not_run() -> None:
    with pytest.raises(RunError, match="this run has no node with this name"):
        ran("both", until="b")


def test_a_source_that_is_recorded_anew() -> None:
    made = mm.pipeline("rows | one_more", rows=beam.Create([1, 2]), one_more=one_more)
    ran(False, made)
    assert "recorded earlier" in ran("one_more", made).why["rows"]
    assert "recorded now" in ran("rows", made).why["rows"]
