"""The plots: their content, and that nothing in them overlaps."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from mmnotebook.errors import ResultError
from mmnotebook.graph.graph import Graph
from mmnotebook.results import axes
from mmnotebook.results import plot as plots
from mmnotebook.results.metrics import ModelMeasure, bucket_ms
from mmnotebook.results.records import Machine
from mmnotebook.results.results import Result
from tests.unit.analysis_runs import MemoryStore, model_measure

GB = 1_000_000_000


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    yield
    pyplot.close("all")


def run_of(models: dict[str, ModelMeasure], free: int | None = 8 * GB) -> Result:
    store = MemoryStore({}, pd.DataFrame())
    return Result(Graph(), store, {}, models, 1.0, Machine(free, 16 * GB))


def calls(count: int, median_ms: float = 1.0, **sizes: int) -> ModelMeasure:
    rng = np.random.default_rng(count)
    return model_measure(median_ms * rng.lognormal(0, 0.4, count), **sizes)


def fleet(count: int) -> dict[str, ModelMeasure]:
    """Return models with none to thousands of calls, some of unknown size."""
    sizes = [{"resident_bytes": n * 10**8} if n % 3 else {} for n in range(count)]
    return {
        f"model_of_the_number_{n}": calls(
            (0, 1, 15, 29, 150, 5000)[n % 6], 10 ** (n / 4), parameter_bytes=n * 10**8, **size
        )
        for n, size in enumerate(sizes)
    }


def drawn(ax: Axes) -> FigureCanvasAgg:
    figure = ax.figure
    assert isinstance(figure, Figure)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas


def texts(ax: Axes) -> list[Text]:
    low, high = ax.get_xlim()
    ticks = [label for label in ax.get_xticklabels() if low <= label.get_position()[0] <= high]
    found = [*ax.texts, *ax.get_yticklabels(), *ticks, ax.xaxis.label]
    legend = ax.get_legend()
    found += legend.get_texts() if legend else []
    titles = [text for text in ax.get_children() if isinstance(text, Text)]
    return [text for text in dict.fromkeys([*found, *titles]) if text.get_text().strip()]


def words(ax: Axes) -> str:
    drawn(ax)
    return "\n".join(text.get_text() for text in texts(ax))


@pytest.mark.parametrize("plot", [plots.latency, plots.memory])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 8])
def test_no_text_overlaps_another_or_leaves_the_figure(plot: object, count: int) -> None:
    assert callable(plot)
    ax = plot(run_of(fleet(count), free=2 * GB))
    renderer = drawn(ax).get_renderer()
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts(ax)]
    inside = ax.figure.bbox
    for place, (name, box) in enumerate(boxes):
        assert box.x0 >= -1 and box.x1 <= inside.x1 + 1, name
        assert box.y0 >= -1 and box.y1 <= inside.y1 + 1, name
        for other, other_box in boxes[place + 1 :]:
            assert not box.padded(-0.5).overlaps(other_box.padded(-0.5)), (name, other)


def test_latency_marks_percentiles_with_their_values() -> None:
    measure = model_measure([float(ms) for ms in range(1, 101)])
    ax = plots.latency(run_of({"mlp": measure}))
    assert "p50 49.9 ms · p95 94.6 ms · p99 98.5 ms" in words(ax)
    marks = [line.get_xdata()[0] for line in ax.lines]
    assert marks == pytest.approx([50, 95, 99], rel=0.011)
    assert ax.get_xscale() == "log"


def test_latency_says_where_there_are_too_few_samples() -> None:
    ax = plots.latency(run_of({"tree": calls(29)}))
    assert "p99: too few samples (29 of 100)" in words(ax)
    assert len(ax.lines) == 2
    rare = words(plots.latency(run_of({"tree": calls(5)})))
    assert "p95: too few samples (5 of 20) · p99: too few (5 of 100)" in rare


def test_latency_of_a_model_that_was_not_called() -> None:
    ax = plots.latency(run_of({"idle": calls(0), "mlp": calls(200)}))
    assert "no calls" in words(ax)
    assert "no calls" in words(plots.latency(run_of({"idle": calls(0)})))


def test_latency_counts_every_call_once() -> None:
    measure = calls(5000)
    edges, counts = axes.histogram(measure.buckets)
    assert counts.sum() == 5000 and len(edges) == len(counts) + 1
    assert (np.diff(edges) > 0).all()
    assert edges[0] <= 1.01 * min(map(bucket_ms, measure.buckets))
    assert edges[-1] >= 0.99 * max(map(bucket_ms, measure.buckets))


def test_memory_draws_what_was_measured_and_names_what_was_not() -> None:
    models = {
        "mlp": calls(1, parameter_bytes=52_224, resident_bytes=2_000_000),
        "tree": calls(1, resident_bytes=30_500_000),
    }
    ax = plots.memory(run_of(models))
    said = words(ax)
    for text in ("52.2 kB", "2 MB", "30.5 MB", "parameters not measured"):
        assert text in said
    assert "device memory: not measured" in said
    assert sorted(bar.get_width() for bar in ax.patches) == pytest.approx([0.052224, 2, 30.5])


def test_memory_never_draws_a_missing_size_as_a_bar() -> None:
    ax = plots.memory(run_of({"mlp": calls(1)}, free=None))
    assert not ax.patches
    said = words(ax)
    assert "parameters not measured" in said and "free on this machine: not measured" in said


def test_memory_draws_the_free_memory_where_it_is_near() -> None:
    models = {"mlp": calls(1, parameter_bytes=205_000_000)}
    near = plots.memory(run_of(models, free=500_000_000))
    assert [line.get_xdata()[0] for line in near.lines] == [500.0]
    assert "free on this machine: 500 MB" in words(near)
    far = plots.memory(run_of(models, free=8_200_000_000))
    assert not far.lines
    assert "free on this machine: 8.2 GB, 40 × the longest bar" in words(far)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (52_224, "52.2 kB"),
        (999_900, "1,000 kB"),
        (205_000_000, "205 MB"),
        (3 * 10**15, "3,000 TB"),
    ],
)
def test_sizes_in_words(size: int, text: str) -> None:
    assert axes.in_bytes(size) == text


@pytest.mark.parametrize("plot", [plots.latency, plots.memory])
def test_plots_draw_on_the_given_axes_and_change_nothing_else(plot: object) -> None:
    assert callable(plot)
    before = (dict(matplotlib.rcParams), pyplot.get_fignums())
    ax = Figure().subplots()
    assert plot(run_of(fleet(2)), ax=ax) is ax
    assert (dict(matplotlib.rcParams), pyplot.get_fignums()) == before
    assert isinstance(plot(run_of(fleet(2))), Axes)


@pytest.mark.parametrize("plot", [plots.latency, plots.memory])
@pytest.mark.parametrize("wrong", [None, "r", pd.DataFrame({"a": [1]})])
def test_plots_take_a_result_only(plot: object, wrong: object) -> None:
    assert callable(plot)
    with pytest.raises(ResultError, match=f"a Result, not {type(wrong).__name__}"):
        plot(wrong)


def contrast(colour: str, ground: str) -> float:
    """Return the contrast of two colors by WCAG 2.2, from 1 to 21."""

    def luminance(name: str) -> float:
        parts = np.array(matplotlib.colors.to_rgb(name))
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted([luminance(colour), luminance(ground)], reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", axes.COLORS)
@pytest.mark.parametrize("ground", ["white", "black", "#111111"])
def test_colours_stand_out_on_light_and_dark(colour: str, ground: str) -> None:
    assert contrast(colour, ground) >= 3
