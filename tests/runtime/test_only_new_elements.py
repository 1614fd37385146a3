"""After an edit of the data, a node computes only the new elements."""

from __future__ import annotations

import ctypes
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mmnotebook as mm
from mmnotebook.elements import block as blocks
from mmnotebook.errors import InterruptedRunError, ModelError
from mmnotebook.results.results import Result
from mmnotebook.sources import block_size
from tests.runtime import kernel_script


class Seen:
    """The values that functions and models received.

    Attributes
    ----------
    busy
        Values that are refused temporarily.
    first
        Called before the first value.
    at
        Functions called with these values; user code would have to be part of the identity.
    """

    values: list[Any]
    busy: frozenset[Any]
    first: Callable[[], Any] | None
    at: dict[str, Callable[[], Any]]

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.values, self.busy, self.first, self.at = [], frozenset(), None, {}


SEEN = Seen()
_SLOT = ctypes.py_object(SEEN)
_ADDRESS = ctypes.addressof(_SLOT)


def record(value: Any) -> Any:
    """Record a value at a memory address, so that the count is not part of any identity."""
    state: Any = ctypes.py_object.from_address(_ADDRESS).value
    if not state.values and state.first is not None:
        state.first()
    state.values.append(value)
    if not isinstance(value, np.ndarray):
        if value in state.at:
            state.at[value]()
        if value in state.busy:
            raise TimeoutError("busy")
    return value


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    SEEN.clear()


class Total:
    """A model that sums each row."""

    def predict(self, rows: Any) -> list[float]:
        return [float(np.sum(record(row))) for row in rows]


class RemoteModel:
    """A remote model, called with one element at a time."""

    def predict(self, prompts: Any) -> list[str]:
        return [answer(prompt) for prompt in prompts]


def answer(prompt: str) -> str:
    record(prompt)
    if prompt.startswith("bad"):
        raise ValueError("refused for good")
    return f"answer to {prompt}"


def run(text: str, **names: Any) -> Result:
    """Run a pipeline, after the recorded values are cleared."""
    SEEN.values.clear()
    fresh = names.pop("fresh", False)
    return mm.run(mm.pipeline(text, **names), fresh=fresh, max_failed=1.0, progress=False)


def number(count: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"a": rng.normal(size=count), "b": rng.normal(size=count)})


def equal(one: Result, other: Result) -> bool:
    nodes = list(one.nodes.index)
    same = all(one[node].equals(other[node]) for node in nodes)
    failed = [r.failed.sort_values(["node", "id"], ignore_index=True) for r in (one, other)]
    return same and failed[0].drop(columns="traceback").equals(failed[1].drop(columns="traceback"))


# Ten thousand rows


def edits(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    edited = frame.copy()
    edited.loc[5000, "a"] = 7.0
    return {
        "100 appended": pd.concat([frame, number(100, 1)], ignore_index=True),
        "one edited": edited,
        "reordered": frame.sample(frac=1.0, random_state=0),
    }


@pytest.mark.parametrize(
    ("cache", "seen"),
    [
        ("element", {"100 appended": 100, "one edited": 1, "reordered": 0}),
        (None, {"100 appended": 1908, "one edited": 4096, "reordered": 10_000}),
    ],
)
def test_a_model_receives_only_the_new_rows_of_an_edited_frame(
    cache: str | None, seen: dict[str, int]
) -> None:
    mm.register("total", Total(), input=["a", "b"], cache=cache)
    frame = number(10_000, 0)
    run("rows | total", rows=frame)
    for name, edited in edits(frame).items():
        result = run("rows | total", rows=edited)
        known = len(edited) - seen[name]
        assert len(SEEN.values) == seen[name], name
        assert result.models.loc["total", "predictions"] == seen[name]
        assert result.nodes.loc["total", "elements_out"] == len(edited)
        told = f"{known:,} elements read from the cache, {seen[name]:,} computed"
        assert (told in result.why["total"]) == bool(known), result.why
        right = edited["a"] + edited["b"]
        assert result["total"]["prediction"].tolist() == right.tolist()
        assert result["total"]["id"].tolist() == [str(i) for i in edited.index]


def test_after_an_edit_the_complete_entry_is_found_again() -> None:
    mm.register("total", Total(), input=["a", "b"], cache="element")
    frame = number(300, 0)
    run("rows | total", rows=frame)
    more = pd.concat([frame, number(9, 1)], ignore_index=True)
    first = run("rows | total", rows=more)
    again = run("rows | total", rows=more)
    assert again.nodes["cached"].all() and not SEEN.values and equal(first, again)


# Functions


def doubled(x: int) -> int:
    return 2 * record(x)


def kept(x: int) -> bool:
    return record(x) % 3 > 0


def several(x: int) -> list[int]:
    return [record(x)] * (x % 3)


@pytest.mark.parametrize("function", [doubled, kept, several])
def test_only_the_last_block_of_a_function_is_made(function: Callable[[int], Any]) -> None:
    kind = {doubled: "map", kept: "filter", several: "flat_map"}[function]
    run(f"data | {kind}(f)", data=list(range(9000)), f=function)
    result = run(f"data | {kind}(f)", data=list(range(9005)), f=function)
    assert SEEN.values == list(range(8192, 9005))
    assert "8,192 elements read from the cache, 813 computed" in result.why["f"]
    assert result.nodes.loc["f", "elements_in"] == 9005
    assert equal(result, run(f"data | {kind}(f)", data=list(range(9005)), f=function, fresh=True))


def test_an_edited_function_is_called_for_everything() -> None:
    def made(factor: int) -> Callable[[int], int]:
        return lambda x: factor * record(x)

    run("data | f", data=list(range(5000)), f=made(2))
    result = run("data | f", data=list(range(5001)), f=made(3))
    assert len(SEEN.values) == 5001
    assert result["f"]["value"].tolist() == [3 * x for x in range(5001)]
    run("data | f", data=list(range(5002)), f=made(2))
    assert SEEN.values == list(range(4096, 5002)), "the earlier state is found again"


def test_fresh_reuses_no_element() -> None:
    run("data | f", data=list(range(5000)), f=doubled)
    run("data | f", data=list(range(5001)), f=doubled, fresh=True)
    assert len(SEEN.values) == 5001


def test_a_function_twice_in_a_row() -> None:
    text = "one = data | map(f)\ntwo = one | map(f)"
    for count in (5000, 5001):
        result = run(text, data=list(range(count)), f=doubled)
        assert result["two"]["value"].tolist() == [4 * x for x in range(count)]
        # An output of the first function for a block is not reused for the second function.
        assert len(SEEN.values) == (10_000 if count == 5000 else 2 * 905)


def nested(x: int) -> dict[str, Any]:
    return {"some": [x, {"more": record(x)}]}


def unpacked(x: dict[str, Any]) -> int:
    return int(record(x["some"][0]))


def test_values_that_are_expensive_to_compare_are_computed() -> None:
    text = "one = data | map(f)\ntwo = one | map(g)"
    for count in (5000, 5001):
        result = run(text, data=list(range(count)), f=nested, g=unpacked)
        assert result["two"]["value"].tolist() == list(range(count))
    assert len(SEEN.values) == 905 + 5001


def test_one_more_file_of_a_glob(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number:03}.csv").write_text(f"n\n{number}\n{number}.5\n")
    mm.register("total", Total(), cache="element")
    text = 'data["n"] | f\ndata["n"] | total'
    names = {"data": str(tmp_path / "*.csv"), "f": doubled}
    run(text, **names)
    (tmp_path / "100 and more.csv").write_text("n\n-1.5\n")
    result = run(text, **names)
    assert result.models.loc["total", "predictions"] == 1
    # The files in the same block as the new one, and those moved to another block.
    assert -1.5 in SEEN.values and len(SEEN.values) <= 1 + 2 * 2 * 64
    assert equal(result, run(text, **names, fresh=True))


# Models


class OfBatch:
    """A model whose output depends on the rest of its batch."""

    def predict(self, rows: Any) -> list[float]:
        return [float(np.sum(record(row)) - np.mean(rows)) for row in rows]


@pytest.mark.parametrize("cache", ["element", None])
def test_outputs_that_depend_on_the_batch_are_not_reused_in_part(cache: str | None) -> None:
    mm.register("of_batch", OfBatch(), input=["a", "b"], cache=cache)
    with pytest.warns(mm.ModelWarning, match="depend"):
        run("rows | of_batch", rows=number(5000, 0))
    with pytest.warns(mm.ModelWarning, match="depend"):
        result = run("rows | of_batch", rows=number(5000, 0)[:4999])
    assert result.models.loc["of_batch", "predictions"] == 4999


def test_elements_of_a_branch() -> None:
    mm.register("total", Total(), cache="element")
    text = """
    arms = one["x"] | split({"a": 0.5, "b": 0.5})
    left = arms.a | total
    right = arms.b | total
    """
    frames = [pd.DataFrame({"x": range(count)}) for count in (300, 301)]
    run(text, one=frames[0])
    result = run(text, one=frames[1])
    assert len(SEEN.values) == 1
    assert equal(result, run(text, one=frames[1], fresh=True))


def test_another_kernel_computes_only_the_new_ones(tmp_path: Path) -> None:
    for count, asked in ((100, 100), (103, 3), (60, 0)):
        found = kernel_script.run(KERNEL, tmp_path, count=count)
        assert found == {"asked": asked, "right": True}


KERNEL = """
import numpy as np
import mmnotebook as mm

class Total:
    def predict(self, rows):
        return [float(np.sum(row)) for row in rows]

mm.register("total", Total(), cache="element")
rows = np.arange(2 * count, dtype=float).reshape(count, 2)
result = mm.run(mm.pipeline("rows | total", rows=rows))
right = result["total"]["prediction"].tolist() == rows.sum(axis=1).tolist()
say({"asked": int(result.models["predictions"].sum()), "right": right})
"""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cache": "block"}, "cache='block'; allowed: 'element', or None"),
        ({"cache": True}, "cache=True; allowed: 'element', or None"),
        (
            {"cache": "element", "reset": "predict"},
            "reset= means that it depends on earlier elements",
        ),
    ],
)
def test_allowed_values_of_cache(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said) as raised:
        mm.register("total", Total(), **options)
    assert raised.value.remedy


# Failures


def prompts(count: int) -> list[str]:
    return [f"prompt {i}" for i in range(count)]


def test_temporary_failures_of_a_remote_model_are_tried_again_alone() -> None:
    mm.register("ask", RemoteModel(), batch_size=1, remote=True)
    SEEN.busy = frozenset(prompts(40)[5::10])
    first = run("prompts | ask", prompts=prompts(40))
    assert len(first["ask"]) == 36 and len(first.failed) == 4
    SEEN.busy = frozenset(["prompt 15"])
    second = run("prompts | ask", prompts=prompts(40))
    assert sorted(SEEN.values) == [f"prompt {i}" for i in (15, 25, 35, 5)]
    assert second.why["ask"] == "36 elements read from the cache, 4 tried again"
    assert list(second.failed["id"]) == ["15"]
    SEEN.busy = frozenset()
    third = run("prompts | ask", prompts=prompts(41))
    assert SEEN.values == ["prompt 15", "prompt 40"]
    assert "39 elements read from the cache, 2 computed" in third.why["ask"]
    last = run("prompts | ask", prompts=prompts(40))
    assert not SEEN.values and last.failed.empty
    again = run("prompts | ask", prompts=prompts(40))
    assert again.nodes["cached"].all()
    assert again["ask"]["prediction"].tolist() == [f"answer to {p}" for p in prompts(40)]


def test_permanent_failures_are_not_tried_again() -> None:
    mm.register("ask", RemoteModel(), batch_size=1, remote=True)
    given = ["good", "bad 1", "bad 2"]
    first = run("prompts | ask", prompts=given)
    second = run("prompts | ask", prompts=[*reversed(given), "more"])
    assert SEEN.values == ["more"]
    assert list(second.failed["id"]) == ["0", "1"]
    assert set(first.failed["message"]) == set(second.failed["message"]) == {"refused for good"}


def test_a_node_downstream_computes_only_the_new_ones_too() -> None:
    mm.register("ask", RemoteModel(), batch_size=1, remote=True)
    mm.register("then", RemoteModel(), batch_size=1, remote=True)
    SEEN.busy = frozenset(["prompt 3"])
    run("prompts | ask | then", prompts=prompts(9))
    SEEN.busy = frozenset()
    result = run("prompts | ask | then", prompts=prompts(9))
    assert SEEN.values == ["prompt 3", "answer to prompt 3"]
    assert len(result["then"]) == 9
    assert run("prompts | ask | then", prompts=prompts(9)).nodes["cached"].all()


@pytest.mark.parametrize("kind", ["map", "filter", "flat_map"])
def test_temporary_failures_of_a_function_are_tried_again_alone(kind: str) -> None:
    function = {"map": doubled, "filter": kept, "flat_map": several}[kind]
    text, names = f"data | {kind}(f)", {"data": list(range(5000)), "f": function}
    SEEN.busy = frozenset([7, 4999])
    first = run(text, **names)
    assert sorted(first.failed["id"]) == ["4999", "7"]
    SEEN.busy = frozenset()
    second = run(text, **names)
    assert sorted(SEEN.values) == [7, 4999]
    assert second.why["f"] == "4,998 elements read from the cache, 2 tried again"
    third = run(text, **names)
    assert third.nodes["cached"].all() and equal(second, third)
    assert equal(second, run(text, **names, fresh=True))


def test_outputs_before_a_stop_are_reused() -> None:
    mm.register("ask", RemoteModel(), batch_size=1, remote=True)
    frame = pd.DataFrame({"text": prompts(5000)})
    text = 'data["text"] | ask'
    graph = mm.pipeline(text, data=frame)
    started = threading.Event()
    SEEN.first = started.wait
    running = mm.run(graph, wait=False, progress=False)
    SEEN.at = {"prompt 4200": running.cancel}
    started.set()
    with pytest.raises(InterruptedRunError):
        running.result(60)
    asked = SEEN.values.copy()
    assert asked == prompts(4201)
    SEEN.clear()
    result = run(text, data=frame)
    assert SEEN.values == prompts(5000)[4201:]
    assert "4,201 elements read from the cache, 799 computed" in result.why["ask"]
    assert result["ask"]["prediction"].tolist() == [f"answer to {p}" for p in prompts(5000)]


def test_after_too_many_refusals_the_other_outputs_are_reused() -> None:
    mm.register("ask", RemoteModel(), batch_size=1, remote=True)
    SEEN.busy = frozenset(prompts(100)[::3])
    graph = mm.pipeline("prompts | ask", prompts=prompts(100))
    with pytest.raises(mm.RunError, match="34 of 100 elements failed"):
        mm.run(graph, progress=False)
    SEEN.clear()
    mm.run(graph, progress=False)
    assert SEEN.values == prompts(100)[::3]


# Damage


def stored(suffix: str) -> list[Path]:
    return sorted(Path(os.environ["MMNOTEBOOK_CACHE"]).rglob(f"*{suffix}"))


@pytest.mark.parametrize("suffix", [".keys", ".shard"])
@pytest.mark.parametrize("how", ["cut", "altered", "removed"])
def test_damaged_outputs_are_not_reused(suffix: str, how: str) -> None:
    mm.register("total", Total(), cache="element")
    rows = np.arange(80.0).reshape(40, 2)
    result = run("rows | total", rows=rows)
    for path in stored(suffix):
        whole = bytearray(path.read_bytes())
        if how == "removed":
            path.unlink()
            continue
        if how == "altered":
            whole[len(whole) // 2] ^= 1
        path.write_bytes(whole[:-9] if how == "cut" else whole)
    del result
    again = run("rows | total", rows=rows[:30])
    assert len(SEEN.values) == 30
    assert again["total"]["prediction"].tolist() == rows[:30].sum(axis=1).tolist()


def test_keys_of_another_shard_are_not_used() -> None:
    mm.register("total", Total(), cache="element")
    rows = np.arange(80.0).reshape(40, 2)
    run("rows | total", rows=rows[:20])
    (first,) = stored(".keys")
    run("rows | total", rows=rows[20:])
    (second,) = set(stored(".keys")) - {first}
    shutil.copy(first, second)
    again = run("rows | total", rows=rows)
    assert again["total"]["prediction"].tolist() == rows.sum(axis=1).tolist()
    assert len(SEEN.values) == 20


# Any edits


def odd(x: Any) -> Any:
    if x == 5:
        raise ValueError("five")
    return x


def plus(x: Any) -> Any:
    return odd(x) + 1


def is_even(x: Any) -> bool:
    return odd(x) % 2 == 0


def children(x: Any) -> list[Any]:
    return [odd(x)] * (int(x) % 4)


class Halved:
    """A model that fails for one element."""

    def predict(self, rows: Any) -> list[float]:
        return [odd(row) / 2 for row in rows]


VALUES = st.one_of(st.integers(0, 12), st.sampled_from([0.5, True, -0.0, 1e300]))


@st.composite
def edited(draw: st.DrawFn, values: list[Any]) -> list[Any]:
    """Draw a list after one edit."""
    kind = draw(st.sampled_from(["append", "delete", "edit", "reorder", "repeat"]))
    made = list(values)
    place = draw(st.integers(0, len(made) - 1))
    if kind == "append":
        made += draw(st.lists(VALUES, min_size=1, max_size=5))
    elif kind == "delete" and len(made) > 1:
        del made[place]
    elif kind == "edit":
        made[place] = draw(VALUES)
    elif kind == "reorder":
        made = draw(st.permutations(made))
    elif kind == "repeat":
        made.insert(place, made[-1])
    return made


@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_after_some_edits_it_is_as_if_everything_was_computed(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    check_edits(monkeypatch, tmp_path_factory, data)


@pytest.mark.slow
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_after_any_edit_it_is_as_if_everything_was_computed(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    check_edits(monkeypatch, tmp_path_factory, data)


def check_edits(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    monkeypatch.setenv("MMNOTEBOOK_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(block_size, "ROWS", 4)
    monkeypatch.setattr(blocks, "ROWS", 4)
    mm.register("half", Halved(), batch_size=2)
    mm.register("each", Halved(), batch_size=2, cache="element")
    text = """
    more = data | map(plus)
    few = data | filter(is_even)
    many = few | flat_map(children)
    halves = many | half
    ones = many | each
    last = more | each
    """
    names = {"plus": plus, "is_even": is_even, "children": children}
    values = data.draw(st.lists(VALUES, min_size=1, max_size=14))
    for _ in range(3):
        result = run(text, data=values, **names)
        assert equal(result, run(text, data=values, **names, fresh=data.draw(st.booleans())))
        assert equal(result, run(text, data=values, **names, fresh=True))
        values = data.draw(edited(values))
