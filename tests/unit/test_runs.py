"""Records of runs, the changes between them, and the tables of several runs."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from mmnotebook.errors import ResultError
from mmnotebook.graph.graph import Graph, Group, Node
from mmnotebook.results import compare, runs
from mmnotebook.results.metrics import ModelMeasure, NodeMeasure
from mmnotebook.results.records import Machine
from mmnotebook.results.results import Result
from mmnotebook.results.runs import KEPT, Run, RunList
from tests.unit.analysis_runs import MemoryStore, mirror_graph, mirror_run, model_measure


def run_of(
    graph: Graph,
    models: dict[str, ModelMeasure] | None = None,
    *,
    cached: tuple[str, ...] = (),
    elements: int = 100,
    skip: tuple[str, ...] = (),
    why: dict[str, str] | None = None,
) -> Result:
    nodes = {
        node.name: NodeMeasure(node.kind, None, elements, 0, 0.5, None, node.name in cached)
        for node in graph
        if node.name not in skip
    }
    store = MemoryStore({}, pd.DataFrame())
    return Result(graph, store, nodes, models or {}, 2.0, Machine(None, None), why)


def changes(before: Result, after: Result) -> tuple[str, ...]:
    return Run.of(after, 2, before=Run.of(before, 1)).changes


def changed(graph: Graph, node: Node) -> Graph:
    nodes = tuple(node if one.name == node.name else one for one in graph.nodes)
    return replace(graph, nodes=nodes)


def test_a_run_in_one_line() -> None:
    run = Run.of(mirror_run(), 3, "small <b>")
    assert str(run) == f"run 3 · small <b> · {run.finished:%H:%M:%S} · 12 elements · 1.5 s"
    assert run.changes == ("first run",)


def test_a_run_keeps_no_elements_and_no_bindings() -> None:
    frame = pd.DataFrame({"x": [1.0]})
    result = mirror_run()
    result = Result(
        result.graph.bind(rows=frame),
        result._store,
        result.measures,
        result.sketches,
        1.0,
        result.machine,
    )
    held = [weakref.ref(one) for one in (frame, result, result._store)]
    listed = RunList()
    listed.add(result)
    del frame, result
    gc.collect()
    assert [one() for one in held] == [None, None, None]
    assert list(listed.runs[1].models) == ["mlp", "tree"]


def test_nothing_changed() -> None:
    assert changes(mirror_run(), mirror_run()) == ()


def test_another_model_in_a_step() -> None:
    graph = mirror_graph()
    other = changed(graph, Node.make("tree", "model", ["rows"], model="forest"))
    assert changes(run_of(graph), run_of(other)) == ("changed tree: model tree → forest",)


def test_other_inputs_of_a_step() -> None:
    graph = mirror_graph()
    other = changed(graph, Node.make("vote", "vote", ["tree", "mlp"], gather="join"))
    assert changes(run_of(graph), run_of(other)) == ("changed vote: its inputs",)


def test_steps_that_came_and_went() -> None:
    graph = mirror_graph()
    less = replace(graph, nodes=graph.nodes[:3])
    assert changes(run_of(graph), run_of(less)) == ("removed vote",)
    assert changes(run_of(less), run_of(graph)) == ("added vote",)
    other = Graph((Node.make("photos", "source", data="photos"),))
    assert changes(run_of(graph), run_of(other)) == ("another pipeline",)


def test_a_name_for_several_steps_is_a_change() -> None:
    graph = mirror_graph()
    other = replace(graph, groups=(Group("pair", ("mlp", "tree")),))
    assert changes(run_of(graph), run_of(other)) == ("changed the groups",)


def test_fewer_elements_and_a_part_of_the_graph() -> None:
    graph = mirror_graph()
    before, after = run_of(graph), run_of(graph, elements=30, skip=("vote",))
    assert changes(before, after) == ("not run: vote", "100 → 30 elements")


def test_changes_of_a_model_of_data_and_of_the_limit() -> None:
    graph, why = mirror_graph(), {"mlp": "its model mlp changed", "tree": "not in the cache"}
    assert changes(run_of(graph), run_of(graph, why=why)) == ("mlp: its model mlp changed",)
    data = {"rows": "its data rows changed"}
    assert changes(run_of(graph), run_of(graph, why=data)) == ("rows: its data rows changed",)
    limited = run_of(graph, why=data, elements=30)  # the comparison is about different lengths
    assert changes(run_of(graph), limited) == ("100 → 30 elements",)


def test_the_oldest_runs_leave() -> None:
    listed = RunList()
    results = [mirror_run() for _ in range(KEPT + 3)]
    for result in results:
        listed.add(result)
    assert list(listed.runs) == list(range(4, KEPT + 4))
    assert listed.chosen == (KEPT + 3,)


def test_a_chosen_run_that_leaves_is_no_longer_chosen() -> None:
    listed = RunList()
    for _ in range(3):
        listed.add(mirror_run())
    listed.choose([1])
    results = [mirror_run() for _ in range(KEPT)]
    for result in results:
        listed.add(result)
    assert listed.chosen and set(listed.chosen) <= set(listed.runs)


def test_a_new_run_takes_the_place_of_the_latest_that_is_chosen() -> None:
    listed = RunList()
    for _ in range(3):
        listed.add(mirror_run())
    assert listed.chosen == (3,)
    listed.choose([1, 3])
    listed.add(mirror_run())
    assert listed.chosen == (1, 4)
    listed.choose([1, 2])
    listed.add(mirror_run())
    assert listed.chosen == (1, 2)
    listed.choose([])
    listed.add(mirror_run())
    assert listed.chosen == (6,)


def test_a_result_is_listed_once() -> None:
    listed, result = RunList(), mirror_run()
    listed.add(result, "first")
    assert listed.add(result) is listed.runs[1]
    assert listed.add(result, "again").label == "again"
    assert list(listed.runs) == [1]


def test_at_most_four_are_chosen() -> None:
    listed = RunList()
    for _ in range(6):
        listed.add(mirror_run())
    listed.choose([1, 2, 3, 4, 5, 99])
    assert listed.chosen == (2, 3, 4, 5)


def test_the_table_is_that_of_the_result() -> None:
    result = mirror_run()
    table = compare.table(Run.of(result, 1))
    known = [name for name in compare.TITLES if name != compare.RATE]
    assert_frame_equal(table[known], result.models[known])
    assert list(table["calls"]) == ["in this run", "in this run"]
    assert table.at["mlp", "predictions_per_s"] == pytest.approx(3 / 3.3e-3, rel=0.01)


def test_values_and_ratios_side_by_side() -> None:
    graph = mirror_graph()
    slow = {"mlp": model_measure([2.0] * 200, parameter_bytes=300)}
    fast = {"mlp": model_measure([1.0] * 100, parameter_bytes=100), "tree": model_measure([5.0])}
    frame = compare.compare([run_of(graph, slow), run_of(graph, fast)])
    assert list(frame.columns) == ["run 1", "run 2", "run 2 ÷ run 1"]
    ratio = frame["run 2 ÷ run 1"]
    assert ratio["mlp", "predictions"] == 0.5
    assert ratio["mlp", "p99_ms"] == pytest.approx(0.5, rel=0.021)
    assert ratio["mlp", "predictions_per_s"] == pytest.approx(2, rel=0.021)
    assert ratio["mlp", "parameter_bytes"] == pytest.approx(1 / 3)
    assert np.isnan(ratio["mlp", "failed"]) and frame.at[("mlp", "failed"), "run 1"] == 0
    assert frame.loc["tree", "run 1"].isna().all() and ratio["tree"].isna().all()
    other = compare.compare([run_of(graph, slow), run_of(graph, fast)], baseline=1)
    assert other["run 1 ÷ run 2"]["mlp", "predictions"] == 2


@pytest.mark.parametrize("baseline", [-1, 1, "run 1", None])
def test_an_invalid_baseline(baseline: Any) -> None:
    with pytest.raises(ResultError, match=rf"baseline={baseline!r}; allowed: 0 to 0"):
        compare.compare([mirror_run()], baseline)


def test_one_to_four_results_are_compared() -> None:
    with pytest.raises(ResultError, match="0 runs; allowed: 1 to 4"):
        compare.compare([])
    with pytest.raises(ResultError, match="5 runs; allowed: 1 to 4"):
        compare.compare([mirror_run()] * 5)
    with pytest.raises(ResultError, match="not DataFrame"):
        runs.runs_of([pd.DataFrame()])  # type: ignore[list-item]


def test_a_missing_figure_says_why() -> None:
    models = {"mlp": model_measure([1.0] * 29, load_ms=None, loads=0), "idle": model_measure()}
    run = Run.of(run_of(mirror_graph(), models), 1)
    assert compare.measure_text(run, "mlp", "p99_ms") == "– (29 of 100)"
    assert compare.measure_text(run, "mlp", "p95_ms") == "0.99"
    assert compare.measure_text(run, "mlp", "load_ms") == "– (no load)"
    assert compare.measure_text(run, "mlp", "device_bytes") == "– (not measured)"
    for measure in ("p50_ms", "max_ms", "mean_batch", "predictions_per_s"):
        assert compare.measure_text(run, "idle", measure) == "– (no calls)"
    assert compare.measure_text(run, "gone", "p50_ms") == "– (not in this run)"


def test_cached_values_are_marked() -> None:
    graph, models = mirror_graph(), {"mlp": model_measure([1.0]), "tree": model_measure([1.0])}
    cached = run_of(graph, models, cached=("rows", "mlp"))
    table = compare.table(Run.of(cached, 1))
    assert list(table["calls"]) == ["from the cache", "in this run"]
    twice = replace(graph, nodes=(*graph.nodes, Node.make("m2", "model", ["rows"], model="mlp")))
    partly = Run.of(run_of(twice, models, cached=("mlp",)), 1)
    assert compare.where_from(partly, "mlp") == "some from the cache"


def test_of_many_models_those_called_longest_are_drawn() -> None:
    models = {f"m{place}": model_measure([float(place + 1)]) for place in range(40)}
    run = Run.of(run_of(mirror_graph(), models), 1)
    assert compare.longest_models([run], 3) == ["m37", "m38", "m39"]
    assert len(compare.model_rows([run, run])) <= compare.MOST_ROWS
