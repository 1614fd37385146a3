"""Several outputs for one element: vote, mean and stack, also with missing outputs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from apache_beam.ml.inference.base import PredictionResult
from hypothesis import given, settings
from hypothesis import strategies as st

import mmnotebook as mm
from mmnotebook.beam.lowering import combine, join
from mmnotebook.beam.lowering.combine import BY_MEAN, BY_STACK, BY_VOTE
from mmnotebook.elements.block import Block
from mmnotebook.elements.packing import pack
from mmnotebook.results.values import plain
from tests.runtime import toys

COMBINE = {"vote": BY_VOTE, "mean": BY_MEAN, "stack": BY_STACK}


def prediction(value: Any) -> PredictionResult:
    return PredictionResult(None, value, model_id="m")


def test_vote_counts_labels_of_every_kind() -> None:
    outputs = {"a": prediction(np.int64(3)), "b": prediction(torch.tensor(3)), "c": prediction(4)}
    assert combine.vote(outputs) == 3


def test_a_tied_vote_goes_to_the_first() -> None:
    assert combine.vote({"a": "cat", "b": "dog"}) == "cat"
    assert combine.vote({"a": "dog", "b": "cat"}) == "dog"


def test_vote_refuses_scores() -> None:
    with pytest.raises(TypeError, match=r"b returned 10 numbers.*argmax"):
        combine.vote({"a": 1, "b": prediction(torch.zeros(10))})


def test_mean_and_stack_take_arrays_tensors_and_numbers() -> None:
    outputs = {"b": prediction(np.array([3.0, 5.0])), "a": prediction(torch.tensor([1.0, 3.0]))}
    assert combine.mean(outputs).tolist() == [2.0, 4.0]
    assert combine.stack(outputs).tolist() == [[3.0, 5.0], [1.0, 3.0]]
    assert combine.mean({"a": 1, "b": prediction(np.float32(2))}) == 1.5


def test_mean_of_a_network_that_needs_more_than_floats() -> None:
    outputs = {"a": torch.tensor([1.0], dtype=torch.bfloat16), "b": torch.tensor([2.0])}
    assert combine.mean(outputs).tolist() == [1.5]


def test_mean_refuses_outputs_of_two_shapes() -> None:
    with pytest.raises(ValueError, match="same shape"):
        combine.mean({"a": np.zeros(3), "b": np.zeros(1)})


@pytest.mark.parametrize("kind", ["vote", "mean", "stack"])
def test_none_is_not_an_output(kind: str) -> None:
    with pytest.raises(TypeError, match=r"b returned None; .* missing="):
        COMBINE[kind].one({"a": prediction(1.0), "b": prediction(None)})


@pytest.mark.parametrize("label", ["cat", "3", {"label": "cat"}])
def test_mean_refuses_what_is_no_number(label: Any) -> None:
    with pytest.raises(TypeError, match=r"mean takes numbers; b returned .*; use vote\(\)"):
        combine.mean({"a": 1.0, "b": prediction(label)})


def test_stack_makes_no_text_of_a_number() -> None:
    with pytest.raises(TypeError, match=r"strings and numbers in one array: a 1\.0 .*, b 'cat'"):
        combine.stack({"a": 1.0, "b": "cat"})
    assert combine.stack({"a": "dog", "b": "cat"}).tolist() == ["dog", "cat"]


@pytest.mark.parametrize("kind", ["mean", "stack"])
def test_outputs_of_two_shapes_are_named(kind: str) -> None:
    with pytest.raises(ValueError, match=r"same shape: a \(3,\), b \(\)"):
        COMBINE[kind].one({"a": np.zeros(3), "b": 1.0})


def test_vote_refuses_what_cannot_be_counted() -> None:
    with pytest.raises(TypeError, match=r"one label per model; b returned \['cat'\] \(list\)"):
        combine.vote({"a": "cat", "b": ["cat"]})


# By column, compared with one element at a time

NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.floats(width=32),
    st.sampled_from([0.1, 1e300, math.inf, math.nan, -0.0]),
)
DTYPES = ("int64", "int8", "uint8", "uint64", "float64", "float32", "float16", "bool")
TORCH = ("int64", "float32", "float64", "bool", "uint8", "bfloat16")


@st.composite
def outputs_of_one(draw: st.DrawFn, count: int) -> list[Any]:
    """Draw outputs of one model for some elements, mostly of a type that columns support."""
    kind = draw(st.sampled_from(["array", "array", "tensor", "tensor", "python", "text"]))
    shape = draw(st.sampled_from([(), (), (2,), (1, 2)]))
    size = (count, *shape)
    numbers = draw(st.lists(NUMBERS, min_size=count * 2, max_size=count * 2))
    whole = np.resize(np.array(numbers, dtype=float), size)
    if kind == "text":
        return draw(st.lists(st.sampled_from(["a", "b"]), min_size=count, max_size=count))
    if kind == "python":
        one = draw(st.sampled_from([int, bool, float]))
        return [one(int(n) if math.isfinite(n) else 0) for n in numbers[:count]]
    with np.errstate(all="ignore"):
        if kind == "array":
            made = np.nan_to_num(whole).astype(draw(st.sampled_from(DTYPES)))
            return list(made)
        tensor = torch.from_numpy(whole).to(getattr(torch, draw(st.sampled_from(TORCH))))
    return list(tensor)


@st.composite
def ensembles(draw: st.DrawFn) -> list[dict[str, Any]]:
    count = draw(st.integers(1, 5))
    models = [draw(outputs_of_one(count)) for _ in range(draw(st.integers(1, 4)))]
    if draw(st.booleans()):  # models mostly return the same types
        models = [models[0], *(models[0][::-1] for _ in models[1:])]
    if draw(st.booleans()):
        models = [[prediction(value) for value in outputs] for outputs in models]
    return [{f"m{i}": out[at] for i, out in enumerate(models)} for at in range(count)]


def equal(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype != bool)
    return bool(one == other or (one != one and other != other))


@settings(max_examples=200, deadline=None)
@given(ensembles(), st.sampled_from(list(COMBINE)))
def test_by_column_is_as_one_at_a_time(rows: list[dict[str, Any]], kind: str) -> None:
    how = COMBINE[kind]
    with np.errstate(all="ignore"):
        made = how.column(pack(rows))
        if made is not None:
            alone = [plain(how.one(row)) for row in rows]
            assert len(made) == len(rows)
            assert all(map(equal, map(plain, made.rows()), alone))


@pytest.mark.parametrize("kind", ["vote", "mean", "stack"])
@pytest.mark.parametrize("made", [torch.tensor, np.float32, float])
def test_outputs_of_models_are_combined_by_column(kind: str, made: Any) -> None:
    rows = [{"a": prediction(made(1.0)), "b": prediction(made(2.0))}] * 3
    assert COMBINE[kind].column(pack(rows)) is not None


# Joined by id

ID = st.sampled_from("abcdef")


def member(ids: list[str], at: int) -> list[Block]:
    """Draw the elements of a node in blocks of two, some of them failures."""
    cut = [ids[start : start + 2] for start in range(0, len(ids), 2)]
    return [Block(part, pack([f"{name}{at}" for name in part])) for part in cut]


@given(st.lists(st.lists(ID, max_size=6), min_size=2, max_size=3))
def test_outputs_are_joined_by_id(given: list[list[str]]) -> None:
    members = [join.JoinMember.of(member(ids, at)) for at, ids in enumerate(given)]
    twice = {name for ids in given for name in ids if ids.count(name) > 1}
    assert {name for one in members for name in one.twice} == twice
    names = [f"n{at}" for at in range(len(given))]
    joined = {
        key.id: value
        for one in join.sets(members, twice)
        if one.ids
        for key, value in join.whole(members, one, names).elements()
    }
    assert joined == {
        name: {f"n{at}": f"{name}{at}" for at, ids in enumerate(given) if name in ids}
        for name in "abcdef"
        if name not in twice and any(name in ids for ids in given)
    }


def test_what_every_member_has_comes_first() -> None:
    members = [join.JoinMember.of(member(ids, 0)) for ids in (["a", "b"], ["b"])]
    found = join.sets(members, ())
    assert [(one.members, list(one.ids)) for one in found] == [((0, 1), ["b"]), ((0,), ["a"])]


# In runs

ROWS = pd.DataFrame({"x": [float(i) for i in range(30)]})


@pytest.fixture(scope="module")
def result() -> mm.Result:
    mm.register("one", toys.Scale(1.0), input="x")
    mm.register("two", toys.Scale(2.0, most=27.5), input="x")
    mm.register("ten", toys.Scale(10.0))
    lines = ["both = rows | [one, two]"]
    for name, mode in (("fail", "fail"), ("skip", "skip"), ("rest", "use rest")):
        lines += [f'{kind}_{name} = both | {kind}(missing="{mode}")' for kind in ("vote", "mean")]
        lines += [f'map_{name} = both | map(names, missing="{mode}")']
        lines += [f'flat_{name} = both | flat_map(names, missing="{mode}")']
        lines += [f'filter_{name} = both | filter(bool, missing="{mode}")']
    lines += ["stack_fail = both | stack()", 'stack_skip = both | stack(missing="skip")']
    lines += ["first = both | first_of | ten"]
    graph = mm.pipeline("\n".join(lines), rows=ROWS, names=names, first_of=first_of)
    return mm.run(graph)


def names(outputs: dict[str, Any]) -> list[str]:
    return list(outputs)


def first_of(outputs: dict[str, Any]) -> Any:
    return next(iter(outputs.values())).inference


KINDS = ("vote", "mean", "map", "flat", "filter")


@pytest.mark.parametrize("kind", [*KINDS, "stack", "first_of"])
def test_a_failure_of_a_member_fails_the_element(result: mm.Result, kind: str) -> None:
    node = kind if kind == "first_of" else f"{kind}_fail"
    failed = result.failed[result.failed["node"] == node]
    assert failed["id"].tolist() == ["28", "29"]
    assert set(failed["error"]) == {"MissingOutput"}
    says = failed["message"].iloc[0]
    assert says.startswith("no output of 'two' for this element: it failed there or was skipped")
    assert "missing='skip'" in says and "'use rest'" in says
    counts = result.nodes.loc[node, ["elements_in", "failed"]].tolist()
    assert counts == [30, 2]
    assert not set(result[node]["id"].str.split("/").str[0]) & {"28", "29"}


@pytest.mark.parametrize("kind", [*KINDS, "stack"])
def test_a_failure_of_a_member_skips_the_element(result: mm.Result, kind: str) -> None:
    node = f"{kind}_skip"
    assert result.nodes.loc[node, ["elements_in", "failed"]].tolist() == [28, 0]
    ids = list(dict.fromkeys(result[node]["id"].str.split("/").str[0]))
    assert ids == [str(i) for i in range(28)]


@pytest.mark.parametrize("kind", KINDS)
def test_existing_outputs_are_combined(result: mm.Result, kind: str) -> None:
    node = f"{kind}_rest"
    assert result.nodes.loc[node, ["elements_in", "failed"]].tolist() == [30, 0]
    assert len(set(result[node]["id"].str.split("/").str[0])) == 30


def test_values_of_an_ensemble(result: mm.Result) -> None:
    assert result["mean_rest"]["value"].tolist() == [1.5 * i for i in range(28)] + [28.0, 29.0]
    assert result["vote_skip"]["value"].tolist() == [float(i) for i in range(28)]
    assert result["map_rest"]["value"].tolist() == [["one", "two"]] * 28 + [["one"]] * 2
    assert [v.tolist() for v in result["stack_skip"]["value"][:2]] == [[0.0, 0.0], [1.0, 2.0]]
    assert result["first"]["prediction"].tolist() == [10.0 * i for i in range(28)]


def test_an_element_without_any_output_does_not_fail() -> None:
    graph = mm.pipeline(
        "low = rows | filter(below)\nhigh = rows | filter(above)\nmet = [low, high] | names",
        rows=[0, 1, 2, 3],
        below=below,
        above=above,
        names=names,
    )
    found = mm.run(graph, max_failed=1.0)
    assert found["met"]["id"].tolist() == ["2"]
    assert found.failed["id"].tolist() == ["1", "3"]


def below(x: int) -> bool:
    return 0 < x < 3


def above(x: int) -> bool:
    return x >= 2
