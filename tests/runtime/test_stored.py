"""Elements that are stored in columns have the same tables as single elements."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from apache_beam.ml.inference.base import PredictionResult
from hypothesis import given
from hypothesis import strategies as st

import mmnotebook as mm
from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import Same, Tuples
from mmnotebook.elements.packing import pack
from mmnotebook.results import frames
from mmnotebook.running import stored
from mmnotebook.running.stored import BlockElements, StoredElements
from mmnotebook.store import entries, shards
from tests.runtime.alike import same
from tests.runtime.test_blocks import Pair, Point, alike
from tests.unit.analysis_runs import RecordElements, record


def compare(items: list[Any], columns: Sequence[Any]) -> None:
    """Compare the elements of blocks with these columns to the same items as records."""
    ids = iter(map(str, range(len(items))))
    made = BlockElements([Block([next(ids) for _ in column], column) for column in columns])
    expected = RecordElements([record(str(place), item) for place, item in enumerate(items)])
    assert (made.ids, made.origins, made.keys) == (expected.ids, expected.origins, expected.keys)
    assert same(made.given(), expected.given())
    assert same(made.plain(), expected.plain())
    assert made.models() == expected.models() and made.branches() == expected.branches()


@given(st.lists(alike(), max_size=3))
def test_columns_are_made_plain_as_each_value_is(parts: list[list[Any]]) -> None:
    compare([item for part in parts for item in part], list(map(pack, parts)))


@pytest.mark.parametrize(
    "items",
    [
        [torch.tensor(1.5), torch.tensor(2.5)],
        [torch.tensor(1.5, dtype=torch.bfloat16), torch.tensor(2.5, dtype=torch.bfloat16)],
        [torch.ones(2, dtype=torch.bfloat16)] * 2,
        [np.longdouble(1.5), np.longdouble(2.5)],
        [np.datetime64("2020-01-01", "ns"), np.datetime64("nat", "ns")],
        [(torch.tensor(1), np.float32(2)), (torch.tensor(3), np.float32(4))],
        [Point(torch.tensor(1), 2), Point(torch.tensor(3), 4)],
        [Pair(torch.tensor(1), None), Pair(torch.tensor(3), None)],
        [{"a": torch.tensor(1), "b": [torch.ones(1)]}, {"a": torch.tensor(2), "b": []}],
        [PredictionResult(1, {"a": torch.tensor(1)}, "m"), PredictionResult(2, {"a": 2}, "m")],
        [PredictionResult(1, torch.ones(1), "m"), PredictionResult(2, torch.ones(1), None)],
        [PredictionResult(1, PredictionResult(2, torch.tensor(3), "inner"), "outer")] * 2,
        [PredictionResult(1, 2, "m"), 3, None],
        [None, None],
    ],
)
def test_nested_values_become_plain(items: list[Any]) -> None:
    compare(items, [pack(items)])
    compare(items, [pack(items[:1]), pack(items[1:])])


def test_the_predictions_of_a_model_name_it() -> None:
    inferences = pack([torch.ones(1), torch.zeros(1)])
    column = Tuples(PredictionResult, (pack([1, 2]), inferences, Same("first", 2)))
    compare(column.rows(), [column])
    assert stored.models(column) == ["first", "first"]


def test_children_and_keys_are_those_of_their_blocks() -> None:
    blocks = [
        Block(["a", "b"], pack([1, 2])),
        Block(["c/0", "d"], pack([3, 4]), ["c", "d"], ["k", None]),
        Block([], pack([])),
        Block(["e"], pack([5]), model_keys=["l"]),
        Block(["f"], pack([6]), models=["small"]),
    ]
    made = BlockElements(blocks)
    assert made.ids == ["a", "b", "c/0", "d", "e", "f"]
    assert made.origins == ["a", "b", "c", "d", "e", "f"]
    assert made.keys == [None, None, "k", None, "l", "small"]
    assert made.branches() == [None, None, "k", None, None, None]
    assert made.plain() == [1, 2, 3, 4, 5, 6]


@given(
    st.lists(st.sampled_from(["a", "b", "p/1", "stray"]), max_size=12),
    st.lists(st.sampled_from(["", "/0", "/10", "/2", "/2/1", "/x"]), min_size=12, max_size=12),
)
def test_elements_are_in_the_order_of_their_origins(origins: list[str], ends: list[str]) -> None:
    sources = ["b", "p/1", "a"]
    ids = [origin + end for origin, end in zip(origins, ends, strict=False)]
    places = frames.Order(pd.Index(sources)).sort(ids, origins)
    assert sorted(places) == list(range(len(ids)))

    def rank(place: int) -> tuple[int, tuple[int, ...], int]:
        origin, end = origins[place], ends[place]
        steps = () if "x" in end else tuple(map(int, filter(None, end.split("/"))))
        return (sources.index(origin) if origin in sources else len(sources)), steps, place

    assert list(places) == sorted(range(len(ids)), key=rank)


def stored_of(folder: Path, **nodes: list[Block]) -> StoredElements:
    """Return blocks in files, with an entry for each node."""
    made = {}
    for name, blocks in nodes.items():
        (folder / name).mkdir()
        shards.write(folder / name / shards.new_name(0), blocks)
        made[name] = entries.write_manifest(folder / name, name, {})
    return StoredElements(made)


def test_fields_of_records_are_columns_of_their_own_types(tmp_path: Path) -> None:
    rows = [{"n": 1, "x": 0.5, "t": "a", "v": np.ones(2), "w": True}, {}]
    rows[1] = {"n": 2, "x": 1.5, "t": None, "v": np.zeros(2), "w": False}
    blocks = [Block(["a"], pack(rows[:1])), Block(["b"], pack(rows[1:]))]
    found = stored_of(tmp_path, rows=blocks).fields(["rows"])
    assert found.index.tolist() == ["a", "b"]
    assert list(map(str, found.dtypes)) == ["int64", "float64", "object", "object", "bool"]
    assert same(found.to_dict("records"), rows)


@pytest.mark.parametrize("values", [[np.ones(2)] * 2, [1, 2], ["t", "u"], [torch.ones(1)] * 2])
def test_values_that_are_not_records_have_no_fields(tmp_path: Path, values: list[Any]) -> None:
    found = stored_of(tmp_path, rows=[Block(["a", "b"], pack(values))]).fields(["rows"])
    assert found.shape == (2, 0) and found.index.tolist() == ["a", "b"]


def test_records_of_different_fields_have_them_all(tmp_path: Path) -> None:
    parts = [[{"n": 1}, {"n": 2}], [{"m": "x", "n": 3}], [4]]
    blocks = [Block([f"{k}{n}" for n in range(len(p))], pack(p)) for k, p in enumerate(parts)]
    found = stored_of(tmp_path, rows=blocks).fields(["rows"])
    assert list(found) == ["n", "m"] and found["n"].dtype == "Int64"
    assert found["m"].tolist() == [None, None, "x", None] and found["n"].iloc[3] is pd.NA


def test_a_result_is_shown_without_reading_what_is_stored() -> None:
    mm.register("double", torch.nn.Linear(1, 1))
    result = mm.run(mm.pipeline("rows | double", rows=np.ones((3, 1), "float32")), progress=False)
    assert isinstance(result._store, StoredElements)
    for entry in result._store._entries.values():
        for file in list(entry.path.glob("*.shard")):
            file.unlink()
    assert "double" in result._repr_mimebundle_()["text/html"] and len(result.failed) == 0
    with pytest.raises(shards.Damaged):
        result["double"]
