"""After an edit, exactly the affected nodes run again, in this process and in the next one."""

from __future__ import annotations

import ctypes
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import mmnotebook as mm
from mmnotebook.graph.graph import Graph
from mmnotebook.results.results import Result
from tests.runtime import kernel_script, toys
from tests.runtime.alike import never_meet

CACHED = "read from the cache"


def computed(result: Result) -> set[str]:
    """Return the nodes that were not read from the cache."""
    return set(result.nodes.index[~result.nodes["cached"]])


# Random graphs and random edits


def function(name: str, kind: str, version: int, closed: int, read: int) -> Callable[[Any], Any]:
    """Return a function as a cell with `def` creates it, with a closure and a global variable."""
    body = {
        "map": f"total(x) * {version} + closed + LEVEL",
        "filter": f"(total(x) + {version} + closed + LEVEL) % 4 != 0",
        "flat_map": f"[total(x) + {version} + closed + LEVEL] * (total(x) % 3)",
    }[kind]
    cell: dict[str, Any] = {"LEVEL": read, "total": total, "__name__": "__main__"}
    source = f"def make(closed):\n    def {name}(x):\n        return {body}\n    return {name}"
    exec(compile(source, "<cell>", "exec"), cell)
    made: Callable[[Any], Any] = cell["make"](closed)
    return made


def total(x: Any) -> Any:
    return sum(map(total, x.values())) if isinstance(x, dict) else x


@dataclass(frozen=True)
class Step:
    """A node: its kind, its input nodes, and the parts of its function."""

    kind: str
    above: tuple[str, ...]
    version: int = 1
    closed: int = 0
    read: int = 0


@dataclass(frozen=True)
class Notebook:
    """Data and steps by name."""

    data: tuple[int, ...]
    steps: dict[str, Step] = field(default_factory=dict)

    def graph(self) -> Graph:
        lines, functions = [], {}
        for name, step in self.steps.items():
            above = step.above[0] if len(step.above) == 1 else f"[{', '.join(step.above)}]"
            rest = ', missing="use rest"' if len(step.above) > 1 else ""
            lines.append(f"{name} = {above} | {step.kind}(f_{name}{rest})")
            made = function(f"f_{name}", step.kind, step.version, step.closed, step.read)
            functions[f"f_{name}"] = made
        try:
            return mm.pipeline("\n".join(lines), data=list(self.data), **functions)
        except mm.GraphError as error:  # a join that can never succeed
            assume(not never_meet(error))
            raise

    def values(self) -> dict[str, dict[str, int]]:
        """Return the right values by node and id."""
        found = {"data": {str(place): value for place, value in enumerate(self.data)}}
        for name, step in self.steps.items():
            given = found[step.above[0]]
            if len(step.above) > 1:
                ids = dict.fromkeys(i for above in step.above for i in found[above])
                given = {i: sum(found[a].get(i, 0) for a in step.above) for i in ids}
            found[name] = step_values(step, given)
        return found

    def content(self, name: str) -> tuple[Any, ...]:
        """Return everything that a node's values depend on, except its own name."""
        if name == "data":
            return ("data", self.data)
        step = self.steps[name]
        inputs = tuple(self.content(above) for above in step.above)
        # The function of a join receives a dict by node name.
        return (replace(step, above=step.above if len(step.above) > 1 else ()), inputs)


def step_values(step: Step, given: dict[str, int]) -> dict[str, int]:
    add = step.closed + step.read
    if step.kind == "map":
        return {i: x * step.version + add for i, x in given.items()}
    if step.kind == "filter":
        return {i: x for i, x in given.items() if (x + step.version + add) % 4}
    return {f"{i}/{k}": x + step.version + add for i, x in given.items() for k in range(x % 3)}


KINDS = st.sampled_from(["map", "map", "filter", "flat_map"])


@st.composite
def steps(draw: st.DrawFn, names: list[str]) -> Step:
    """Draw a step after one or two of these."""
    above = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
    numbers = st.integers(1, 3)
    return Step(draw(KINDS), tuple(above), *(draw(numbers) for _ in range(3)))


@st.composite
def notebooks(draw: st.DrawFn) -> Notebook:
    data = tuple(draw(st.lists(st.integers(0, 50), min_size=1, max_size=6)))
    made: dict[str, Step] = {}
    for name in "abcde"[: draw(st.integers(2, 5))]:
        made[name] = draw(steps(["data", *made]))
    return Notebook(data, made)


def edited(draw: st.DrawFn, book: Notebook) -> Notebook:
    """Draw one edit."""
    made = dict(book.steps)
    name = draw(st.sampled_from(list(made)))
    what = draw(st.sampled_from(["version", "closed", "read", "data", "rename", "add", "remove"]))
    if what == "data":
        return replace(book, data=(*book.data, len(book.data)))
    if what == "rename":
        called = {name: f"{name}_"}
        return replace(book, steps={
            called.get(n, n): replace(s, above=tuple(called.get(a, a) for a in s.above))
            for n, s in made.items()
        })  # fmt: skip
    if what == "add":
        made[f"n{len(made)}"] = draw(steps(["data", *made]))
    elif what == "remove":
        last = list(made)[-1]
        if len(made) > 1:
            del made[last]
    else:
        made[name] = replace(made[name], **{what: getattr(made[name], what) + 1})
    return replace(book, steps=made)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_after_any_edits_exactly_what_changed_is_computed(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMNOTEBOOK_CACHE", folder)
        check_edits(data)


def check_edits(data: st.DataObject) -> None:
    book, seen = data.draw(notebooks()), set[Any]()
    for _ in range(3):
        result = mm.run(book.graph())
        for name, right in book.values().items():
            rows = result[name]
            assert dict(zip(rows["id"], map(total, rows["value"]), strict=True)) == right
        contents = {name: book.content(name) for name in ("data", *book.steps)}
        assert computed(result) == {name for name, one in contents.items() if one not in seen}
        assert {n for n, why in result.why.items() if why != CACHED} == computed(result)
        seen.update(contents.values())
        book = edited(data.draw, book)


# Across kernels

NOTEBOOK = """
import mmnotebook as mm

def first(x):
    return x + plus

def second(x, times=times):
    return x * times

def third(x):
    return helper(x)

def helper(x):
    return f"<{x}>"

graph = mm.pipeline("data | first | second | third", data=list(range(5)),
    first=first, second=second, third=third)
result = mm.run(graph)
nodes = result.nodes
say({"cached": nodes.index[nodes["cached"]].tolist(), "last": result["third"]["value"].tolist()})
"""


def test_another_kernel_continues_from_the_last_one(tmp_path: Path) -> None:
    rounds = [
        ({"plus": 1, "times": 2}, []),
        ({"plus": 1, "times": 2}, ["data", "first", "second", "third"]),
        ({"plus": 1, "times": 3}, ["data", "first"]),
        ({"plus": 2, "times": 3}, ["data"]),
    ]
    for names, cached in rounds:
        found = kernel_script.run(NOTEBOOK, tmp_path, **names)
        values = [f"<{(x + names['plus']) * names['times']}>" for x in range(5)]
        assert found == {"cached": cached, "last": values}


# Models


def test_no_elements_need_no_file() -> None:
    def never(x: int) -> bool:
        return x > 9

    graph = mm.pipeline("data | filter(never) | map(str)", data=[1, 2], never=never)
    assert mm.run(graph)["str"].empty
    stored = Path(os.environ["MMNOTEBOOK_CACHE"]).rglob("*.shard")
    assert len(list(stored)) == 1, "only the shard of the source"
    again = mm.run(graph)
    assert again.nodes["cached"].all() and again["str"].empty


def test_weights_batch_size_and_output_identify_a_model() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)

    def runs(*args: Any, **options: Any) -> tuple[set[str], list[Any]]:
        mm.register("scale", toys.Scale(*args), **options)
        text = "rows | scale\nscale | after"
        result = mm.run(mm.pipeline(text, rows=rows, after=inference))
        return computed(result), result["after"]["value"].tolist()

    doubled = [float(x) for x in (rows * 2).sum(axis=1)]
    assert runs(2.0, batch_size=4) == ({"rows", "scale", "after"}, doubled)
    assert runs(2.0, batch_size=4) == (set(), doubled)
    assert runs(3.0, batch_size=4) == ({"scale", "after"}, [x * 1.5 for x in doubled])
    assert runs(2.0, batch_size=4) == (set(), doubled)
    assert runs(2.0, batch_size=5) == ({"scale", "after"}, doubled)
    assert runs(2.0, batch_size=4, output=torch.neg)[0] == {"scale", "after"}


def inference(prediction: Any) -> float:
    return float(prediction.inference.sum())


# Parameters, sources, options


def plus(x: Any) -> Any:
    return x + 1


def test_the_parameters_of_a_split() -> None:
    def arms(step: str) -> set[str]:
        rows = [{"n": n, "user": n % 7} for n in range(40)]
        text = f'more = rows["n"] | plus\narms = more | {step}'
        result = mm.run(mm.pipeline(text, rows=rows, plus=plus))
        return computed(result)

    assert arms('split({"a": 0.5, "b": 0.5})') == {"rows", "more", "arms"}
    assert arms('split({"a": 0.4, "b": 0.6})') == {"arms"}
    assert arms('split({"a": 0.5, "b": 0.5}, salt="other")') == {"arms"}
    # The nodes upstream do not depend on the parameters of the split.
    assert arms('split({"a": 0.5, "b": 0.5}, by="user")') == {"arms"}
    assert arms('split({"a": 0.5, "b": 0.5})') == set()


def test_a_part_of_the_data_and_a_part_of_the_graph() -> None:
    graph = mm.pipeline("one = data | plus\ntwo = one | plus", data=list(range(9)), plus=plus)
    assert computed(mm.run(graph, until="one")) == {"data", "one"}
    assert computed(mm.run(graph)) == {"two"}
    few = mm.run(graph, limit=4)
    assert computed(few) == {"data", "one", "two"} and few["two"]["value"].tolist() == [2, 3, 4, 5]
    assert computed(mm.run(graph, limit=4)) == set()
    # A limit above the number of elements changes nothing.
    assert computed(mm.run(graph, limit=9)) == set()


def test_fresh_computes_everything_and_replaces_the_entries() -> None:
    graph = mm.pipeline("one = data | plus\ntwo = one | plus", data=[1, 2], plus=plus)
    before = mm.run(graph)
    fresh = mm.run(graph, fresh=True)
    assert computed(fresh) == {"data", "one", "two"}
    assert set(fresh.why.values()) == {"fresh=True"}
    assert before["two"].equals(fresh["two"])
    assert computed(mm.run(graph)) == set()
    assert len(mm.cache.entries) >= 3


def test_a_file_that_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    graph = mm.pipeline('one = rows["n"] | plus', rows=str(path), plus=plus)
    for content, expected in (([1, 2], True), ([1, 2], False), ([1, 3], True), ([1, 2], False)):
        pd.DataFrame({"n": content}).to_csv(path, index=False)
        result = mm.run(graph)
        assert computed(result) == ({"rows", "one"} if expected else set())
        assert result["one"]["value"].tolist() == [n + 1 for n in content]


# What cannot be fingerprinted


def clocked(x: Any) -> Any:
    return x, time.time()


def test_what_is_not_cacheable_is_always_computed_with_all_downstream() -> None:
    graph = mm.pipeline(
        "one = data | plus\ntold = one | clocked\nlater = told | map(str)\nother = one | map(str)",
        data=[1, 2], plus=plus, clocked=clocked, str=str,
    )  # fmt: skip
    seen = set()
    for turn in range(2):
        result = mm.run(graph)
        assert computed(result) == {"told", "later"} | (
            {"data", "one", "other"} if not turn else set()
        )
        assert result.why["told"] == "not cacheable: clocked reads the clock (time.time)"
        why = "not cacheable: upstream node 'told': clocked reads the"
        assert result.why["later"].startswith(why)
        seen.add(result["told"]["value"][0][1])
    assert len(seen) == 2


def test_data_that_cannot_be_fingerprinted() -> None:
    graph = mm.pipeline("data | call", data=[time.time, time.monotonic], call=call)
    for _ in range(2):
        result = mm.run(graph)
        assert computed(result) == {"data", "call"}
        assert "reads the clock" in result.why["data"]


def call(function: Any) -> float:
    return float(function())


MET: list[Any] = []


def meets(x: Any) -> int:
    remember(x)
    return len(MET)


def remember(x: Any) -> None:
    MET.append(x)


def test_a_global_that_changes_while_it_is_read() -> None:
    MET.clear()
    graph = mm.pipeline("data | meets", data=[1, 2, 3], meets=meets)
    assert mm.run(graph)["meets"]["value"].tolist() == [1, 2, 3]
    again = mm.run(graph)
    assert again["meets"]["value"].tolist() == [4, 5, 6]
    assert again.why["meets"].startswith("not cacheable: ")


def after_what_was_met(prediction: Any) -> float:
    return float(prediction.sum()) + len(MET)


def test_a_value_read_by_an_output_function_changes_during_the_run() -> None:
    MET.clear()
    mm.register("scale", toys.Scale(2.0), output=after_what_was_met)
    graph = mm.pipeline("rows | scale\nrows | meets\nscale | map(str)",
                        rows=np.ones((3, 2), np.float32), meets=meets, str=str)  # fmt: skip
    mm.run(graph)
    again = mm.run(graph, until="str")
    assert computed(again) == {"scale", "str"}
    assert len(set(again["scale"]["prediction"])) == 1


# Failures


def odd_fails(x: int) -> int:
    if x % 2:
        raise ValueError(f"{x} is odd")
    return x


def test_failures_are_a_part_of_what_is_stored() -> None:
    graph = mm.pipeline("some = data | odd_fails\nmore = some | plus", data=list(range(10)),
                        odd_fails=odd_fails, plus=plus)  # fmt: skip
    first = mm.run(graph, max_failed=0.5)
    again = mm.run(graph, max_failed=0.5)
    assert computed(again) == set()
    assert len(first.failed) == 5 and first.failed.equals(again.failed)
    assert first.nodes.drop(columns="cached").equals(again.nodes.drop(columns="cached"))
    # Each run checks the number of failures again.
    with pytest.raises(mm.RunError, match="5 of 10 elements failed"):
        mm.run(graph)
    same = mm.run(mm.pipeline("called = data | odd_fails", data=list(range(10)),
                              odd_fails=odd_fails), max_failed=0.5)  # fmt: skip
    assert computed(same) == set() and set(same.failed["node"]) == {"called"}


ASKED = ctypes.c_int(0)
_ADDRESS = ctypes.addressof(ASKED)


def ask(x: int) -> int:
    """A service that is busy once, in the 150th call; the count is not part of any identity."""
    asked = ctypes.c_int.from_address(_ADDRESS)
    asked.value += 1
    if asked.value == 150:
        raise TimeoutError("no answer")
    if x < 120:
        raise ValueError("too few")
    return -x


def test_a_temporary_error_is_tried_again() -> None:
    text, names = "one = data | ask\ntwo = one | plus", {"ask": ask, "plus": plus}
    graph = mm.pipeline(text, data=list(range(200)), **names)
    ASKED.value = 0
    first = mm.run(graph, max_failed=0.7)
    # The number of other failures before it does not matter.
    assert first.failed["error"].value_counts().to_dict() == {"ValueError": 120, "TimeoutError": 1}
    assert len(first["two"]) == 79
    second = mm.run(graph, max_failed=0.7)
    assert {"one", "two"} <= computed(second) and len(second.failed) == 120
    assert second["two"]["value"].tolist() == [1 - x for x in range(120, 200)]
    third = mm.run(graph, max_failed=0.7)
    assert computed(third) == set()
    assert third["two"].equals(second["two"])
