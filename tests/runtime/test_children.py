"""A row cannot have an id like that of a child, parent/0; a child is never joined with a row."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import mmnotebook as mm
from mmnotebook.beam.lowering import join
from mmnotebook.beam.lowering.children import parents
from mmnotebook.elements.block import Block
from mmnotebook.elements.packing import pack
from mmnotebook.errors import RunError


def same(value: Any) -> Any:
    return value


def fan(value: Any) -> list[Any]:
    return [value, value]


def frame(*ids: str) -> pd.DataFrame:
    return pd.DataFrame({"x": range(len(ids))}, index=list(ids))


def run(text: str, **data: Any) -> mm.Result:
    names = {name: value for name, value in (("same", same), ("fan", fan)) if name in text}
    return mm.run(mm.pipeline(text, **data, **names), progress=False)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ('c = d | flat_map(fan)\n{"a": d, "c": c} | map(same, missing="use rest")', ["p", "p/0"]),
        ("c = d | flat_map(fan)\n{d, c} | same", ["p/1", "q", "p"]),
        ("d | flat_map(fan) | same", ["a/2024", "a"]),
        ("d | flat_map(fan) | flat_map(fan) | same", ["p", "p/3/0"]),
    ],
)
def test_a_row_with_the_id_of_a_child_is_refused(text: str, data: list[str]) -> None:
    with pytest.raises(
        RunError, match="has the same id as a child that .* can create from the row"
    ) as error:
        run(text, d=frame(*data))
    assert "reset_index" in str(error.value)


def test_also_if_the_rows_are_of_another_joined_source() -> None:
    one, other = frame("p"), frame("p/0")
    with pytest.raises(RunError, match="source 'e': the row 'p/0' .* from the row 'p' of 'd'"):
        run("c = d | flat_map(fan)\n{c, e} | same", d=one, e=other)
    assert len(run("d | flat_map(fan)\ne | same", d=one, e=other)["same"]) == 1


@pytest.mark.parametrize("ids", [["p", "p/x"], ["p", "p/00"], ["p/0", "p/1"], ["p", "q/0"], ["/0"]])
def test_other_ids_with_a_slash_are_ids(ids: list[str]) -> None:
    assert len(run("c = d | flat_map(fan)\n{d, c} | same", d=frame(*ids))["same"]) == 3 * len(ids)


def test_without_children_every_id_is_one() -> None:
    assert len(run("d | same", d=frame("p", "p/0"))["same"]) == 2


def test_the_parents_of_an_id() -> None:
    assert list(parents("a/b/0/12")) == ["a/b/0", "a/b"]
    assert list(parents("a")) == list(parents("a/01")) == []


def test_a_child_is_not_joined_with_a_row_of_its_id() -> None:
    rows = join.JoinMember.of([Block(["p", "p/0"], pack([1, 2]))])
    children = join.JoinMember.of([Block(["p/0", "p/1"], pack([3, 4]), ["p", "p"])])
    found = join.sets([rows, children], ())
    assert [len(one.ids) for one in found if len(one.members) == 2] == [0]
    assert sorted(map(join.id_of, (i for one in found for i in one.ids))) == [
        *("p", "p/0", "p/0", "p/1")
    ]
    again = join.JoinMember.of([Block(["p/1"], pack([5]), ["p"])])
    both = join.sets([children, again], ())[0]
    whole = join.whole([children, again], both, ("a", "b"))
    assert (whole.ids, whole.origins, list(whole.values)) == (["p/1"], ["p"], [{"a": 4, "b": 5}])


def test_children_of_one_step_are_joined() -> None:
    text = 'c = d["x"] | flat_map(fan)\ne = c | same\n{"c": c, "e": e} | map(repr)'
    result = run(text, d=frame("p", "q"))
    assert list(result["repr"]["id"]) == ["p/0", "p/1", "q/0", "q/1"]
    assert list(result["repr"]["value"])[2] == "{'c': 1, 'e': 1}"
