"""Graphs with a Beam transform as the source, on Beam's streaming runner."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.trigger import AccumulationMode, AfterCount, Repeatedly
from apache_beam.transforms.window import FixedWindows, IntervalWindow, SlidingWindows

import mmnotebook as mm
from mmnotebook.errors import RunError
from tests.runtime import streams, toys

EVENTS = [(1, {"k": "a", "x": 1.0}), (11, {"k": "b", "x": 2.0}), (12, {"k": "c", "x": 3.0})]
FIRST, SECOND = IntervalWindow(0, 10), IntervalWindow(10, 20)
WINDOWS = {"a": FIRST, "b": SECOND, "c": SECOND}


def times(found: dict[str, tuple[Any, float, Any]]) -> dict[str, float]:
    return {name: timestamp for name, (_, timestamp, _) in found.items()}


def values(found: dict[str, tuple[Any, float, Any]]) -> dict[str, Any]:
    return {name: value for name, (value, _, _) in found.items()}


def windows(found: dict[str, tuple[Any, float, Any]]) -> dict[str, Any]:
    return {name: window for name, (_, _, window) in found.items()}


def half(row: dict[str, Any]) -> float:
    return float(row["x"]) / 2


@pytest.fixture(autouse=True)
def models() -> None:
    mm.register("double", toys.Scale(2.0, most=2.5), batch_size=8)
    mm.register("triple", toys.Scale(3.0), batch_size=8)


def test_elementwise_steps_keep_timestamp_and_window() -> None:
    text = 'rows = source(events, id="k")\nhalved = rows | half\nrows | split(one=0.5, two=0.5)'
    events = streams.stream(*EVENTS)
    graph = mm.pipeline(text, events=events, half=half, one=half, two=half)
    found = streams.run(graph)
    assert values(found["halved"]) == {"a": 0.5, "b": 1.0, "c": 1.5}
    arms = [name for name in found if name not in ("rows", "halved", "split", "failed")]
    assert sorted(name for arm in arms for name in found[arm]) == ["a", "b", "c"]
    for node in ("rows", "halved", "split"):
        assert times(found[node]) == {"a": 1, "b": 11, "c": 12}, node
    for node, elements in found.items():
        assert windows(elements) == {name: WINDOWS[name] for name in elements}, node


def test_predictions_keep_the_window_and_take_its_end() -> None:
    """Check what Beam guarantees for batches of RunInference: window and last timestamp."""
    text = 'source(events, id="k")["x"] | triple | double'
    found = streams.run(mm.pipeline(text, events=streams.stream(*EVENTS)))
    assert values(found["triple"]) == {"a": 3.0, "b": 6.0, "c": 9.0}
    assert windows(found["triple"]) == WINDOWS
    assert times(found["triple"]) == {"a": 9.999999, "b": 19.999999, "c": 19.999999}


def test_a_model_per_key_keeps_the_window() -> None:
    text = 'source(events, id="k")["x"] | keyed({"a": double, ("b", "c"): triple}, by="k")'
    found = streams.run(mm.pipeline(text, events=streams.stream(*EVENTS)))
    assert values(found["keyed"]) == {"a": 2.0, "b": 6.0, "c": 9.0}
    assert windows(found["keyed"]) == WINDOWS


def test_an_ensemble_is_joined_within_its_window_and_failures_come_with_it() -> None:
    text = 'source(events, id="k")["x"] | [double, triple] | mean(missing="skip")'
    found = streams.run(mm.pipeline(text, events=streams.stream(*EVENTS)))
    assert values(found["mean"]) == {"a": 2.5, "b": 5.0}
    assert windows(found["mean"]) == {"a": FIRST, "b": SECOND}
    assert list(found["failed"]) == ["c"] and "above 2.5" in found["failed"]["c"][0]
    assert windows(found["failed"]) == {"c": SECOND}


def test_a_join_waits_for_the_end_of_the_window_whatever_the_trigger() -> None:
    early = streams.stream(*EVENTS) | "early" >> beam.WindowInto(
        FixedWindows(10),
        trigger=Repeatedly(AfterCount(1)),
        accumulation_mode=AccumulationMode.DISCARDING,
    )
    text = 'source(events, id="k")["x"] | [triple, triple] | mean()'
    found = streams.run(mm.pipeline(text, events=early))
    assert values(found["mean"]) == {"a": 3.0, "b": 6.0, "c": 9.0}


def test_without_id_every_element_has_one_of_its_own_through_the_graph() -> None:
    found = streams.run(mm.pipeline("events | half", events=streams.stream(*EVENTS), half=half))
    ids = found["events"]
    assert len(ids) == 3 and all(len(name) == 32 for name in ids)
    assert {name: value["x"] / 2 for name, value in values(ids).items()} == values(found["half"])


def test_an_element_without_the_field_fails_alone_and_by_travels() -> None:
    events = streams.stream(*EVENTS, (13, {"x": 5.0}))
    text = 'source(events, id="k")["x"] | split(double=0.5, triple=0.5, by="k")'
    found = streams.run(mm.pipeline(text, events=events))
    assert sorted(values(found["split"])) == ["a", "b", "c"]
    (failed,) = [value for value, _, _ in found["failed"].values() if "no field" in value]
    assert "no field 'k'; the element has: x" in failed


def test_in_sliding_windows_an_element_is_one_in_each() -> None:
    events = streams.stream((11, {"k": "a", "x": 1.0}), windows=SlidingWindows(10, 5))
    found = streams.run(mm.pipeline('source(events, id="k")["x"] | triple', events=events))
    assert values(found["triple"]) == {"a@15000000": 3.0, "a@20000000": 3.0}
    assert windows(found["triple"])["a@15000000"] == IntervalWindow(5, 15)


def test_a_transform_with_an_end_on_a_batch_runner_is_blocks_of_many() -> None:
    rows = beam.Create([{"k": n, "x": 1.0 * n} for n in range(5000)])
    graph = mm.pipeline('source(rows, id="k")["x"] | triple', rows=rows)
    with beam.Pipeline(FnApiRunner(), options=PipelineOptions([])) as pipeline:
        compiled = mm.compile_graph(graph, pipeline)
        made = compiled["triple"] | beam.Map(lambda e: (e[0].id, float(e[1].inference)))
        assert_that(made, equal_to([(str(n), 3.0 * n) for n in range(5000)]))


def test_rows_of_a_schema_are_records() -> None:
    found = streams.run(mm.pipeline("rows | half", rows=beam.Create([beam.Row(x=4)]), half=half))
    assert list(values(found["rows"]).values()) == [{"x": 4}]
    assert list(values(found["half"]).values()) == [2.0]


REFUSED = {
    "events | half | write('/tmp/rows.jsonl')": "its source is unbounded",
    'events["x"] | [double, triple] | mean()': "unbounded and has no windows",
    'm = events["x"] | double\nn = rows["x"] | triple\n[m, n] | mean()': "incompatible windowing",
}


@pytest.mark.parametrize("text", REFUSED)
def test_operations_that_a_stream_does_not_support_are_refused(text: str) -> None:
    names: dict[str, Any] = {"events": TestStream().advance_watermark_to_infinity()}
    if "rows" in text and "half" not in text:
        names = {"events": streams.stream(*EVENTS), "rows": [{"x": 1.0}]}
    if "half" in text:
        names["half"] = half
    graph = mm.pipeline(text, **names)
    with pytest.raises(RunError, match=REFUSED[text]):
        mm.compile_graph(graph, beam.Pipeline(FnApiRunner(), options=PipelineOptions([])))


@pytest.mark.parametrize(
    ("value", "options", "says"),
    [
        (beam.Map(str), {}, "source 'rows' is a ParDo, which produces no elements"),
        (beam.Create([1]), {"limit": 3}, "limit= is not supported for Beam transforms"),
    ],
)
def test_transforms_that_are_not_sources(value: Any, options: dict[str, Any], says: str) -> None:
    graph = mm.pipeline("rows | triple", rows=value)
    with pytest.raises(RunError, match=says):
        pipeline = beam.Pipeline(FnApiRunner(), options=PipelineOptions([]))
        mm.compile_graph(graph, pipeline, **options)
