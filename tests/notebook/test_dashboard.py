"""The dashboard of real runs, without a browser."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pandas.testing import assert_frame_equal
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

import mmnotebook as mm
from mmnotebook.errors import ResultError
from mmnotebook.results import compare
from mmnotebook.results.metrics import bucket_ms
from mmnotebook.ui.dashboard import Dashboard, views
from tests.runtime.toys import Scale
from tests.unit.analysis_runs import mirror_run

ROOT = Path(__file__).parents[2]
TEXT = 'digits["x"] | [mlp, tree] | vote()'
data = load_digits()
digits = pd.DataFrame({"x": list(data.data[:200].astype("float32")), "label": data.target[:200]})


def register(trees: int = 5) -> None:
    torch.manual_seed(0)
    mm.register("mlp", torch.nn.Sequential(torch.nn.Linear(64, 10)), output="argmax", batch_size=1)
    mm.register("tree", RandomForestClassifier(trees, random_state=0).fit(data.data, data.target))


@pytest.fixture(scope="module")
def results() -> Iterator[list[mm.Result]]:
    """Run one graph with all elements, with fewer, from the cache, and with another model."""
    register()
    graph = mm.pipeline(TEXT, digits=digits)
    ran = [mm.run(graph, fresh=True), mm.run(graph, limit=50), mm.run(graph)]
    register(trees=20)
    yield [*ran, mm.run(graph)]
    for name in ("mlp", "tree"):
        mm.registry.remove(name)


def page(board: Dashboard, name: str) -> str:
    """Return a page, as shown when its tab is open."""
    place = board._tabs.titles.index(name)
    board._tabs.selected_index = place
    shown: str = board._pages[place].value
    return shown


def cells(html: str) -> list[list[str]]:
    """Return the rows of the table in a page."""
    return [
        re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in re.findall("<tr>.*?</tr>", html)
    ]


def test_the_tables_are_those_of_the_results(results: list[mm.Result]) -> None:
    for result, run in zip(results, Dashboard(*results).runs, strict=True):
        known = [name for name in compare.TITLES if name != compare.RATE]
        assert_frame_equal(compare.table(run)[known], result.models[known])
        for model, measure in result.sketches.items():
            seconds = sum(bucket_ms(key) * n for key, n in measure.buckets.items()) / 1000
            rate = compare.table(run).at[model, compare.RATE]
            assert rate == pytest.approx(measure.predictions / seconds)


def test_one_run_is_a_column_per_model(results: list[mm.Result]) -> None:
    head, *rows = cells(page(Dashboard(results[0]), "Models"))
    shown = {row[0]: row[1:] for row in rows}
    assert head == ["measure", "mlp", "tree"]
    assert shown["predictions"] == ["200", "200"] and shown["batches"][0] == "200"
    assert shown["calls"] == ["in this run", "in this run"]
    assert shown["p99 ms"][1].startswith("– (") and shown["p99 ms"][1].endswith("of 100)")
    assert shown["device memory"] == ["– (not measured)"] * 2


def test_runs_stand_side_by_side_with_ratios(results: list[mm.Result]) -> None:
    board = Dashboard(*results[:2])
    head, *rows = cells(page(board, "Models"))
    assert head == ["model", "measure", "run 1 (baseline)", "run 2", "÷ run 1"]
    shown = {row[1]: row[2:] for row in rows[:15]}
    assert shown["predictions"] == ["200", "50", "0.25×"]
    assert shown["p99 ms"][1:] == ["– (50 of 100)", "–"]
    board._baseline.value = 2
    head, *rows = cells(page(board, "Models"))
    assert head == ["model", "measure", "run 1", "÷ run 2", "run 2 (baseline)"]
    assert {row[1]: row[2:] for row in rows[:15]}["predictions"] == ["200", "4.00×", "50"]


def test_the_baseline_is_the_earliest_until_one_is_picked(results: list[mm.Result]) -> None:
    board = Dashboard(*results)
    board.choose(3)
    board._boxes[2].value = True
    assert board.baseline is not None and board.baseline.number == 2
    board._baseline.value = 3
    board._boxes[1].value = True
    assert board.baseline.number == 3
    assert "÷ run 3" in page(board, "Models")


def test_a_run_from_the_cache_shows_what_was_measured_and_says_so(
    results: list[mm.Result],
) -> None:
    board = Dashboard(results[2])
    shown = page(board, "Models")
    rows = {row[0]: row[1:] for row in cells(shown)}
    assert rows["calls"] == ["from the cache", "from the cache"]
    assert rows["predictions"] == ["200", "200"]
    assert "the model was not called in this run" in shown
    (listed,) = cells(page(board, "Runs"))[1:]
    assert listed[4:6] == ["– (from the cache)", "4, 4 from the cache"]
    assert "from the cache, took" in page(board, "Steps")
    assert "mlp in run 1: from the cache: p50" in page(board, "Latency")


def test_changes_from_run_to_run(results: list[mm.Result]) -> None:
    runs = Dashboard(*results).runs
    assert [run.changes for run in runs] == [
        ("first run",),
        ("200 → 50 elements (limit 50)",),
        ("50 → 200 elements (no limit)",),
        ("tree: its model tree changed",),
    ]
    assert [views.rate(run)[0] for run in runs[2:]] == ["–", "–"]
    calls = compare.table(runs[3])["calls"]
    assert dict(calls) == {"mlp": "from the cache", "tree": "in this run"}


def test_ticking_chooses_up_to_four_runs(results: list[mm.Result]) -> None:
    board = Dashboard(*results, mirror_run())
    ticks = board._boxes
    assert [run.number for run in board.chosen] == [2, 3, 4, 5]
    assert ticks[1].disabled and not ticks[2].disabled
    ticks[3].value = False
    assert not ticks[1].disabled
    ticks[1].value = True
    assert [run.number for run in board.chosen] == [1, 2, 4, 5]
    assert [label for label, _ in board._baseline.options] == ["run 1", "run 2", "run 4", "run 5"]
    board.choose(2)
    assert [number for number, box in ticks.items() if box.value] == [2]
    assert board._baseline.layout.display == "none"
    assert board.baseline is not None and board.baseline.number == 2
    ticks[2].value = False
    assert board.chosen == () and board.baseline is None
    assert "No run is selected" in page(board, "Models")


def test_a_new_run_is_shown_in_place_of_the_latest(results: list[mm.Result]) -> None:
    board = Dashboard(*results[:2])
    board.add(results[3], "20 <trees>")
    assert [run.number for run in board.chosen] == [1, 3]
    assert board.baseline is not None and board.baseline.number == 1
    (latest, *_) = board._choices.children
    assert latest.description.startswith("run 3 · 20 <trees> · ")
    assert "run 3" in page(board, "Latency")
    shown = page(board, "Runs")
    assert "20 &lt;trees&gt;" in shown and "<trees>" not in shown


def test_runs_may_be_added_from_another_thread(results: list[mm.Result]) -> None:
    board = Dashboard()
    thread = threading.Thread(target=board.add, args=(results[0],))
    thread.start()
    thread.join()
    assert [run.number for run in board.chosen] == [1]
    assert "predictions" in page(board, "Models")


def test_of_many_runs_the_latest_fifty_are_listed() -> None:
    board = Dashboard(*(mirror_run() for _ in range(52)))
    assert len(board.runs) == len(board._choices.children) == 50
    assert (board.runs[0].number, board.runs[-1].number) == (3, 52)
    board.choose(3)
    board.add(mirror_run())
    assert board.runs[0].number == 4 and [run.number for run in board.chosen] == [53]


def test_a_run_without_models() -> None:
    numbers = [1, 2, 3]
    board = Dashboard(mm.run(mm.pipeline("numbers | map(str)", numbers=numbers)))
    for name in ("Models", "Latency", "Memory"):
        assert "No models in these runs" in page(board, name)
    assert "str" in page(board, "Steps")
    assert board._repr_mimebundle_()["text/plain"].endswith("no models in these runs")


def test_models_that_fail_are_counted() -> None:
    mm.register("scale", Scale(2.0, most=2.0), batch_size=1)
    numbers = [np.array([float(n)], dtype="float32") for n in range(4)]
    result = mm.run(mm.pipeline("numbers | scale", numbers=numbers), max_failed=0.5)
    rows = {row[0]: row[1:] for row in cells(page(Dashboard(result), "Models"))}
    assert rows["predictions"] == ["3"] and rows["failed"] == ["1"]
    none = [np.array([9.0], dtype="float32")] * 2
    result = mm.run(mm.pipeline("none | scale", none=none), max_failed=1.0)
    rows = {row[0]: row[1:] for row in cells(page(Dashboard(result), "Models"))}
    assert rows["predictions"] == ["0"] and rows["failed"] == ["2"]
    assert rows["p50 ms"] == ["– (no calls)"]


def test_no_elements_are_kept() -> None:
    register()
    frame = digits.head(20).copy()
    result = mm.run(mm.pipeline('frame["x"] | mlp', frame=frame))
    board = Dashboard(result)
    held = [weakref.ref(one) for one in (result, result._store, frame)]
    del result, frame
    mm.run(mm.pipeline("numbers | map(str)", numbers=[1]))  # now the value of mm.last
    gc.collect()
    assert [one() for one in held] == [None, None, None]
    assert len(cells(page(board, "Models"))) == 16


def test_the_static_view_in_a_saved_notebook(results: list[mm.Result]) -> None:
    board = Dashboard(*results)
    bundle = board._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    html = bundle["text/html"]
    images = re.findall(
        '<img class="mm-image"[^>]* alt="([^"]*)" src="data:image/png;base64,', html
    )
    assert images == re.findall('<svg[^>]* role="img" aria-label="([^"]*)"', html)
    assert [alt.split(".")[0] for alt in images] == ["Latency per batch", "Memory", "Time per step"]
    assert "tree in run 4: p50" in images[0] and "parameters 2.6 kB" in images[1]
    assert "<script" not in html and "http" not in html
    assert "run 1 (baseline)" in html and "tree: its model tree changed" in html
    text = bundle["text/plain"]
    assert "run 4 · " in text and "÷ run 1" in text and "p50 ms" in text


def test_an_empty_dashboard() -> None:
    board = Dashboard()
    assert board.runs == board.chosen == ()
    assert "No run is selected" in page(board, "Models") and "No runs yet" in page(board, "Runs")
    assert board._repr_mimebundle_()["text/plain"] == "no runs yet"


def test_the_dashboard_of_the_latest_run(results: list[mm.Result]) -> None:
    mm.run(mm.pipeline("numbers | map(str)", numbers=[1]))
    (run,) = mm.dashboard().runs
    assert list(run.nodes) == ["numbers", "str"]
    assert len(mm.dashboard(*results).runs) == 4


def test_a_dashboard_of_nothing() -> None:
    code = "import mmnotebook as mm\ntry: mm.dashboard()\nexcept mm.MMError as error: print(error)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout.startswith("nothing has been run yet"), done.stderr


@pytest.mark.parametrize("wrong", [None, "r", pd.DataFrame({"a": [1]})])
def test_a_dashboard_takes_results_only(wrong: object) -> None:
    with pytest.raises(ResultError, match=f"expected a Result, not {type(wrong).__name__}"):
        mm.dashboard(wrong)  # type: ignore[arg-type]
    with pytest.raises(ResultError, match="pass what mm.run"):
        Dashboard().add(wrong)  # type: ignore[arg-type]
