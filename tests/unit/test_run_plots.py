"""The plots of several runs: their content, and that nothing in them overlaps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import mmnotebook as mm
from mmnotebook.errors import ResultError
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.results import axes
from mmnotebook.results import plot as plots
from mmnotebook.results.metrics import ModelMeasure, NodeMeasure
from mmnotebook.results.records import Machine
from mmnotebook.results.results import Result
from tests.unit.analysis_runs import MemoryStore, mirror_graph, mirror_run, model_measure
from tests.unit.test_plots import drawn, fleet, texts, words

PLOTS = [plots.latency_of_runs, plots.memory_of_runs, plots.time_of_runs]


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


def run_of(
    models: dict[str, ModelMeasure], cached: tuple[str, ...] = (), seconds: float | None = 0.3
) -> Result:
    """Return a run in which each model has a step after a source."""
    nodes = [Node.make("rows", "source", data="rows")]
    nodes += [Node.make(name, "model", ["rows"], model=name) for name in models]
    measures = {
        node.name: NodeMeasure(node.kind, 9, 9, 0, seconds, None, node.name in cached)
        for node in nodes
    }
    store = MemoryStore({}, pd.DataFrame())
    return Result(Graph(tuple(nodes)), store, measures, models, 1.0, Machine(2 * 10**9, None))


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize(("runs", "models"), [(1, 0), (1, 1), (2, 3), (4, 5), (4, 9)])
def test_no_text_overlaps_another_or_leaves_the_figure(plot: Any, runs: int, models: int) -> None:
    ax = plot(*(run_of(fleet(models), cached=("rows",) * (n % 2)) for n in range(runs)))
    renderer = drawn(ax).get_renderer()
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts(ax)]
    for place, (name, box) in enumerate(boxes):
        assert box.x0 >= -1 and box.x1 <= ax.figure.bbox.x1 + 1, name
        assert box.y0 >= -1 and box.y1 <= ax.figure.bbox.y1 + 1, name
        for other, other_box in boxes[place + 1 :]:
            assert not box.padded(-0.5).overlaps(other_box.padded(-0.5)), (name, other)


def test_latencies_have_a_band_for_each_model_and_run() -> None:
    slow, fast = model_measure([2.0] * 200), model_measure([1.0] * 29)
    ax = plots.latency_of_runs(run_of({"mlp": slow}), run_of({"mlp": fast, "tree": slow}))
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "mlp\nrun 1",
        "mlp\nrun 2",
        "tree\nrun 2",
    ]
    said = words(ax)
    assert "p50 1.99 ms · p95 1.99 ms · p99 1.99 ms" in said
    assert "p50 0.99 ms · p95 0.99 ms · p99: too few samples (29 of 100)" in said
    bands = {to_hex(patch.get_edgecolor()).upper() for patch in ax.patches if not patch.get_fill()}
    assert bands == {axes.BLUE, axes.ORANGE}


def test_latencies_from_the_cache_are_named_so() -> None:
    models = {"mlp": model_measure([2.0] * 200), "idle": model_measure()}
    said = words(plots.latency_of_runs(run_of(models, cached=("mlp", "idle"))))
    assert "from the cache: p50 1.99 ms" in said and "from the cache: no calls" in said


def test_memory_is_a_bar_for_each_model_and_run() -> None:
    small, big = (model_measure([1.0], parameter_bytes=size) for size in (10**6, 3 * 10**6))
    ax = plots.memory_of_runs(run_of({"mlp": small}), run_of({"mlp": big}))
    assert sorted(bar.get_width() for bar in ax.patches) == [1, 3]
    assert "free on this machine: 2 GB" in words(ax)


def test_times_from_the_cache_are_outlines() -> None:
    models = {"mlp": model_measure([1.0])}
    ax = plots.time_of_runs(run_of(models), run_of(models, cached=("mlp",)))
    assert [bar.get_fill() for bar in ax.patches] == [True, True, True, False]
    assert to_hex(ax.patches[-1].get_edgecolor()).upper() == axes.ORANGE
    said = words(ax)
    assert "300 ms" in said and "from the cache, took 300 ms" in said


def test_times_that_are_not_known_are_no_bars() -> None:
    models = {"mlp": model_measure([1.0])}
    ax = plots.time_of_runs(run_of(models, seconds=None), run_of({}, seconds=2.0))
    assert sorted(bar.get_width() for bar in ax.patches) == [2.0]
    said = words(ax)
    assert "not measured" in said and "not in this run" in said and "2 s" in said


def test_many_models_and_steps_are_cut_to_those_that_took_longest() -> None:
    models = {f"m{n}": model_measure([float(n + 1)]) for n in range(30)}
    ax = plots.latency_of_runs(run_of(models))
    assert len(ax.get_yticklabels()) == 24
    assert "the 24 of 30 models with the most time in calls" in words(ax)
    assert "the 24 of 31 steps that took longest" in words(plots.time_of_runs(run_of(models)))


@pytest.mark.parametrize("plot", PLOTS)
def test_plots_draw_on_the_given_axes_and_change_nothing_else(plot: Any) -> None:
    before = (dict(matplotlib.rcParams), pyplot.get_fignums())
    ax = Figure().subplots()
    assert plot(mirror_run(), mirror_run(), ax=ax) is ax
    assert (dict(matplotlib.rcParams), pyplot.get_fignums()) == before
    assert isinstance(plot(mirror_run()), Axes)


@pytest.mark.parametrize("plot", PLOTS)
def test_plots_take_results_only(plot: Any) -> None:
    with pytest.raises(ResultError, match="expected a Result, not Graph"):
        plot(mirror_graph())
    with pytest.raises(ResultError, match="0 runs; allowed: 1 to 4"):
        plot()


def test_the_plots_are_public() -> None:
    assert [getattr(mm.plot, plot.__name__) for plot in PLOTS] == PLOTS
