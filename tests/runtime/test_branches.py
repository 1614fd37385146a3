"""Splits and switches in runs: the branch of each element, the parameters, and the counts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pandas as pd
import pytest
from apache_beam.testing.util import assert_that, equal_to
from scipy import stats

import mmnotebook as mm
from mmnotebook.elements import routing
from mmnotebook.errors import GraphError, RunError
from tests.runtime import toys

ROWS = pd.DataFrame({"x": [float(i) for i in range(60)], "user": [f"u{i % 9}" for i in range(60)]})


def by_length(row: dict[str, Any]) -> int:
    row["x"] = None  # the function receives a copy
    return len(row["user"]) + int(row["user"][1]) % 3


def tens(x: float) -> float:
    return x // 10


def refuses(x: float) -> float:
    if x == 3:
        raise ValueError("three")
    return x


def route(row: dict[str, Any]) -> str:
    x = row.pop("x")
    return "cheap" if x < 45 else "costly"


def wrong(x: float) -> Any:
    return {0: "cheep", 1: True}.get(int(x), "cheap")


def none_of(x: float) -> bool:
    return False


FUNCTIONS = {f.__name__: f for f in (by_length, tens, refuses, route, wrong, none_of)}


@pytest.fixture(autouse=True)
def models() -> None:
    mm.register("a", toys.Scale(2.0), input="x")
    mm.register("a2", toys.Scale(2.0), input="x")
    mm.register("cheap", toys.Scale(1.0), input="x")
    mm.register("costly", toys.Scale(10.0), input="x")


def run(text: str, **how: Any) -> mm.Result:
    used = {name: f for name, f in FUNCTIONS.items() if re.search(rf"\b{name}\b", text)}
    return mm.run(mm.pipeline(text, rows=ROWS, **used), **how)


class TestSplit:
    def test_by_a_function_of_the_record(self) -> None:
        result = run('arms = rows | split({"p": 0.5, "q": 0.5}, by=by_length)')
        frame = result["arms"]
        arms = (("p", 0.5), ("q", 0.5))
        tokens = [str(2 + int(user[1]) % 3) for user in ROWS["user"]]
        expected = [routing.branch(routing.fraction(one, "mmnotebook"), arms) for one in tokens]
        assert frame["key"].tolist() == expected
        assert frame["x"].tolist() == ROWS["x"].tolist()
        assert [row["x"] for row in frame["value"]] == ROWS["x"].tolist()

    def test_by_a_function_of_the_value_that_flows(self) -> None:
        frame = run('arms = rows["x"] | split({"p": 0.5, "q": 0.5}, by=tens)')["arms"]
        assert (frame["key"].groupby(frame["x"] // 10).nunique() == 1).all()

    def test_an_exception_of_the_function_fails_only_its_element(self) -> None:
        result = run('arms = rows["x"] | split({"p": 0.5, "q": 0.5}, by=refuses)')
        assert result.failed[["node", "id", "message"]].values.tolist() == [["arms", "3", "three"]]
        assert result.arms["elements"].sum() == 59

    def test_pinned_ids_go_to_their_branch(self) -> None:
        pin = 'pin={("1", "2", "3"): "q", "4": "p"}'
        pinned = run(f'arms = rows | split({{"p": 0.9, "q": 0.1}}, {pin})')["arms"]
        free = run('arms = rows | split({"p": 0.9, "q": 0.1})')["arms"]
        assert pinned["key"].tolist()[1:5] == ["q", "q", "q", "p"]
        others = [i for i in range(60) if i not in (1, 2, 3, 4)]
        assert pinned["key"][others].tolist() == free["key"][others].tolist()

    @pytest.mark.parametrize("by", ['"user"', "by_length"])
    def test_pinned_values_of_the_by_field(self, by: str) -> None:
        pin = "u5" if by == '"user"' else "4"
        for arm in ("p", "q"):
            text = f'arms = rows | split({{"p": 0.5, "q": 0.5}}, by={by}, pin={{"{pin}": "{arm}"}})'
            frame = run(text)["arms"]
            users = {"u5"} if by == '"user"' else {"u2", "u5", "u8"}
            # The element with the id "4" is pinned too.
            assert set(frame.loc[frame["user"].isin(users), "key"]) == {arm}
            assert by == '"user"' or frame["key"][4] == arm

    def test_a_pinned_id_needs_no_field(self) -> None:
        rows = [{"user": "u"}] * 9 + [{}]
        text = 'arms = rows | split({"p": 0.5, "q": 0.5}, by="user", pin={"9": "q"})'
        frame = mm.run(mm.pipeline(text, rows=rows))["arms"]
        assert frame["key"].tolist()[9] == "q"

    def test_a_missing_field_is_an_error_before_the_run(self) -> None:
        with pytest.raises(GraphError, match=r"'split'.*'usr'; allowed: 'x', 'user'; .*'user'"):
            run("rows['x'] | filter(none_of) | split(a=0.5, a2=0.5, by='usr')")

    @pytest.mark.parametrize("rows", [[1.0], [{"user": "u"}, {}]])
    def test_where_fields_are_not_known_an_element_says_that_it_has_none(self, rows: Any) -> None:
        graph = mm.pipeline('rows | split({"p": 0.5, "q": 0.5}, by="usr")', rows=rows)
        failed = mm.run(graph, max_failed=1).failed
        assert set(failed["error"]) == {"MissingField"}
        said = "no field 'usr' in the source element or in the current value, a "
        assert failed["message"].str.startswith(said).all()

    def test_a_field_that_a_function_makes(self) -> None:
        text = 'rows | map(named) | split({"p": 0.5, "q": 0.5}, by="name")'
        result = mm.run(mm.pipeline(text, rows=ROWS, named=lambda row: {"name": row["user"]}))
        assert len(result["split"]) == len(ROWS)

    def test_a_stored_split_is_read_again_by_arm(self) -> None:
        text = 'arms = rows["x"] | split({"p": 0.5, "q": 0.5})'
        first = run(text)
        again = run(f"{text}\nleft = arms.p | tens")
        assert again.nodes.loc["arms", "cached"]
        assert len(again["left"]) == first.arms.loc[("arms", "p"), "elements"]


class TestSwitch:
    def test_to_models(self) -> None:
        result = run("rows | switch(route, cheap=cheap, costly=costly)")
        assert result["cheap"]["prediction"].tolist() == ROWS["x"][:45].tolist()
        assert result["costly"]["prediction"].tolist() == (10 * ROWS["x"][45:]).tolist()

    def test_to_named_arms_and_together_again(self) -> None:
        text = 'way = rows | switch(route, ["cheap", "costly"])\n'
        text += 'low = way.cheap["x"] | tens\nhigh = way.costly["x"] | tens\n'
        text += "all = {low, high} | refuses"
        result = run(text, max_failed=1.0)
        assert result["way"]["key"].tolist() == ["cheap"] * 45 + ["costly"] * 15
        assert len(result["all"]) == 60 - 10  # 30 to 39 fail
        assert result.failed["message"].tolist() == ["three"] * 10

    def test_the_function_is_given_a_copy(self) -> None:
        result = run('way = rows | switch(route, ["cheap", "costly"])')
        assert [row["x"] for row in result["way"]["value"]] == ROWS["x"].tolist()

    def test_an_unknown_branch_fails(self) -> None:
        result = run('way = rows["x"] | switch(wrong, ["cheap", "costly"])')
        messages = result.failed["message"].tolist()
        assert result.failed["id"].tolist() == ["0", "1"]
        assert "returned 'cheep' (str)" in messages[0] and "did you mean 'cheap'?" in messages[0]
        assert "returned True (bool)" in messages[1]
        assert result.nodes.loc["way", ["elements_in", "elements_out", "failed"]].tolist() == [
            60,
            58,
            2,
        ]

    def test_if_every_branch_is_unknown_the_run_fails(self) -> None:
        with pytest.raises(
            RunError, match="which is not a branch of this step; allowed: 'cheap', 'costly'"
        ):
            run('way = rows["x"] | switch(tens, ["cheap", "costly"])')


class TestArms:
    def test_of_every_branching_node(self) -> None:
        text = 'arms = rows | split({"p": 0.75, "q": 0.25})\n'
        text += 'way = arms.p | switch(route, ["cheap", "costly"])'
        result = run(text)
        table = result.arms
        assert table.index.names == ["node", "arm"]
        assert table.index.tolist() == [
            ("arms", "p"),
            ("arms", "q"),
            ("way", "cheap"),
            ("way", "costly"),
        ]
        assert table.loc["arms", "elements"].sum() == 60
        assert table.loc["arms", "expected"].tolist() == [0.75, 0.25]
        assert table.loc["arms", "share"].tolist() == (table.loc["arms", "elements"] / 60).tolist()
        assert table.loc["way", "elements"].sum() == table.loc[("arms", "p"), "elements"]
        assert table.loc["way", "expected"].isna().all()
        again = run(text)
        assert again.nodes["cached"].all() and again.arms.equals(table)

    def test_of_keyed_models(self) -> None:
        text = 'rows | keyed({("u0", "u1"): a, "u2": a2}, by="user", default=cheap)'
        table = run(text).arms
        counts = ROWS["user"].map({"u0": "a", "u1": "a", "u2": "a2"}).fillna("cheap").value_counts()
        assert table.loc["keyed", "elements"].to_dict() == counts.to_dict()

    def test_of_an_empty_branch(self) -> None:
        pin = ", ".join(f'"{i}"' for i in range(60))
        result = run(f'arms = rows | split({{"p": 0.5, "q": 0.5}}, pin={{({pin}): "p"}})')
        assert result.arms["share"].tolist() == [1.0, 0.0]

    def test_of_no_elements_at_all(self) -> None:
        result = run('arms = rows["x"] | filter(none_of) | split({"p": 0.5, "q": 0.5})')
        assert result.arms["elements"].tolist() == [0, 0] and result.arms["share"].isna().all()

    def test_of_a_graph_without_any(self) -> None:
        table = run('rows["x"] | tens').arms
        assert table.empty and list(table.columns) == ["elements", "share", "expected"]


class TestKeyColumn:
    """The column `key` has the latest choice: a branch, a key, or a model of a cascade."""

    @pytest.mark.parametrize("fresh", [True, False])
    def test_of_one_choice_after_the_other(self, fresh: bool) -> None:
        text = 's = rows | split({"p": 0.5, "q": 0.5}, by="user")\n'
        text += 't = s.p | keyed({("u0", "u1"): a}, by="user", default=cheap)\n'
        text += 'u = t | switch(sized, ["low", "high"])\n'
        text += "v = u.low | map(same)\n"
        text += "w = u.high | map(record) | cascade(a, cheap, below=1.0, score=never)\n"
        text += "x = w | map(same)"
        named = {f.__name__: f for f in (sized, same, record, never)}
        graph = mm.pipeline(text, rows=ROWS, **named)
        if not fresh:
            mm.run(graph)
        result = mm.run(graph, fresh=fresh)
        assert set(result["s"]["key"]) == {"p", "q"}
        assert result["t"]["key"].tolist() == result["t"]["user"].tolist()
        assert set(result["u"]["key"]) == {"low", "high"}
        assert set(result["v"]["key"]) == {"low"}
        assert set(result["w"]["key"]) == {"cheap"} and set(result["x"]["key"]) == {"cheap"}
        assert result.arms["elements"].groupby("node").sum()["u"] == len(result["t"])

    def test_of_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "all.csv"
        text = 's = rows["x"] | split({"p": 0.5, "q": 0.5})\n'
        result = run(text + f"s.p | tens | write({str(path)!r})")
        frame = pd.read_csv(path)
        assert list(frame) == ["id", "key", "value"] and set(frame["key"]) == {"p"}
        assert len(frame) == len(result["tens"])

    def test_of_a_graph_for_any_runner(self) -> None:
        graph = mm.pipeline('rows | split({"p": 0.5, "q": 0.5})', rows=ROWS)
        with beam.Pipeline("FnApiRunner") as pipeline:
            made = mm.compile_graph(graph, pipeline)["split"]
            chosen = made | beam.Map(lambda pair: (pair[0].branch in "pq", *pair[0][2::3]))
            assert_that(chosen | beam.Distinct(), equal_to([(True, None, None)]))


def sized(prediction: Any) -> str:
    return "high" if prediction.inference > 20 else "low"


def record(prediction: Any) -> dict[str, Any]:
    return {"x": float(prediction.inference)}


def same(value: Any) -> Any:
    return value


def never(output: Any) -> float:
    return 0.0


class TestExperiments:
    def test_an_a_a_run(self) -> None:
        rows = pd.DataFrame({"x": np.arange(4000.0)})
        result = mm.run(mm.pipeline("rows | split(a=0.5, a2=0.5)", rows=rows))
        counts = result.arms["elements"].tolist()
        assert sum(counts) == 4000
        # The salt is fixed, so the shares are too; a biased split would give less than 0.001.
        assert stats.chisquare(counts, [2000, 2000]).pvalue > 0.01
        for arm in ("a", "a2"):
            frame = result[arm]
            assert frame["prediction"].tolist() == (2 * frame["x"]).tolist()
        assert set(result["a"]["id"]) | set(result["a2"]["id"]) == set(map(str, range(4000)))

    def test_weights_of_many_arms(self) -> None:
        weights = {"p": 0.5, "q": 0.3, "r": 0.15, "s": 0.05}
        result = mm.run(
            mm.pipeline(f"arms = data | split({weights}, salt='one')", data=list(range(4000)))
        )
        table = result.arms
        assert stats.chisquare(table["elements"], 4000 * table["expected"]).pvalue > 0.01

    def test_a_mirror_gives_all_to_both(self) -> None:
        result = run("rows | [a, a2]")
        assert result["a"]["id"].tolist() == result["a2"]["id"].tolist()
        assert result["a"]["prediction"].tolist() == (2 * ROWS["x"]).tolist()
        assert result["a2"]["prediction"].tolist() == result["a"]["prediction"].tolist()
