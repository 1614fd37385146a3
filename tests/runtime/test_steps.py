"""Every step in runs: its outputs, their ids, and its failures."""

from __future__ import annotations

import functools
import json
import operator
import stat
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mmnotebook as mm
from mmnotebook.errors import RunError
from mmnotebook.graph.graph import Graph, Node
from tests.runtime import toys

FRAME = pd.DataFrame(
    {
        "x": [float(i) for i in range(40)],
        "z": [float(-i) for i in range(40)],
        "user": [f"u{i % 7}" for i in range(40)],
    }
)


def plus(x: float) -> float:
    return x + 1


def parts(x: float) -> list[float]:
    return [x] * int(x % 3)


def pairs(x: float) -> list[tuple[float, int]]:
    return [(x, 0), (x, 1)]


def even(x: float) -> bool:
    return x % 2 == 0


def total(row: Any) -> float:
    return float(np.sum(row))


def minus(x: float) -> float:
    if x >= 38:
        raise ValueError("too far")
    return -x


def both(outputs: dict[str, Any]) -> list[str]:
    return sorted(outputs)


def one(x: Any) -> int:
    return 1


def two(x: Any) -> int:
    return 2


def far(x: float) -> int:
    return 1 if x > 5 else 2


FUNCTIONS = (plus, parts, pairs, even, total, minus, both, one, two, far)
TEXT = """
next = rows["x"] | plus
pieces = rows["x"] | flat_map(parts) | flat_map(pairs)
evens = rows["x"] | filter(even)
picked = rows[["z", "x"]] | total
arms = rows["x"] | split({"a": 0.5, "b": 0.5}, by="user")
left = arms.a | plus
right = arms.b | minus
again = {left, right} | far
joined = rows["x"] | [plus, minus] | map(both, missing="use rest")
winner = rows["x"] | [one, two, far] | vote()
middle = rows["x"] | [plus, minus] | mean(missing="skip")
stacked = rows["x"] | [plus, minus] | stack()
"""


@pytest.fixture(scope="module")
def result() -> mm.Result:
    functions = {function.__name__: function for function in FUNCTIONS}
    return mm.run(mm.pipeline(TEXT, rows=FRAME, **functions))


def test_map(result: mm.Result) -> None:
    frame = result["next"]
    assert frame["value"].tolist() == (FRAME["x"] + 1).tolist()
    assert frame["user"].tolist() == FRAME["user"].tolist()


def scaled(row: dict[str, Any]) -> dict[str, Any]:
    row["x"] *= 2
    row["more"].append(1)
    row["t"].mul_(2)
    row["new"] = True
    return row


def shrunk(row: dict[str, Any]) -> bool:
    return bool(row.pop("more"))


def same(value: Any) -> Any:
    return value


def test_a_change_of_a_value_stays_in_its_branch() -> None:
    row = {"x": np.array([1.0, 2.0]), "more": [0], "t": torch.ones(1)}
    text = "kept = rows | filter(shrunk)\nown = rows | scaled\nother = rows | same"
    run = mm.run(mm.pipeline(text, rows=[row], shrunk=shrunk, scaled=scaled, same=same))
    own = run["own"]["value"][0]
    assert own["x"].tolist() == [2.0, 4.0] and own["more"] == [0, 1] and own["new"]
    for name in ("rows", "kept", "other"):
        value = run[name]["value"][0]
        assert value["x"].tolist() == [1.0, 2.0] and value["more"] == [0]
        assert float(value["t"][0]) == 1.0 and "new" not in value


def test_flat_map_names_children_by_their_parents(result: mm.Result) -> None:
    assert result["parts"]["id"].tolist()[:4] == ["1/0", "2/0", "2/1", "4/0"]
    frame = result["pieces"]
    assert frame["id"].tolist()[:6] == ["1/0/0", "1/0/1", "2/0/0", "2/0/1", "2/1/0", "2/1/1"]
    assert frame["x"].tolist()[:6] == [1, 1, 2, 2, 2, 2]


def test_filter(result: mm.Result) -> None:
    assert result["evens"]["value"].tolist() == list(range(0, 40, 2))
    assert result.nodes.loc["evens", ["elements_in", "elements_out"]].tolist() == [40, 20]


def test_several_fields_become_one_row(result: mm.Result) -> None:
    assert result["picked"]["value"].tolist() == [0] * 40


def test_split_by_a_field_that_was_left_behind(result: mm.Result) -> None:
    frame = result["arms"]
    assert set(frame["key"]) == {"a", "b"}
    assert (frame.groupby("user")["key"].nunique() == 1).all()
    assert len(result["left"]) + len(result["right"]) == 40 - len(
        result.failed.query("node == 'right'")
    )
    assert set(result["left"]["key"]) == {"a"}


def test_a_union_takes_each_element_as_it_comes(result: mm.Result) -> None:
    frame = result["again"]
    assert len(frame) == len(result["left"]) + len(result["right"])
    assert frame["id"].is_unique


def test_a_join_brings_outputs_together_by_id(result: mm.Result) -> None:
    members = [[name.split("_")[0] for name in names] for names in result["joined"]["value"]]
    # `minus` fails for the last two elements, so each of their outputs is alone.
    assert members == [["minus", "plus"]] * 38 + [["plus"]] * 2


def test_vote_mean_and_stack(result: mm.Result) -> None:
    assert result["winner"]["value"].tolist() == [2] * 6 + [1] * 34
    assert result["middle"]["value"].tolist() == [0.5] * 38
    assert result["stacked"]["value"][3].tolist() == [4.0, -3.0]
    assert len(result["stacked"]) == 38


def test_a_missing_member_fails_a_stack_and_says_who(result: mm.Result) -> None:
    failed = result.failed.query("node == 'stacked'")
    assert failed["id"].tolist() == ["38", "39"]
    assert failed["message"].str.contains("no output of 'minus").all()


def test_failures_name_node_id_error_and_the_users_line(result: mm.Result) -> None:
    failed = result.failed.query("node.str.startswith('minus')", engine="python").iloc[0]
    assert (failed["id"], failed["error"], failed["message"]) == ("38", "ValueError", "too far")
    assert 'raise ValueError("too far")' in failed["traceback"]
    assert "apache_beam" not in failed["traceback"]
    assert str(Path(mm.__file__).parent) not in failed["traceback"]


def test_input_and_output_counts_agree_for_every_node(result: mm.Result) -> None:
    nodes = result.nodes[~result.nodes["kind"].isin(["source", "flat_map", "filter"])]
    assert (nodes["elements_in"] == nodes["elements_out"] + nodes["failed"]).all()
    assert (result.nodes["failed"].sum()) == len(result.failed)


def test_a_node_may_have_any_name() -> None:
    names = ["failed", "main", "value", "id", "key", "prediction"]
    text = "\n".join(f"{name} = data | plus" for name in names)
    result = mm.run(mm.pipeline(text, data=[1.0], plus=plus))
    assert all(result[name]["value"].tolist() == [2.0] for name in names)


def test_a_missing_input_is_a_failure_of_the_node() -> None:
    rows = [{"a": 1, "b": 1}] * 18 + [{"a": 2}, 3]
    text = 'picked = rows["b"] | one\nrows | split({"p": 0.5, "q": 0.5}, by="b")'
    result = mm.run(mm.pipeline(text, rows=rows, one=one))
    failed = result.failed.sort_values(["node", "id"])
    assert failed["node"].tolist() == ["picked"] * 2 + ["split"] * 2
    assert failed["id"].tolist() == ["18", "19"] * 2
    assert "no field 'b'; the element has: a" in failed["message"].iloc[0]
    assert "the element is a int, not a record" in failed["message"].iloc[1]
    assert result.nodes.loc["picked", ["elements_in", "elements_out", "failed"]].tolist() == [
        20,
        18,
        2,
    ]


def test_twice_the_same_id_is_a_failure_of_the_join() -> None:
    graph = Graph(
        (
            Node.make("rows", "source", data="rows"),
            Node.make("more", "source", data="rows"),
            Node.make("all", "map", ["rows", "more"], "union", function="one"),
            Node.make("two", "map", ["rows"], function="two"),
            Node.make("met", "map", ["all", "two"], "join", function="both"),
        )
    )
    with pytest.raises(RunError, match="node 'met'.*several elements of 'all' have this id"):
        mm.run(graph.bind(rows=[1.0], one=one, two=two, both=both))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    for name in ("empty.csv", "empty.jsonl", "empty.parquet"):
        (folder / name).write_text("what was there before")
    mm.register("scale", toys.Scale(2.0))
    lines = [
        f'rows["x"] | scale | write({str(folder / "p.parquet")!r})',
        f"rows | write({str(folder / 'rows.csv')!r})",
        'arms = rows["x"] | split({"a": 0.5, "b": 0.5})',
        f"{{arms.a, arms.b}} | write({str(folder / 'arms.jsonl')!r})",
        f"odd | write({str(folder / 'odd.jsonl')!r})",
    ]
    lines += [
        f'rows["x"] | filter(never) | write({str(folder / f"empty.{ending}")!r})'
        for ending in ("csv", "jsonl", "parquet")
    ]
    odd = [
        {"id": 1, "when": pd.Timestamp("2024-01-01"), "where": Path("a")},
        {"tensor": torch.ones(2), "nested": {"array": np.zeros((1, 2))}},
    ]
    mm.run(mm.pipeline("\n".join(lines), rows=FRAME, odd=odd, never=never))
    return folder


class TestWrite:
    def test_for_its_user_alone(self, folder: Path) -> None:
        new = [path for path in folder.iterdir() if not path.name.startswith("empty")]
        assert {stat.S_IMODE(path.stat().st_mode) for path in new} == {0o600}

    def test_parquet(self, folder: Path) -> None:
        frame = pd.read_parquet(folder / "p.parquet")
        assert list(frame.columns) == ["id", "prediction", "model"]
        frame = frame.sort_values("id", key=lambda ids: ids.astype(int))
        assert frame["prediction"].tolist() == [2.0 * i for i in range(40)]

    def test_csv(self, folder: Path) -> None:
        frame = pd.read_csv(folder / "rows.csv").sort_values("id", ignore_index=True)
        assert frame.drop(columns="id").equals(FRAME)

    def test_jsonl(self, folder: Path) -> None:
        rows = [json.loads(line) for line in (folder / "arms.jsonl").read_text().splitlines()]
        assert len(rows) == 40 and {row["key"] for row in rows} == {"a", "b"}

    def test_values_that_json_does_not_support_are_written_as_text(self, folder: Path) -> None:
        rows = [json.loads(line) for line in (folder / "odd.jsonl").read_text().splitlines()]
        one, other = sorted(rows, key=lambda row: row["id"])
        assert one == {"id": "0", "id_field": 1, "when": "2024-01-01 00:00:00", "where": "a"}
        assert other["tensor"] == [1, 1] and other["nested"] == {"array": [[0, 0]]}

    def test_nothing_to_write_leaves_no_old_file(self, folder: Path) -> None:
        assert pd.read_csv(folder / "empty.csv").empty
        assert (folder / "empty.jsonl").read_text() == ""
        assert pd.read_parquet(folder / "empty.parquet").empty

    def test_no_drafts_are_left(self, folder: Path) -> None:
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]

    def test_a_file_that_cannot_be_written_fails_the_run(self, tmp_path: Path) -> None:
        path = tmp_path / "mixed.parquet"
        path.write_text("old")
        rows = [{"a": 1}] * 30 + [{"a": "text"}]
        with pytest.raises(
            RunError, match=r"'write' cannot write .*mixed\.parquet.*ArrowInvalid"
        ) as e:
            mm.run(mm.pipeline(f"rows | write({str(path)!r})", rows=rows))
        assert e.value.node == "write"
        assert path.read_text() == "old"

    @pytest.mark.parametrize(
        ("path", "says"),
        [
            ("no/folder/a.csv", "no writable folder"),
            ("a.xlsx", "allowed endings: .parquet, .csv, .jsonl"),
            ("a.json", "did you mean .jsonl"),
            ("folder.csv", "it is a folder"),
        ],
    )
    def test_a_path_is_refused_before_anything_runs(
        self, tmp_path: Path, path: str, says: str
    ) -> None:
        (tmp_path / "folder.csv").mkdir()
        ran = tmp_path / "ran"
        graph = mm.pipeline(
            f"rows | touch | write({str(tmp_path / path)!r})", rows=[ran], touch=touch
        )
        with pytest.raises(RunError, match=says):
            mm.run(graph)
        assert not ran.exists()

    def test_two_nodes_do_not_write_one_file(self, tmp_path: Path) -> None:
        path = str(tmp_path / "a.csv")
        graph = mm.pipeline(f"rows | write({path!r})\nrows | write({path!r})", rows=[1])
        with pytest.raises(RunError, match="both write"):
            mm.run(graph)


def never(x: float) -> bool:
    return False


def touch(path: Path) -> Path:
    path.touch()
    return path


def blackened(prediction: Any) -> Any:
    prediction.example[:] = 0
    prediction.inference.zero_()
    return prediction


def test_a_change_of_a_prediction_stays_in_its_branch() -> None:
    mm.register("scale", toys.Scale(2.0))
    graph = mm.pipeline("rows | scale | blackened", rows=np.ones((3, 2)), blackened=blackened)
    run = mm.run(graph)
    assert [value.tolist() for value in run["scale"]["prediction"]] == [[2.0, 2.0]] * 3
    assert [value.tolist() for value in run["rows"]["value"]] == [[1.0, 1.0]] * 3
    assert run["blackened"]["value"][0] is not None


@pytest.mark.slow
def test_a_chain_of_hundreds_of_steps_runs() -> None:
    """Beam calls itself for each transform of a chain, which exceeded the recursion limit."""
    adds = {f"f{number}": functools.partial(operator.add, number) for number in range(260)}
    limit = sys.getrecursionlimit()
    graph = mm.pipeline("rows | " + " | ".join(adds), rows=[1, 2], **adds)
    result = mm.run(graph, progress=False)
    assert result["f259"]["value"].tolist() == [1 + 33670, 2 + 33670]
    assert sys.getrecursionlimit() == limit
