"""`mm.run` of a graph with a Beam transform as the source: recorded, then run with its windows."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import apache_beam as beam
import pandas as pd
import pytest
from apache_beam.runners.interactive import interactive_beam
from apache_beam.transforms.periodicsequence import PeriodicImpulse
from apache_beam.transforms.window import SlidingWindows

import mmnotebook as mm
from mmnotebook.beam.streaming import recorded
from mmnotebook.errors import RunError
from mmnotebook.graph.names import role_of
from tests.runtime import streams, toys

EVENTS = [(1, {"k": "a", "x": 1.0}), (11, {"k": "b", "x": 2.0}), (12, {"k": "c", "x": 3.0})]
TEXT = 'both = events["x"] | [double, triple]\nm = both | mean()'


@pytest.fixture(autouse=True)
def models() -> None:
    mm.register("double", toys.Scale(2.0, most=1e12), batch_size=8)
    mm.register("triple", toys.Scale(3.0), batch_size=8)


@pytest.fixture
def short() -> Iterator[None]:
    """Limit recordings to one second."""
    before = interactive_beam.options.recording_duration
    interactive_beam.options.recording_duration = timedelta(seconds=1)
    yield
    interactive_beam.options.recording_duration = before


def at(*seconds: float) -> list[pd.Timestamp]:
    return [pd.Timestamp(second, unit="s", tz="UTC") for second in seconds]


def run(text: str = TEXT, **names: Any) -> mm.Result:
    options = {name: names.pop(name) for name in ("fresh", "limit", "max_failed") if name in names}
    return mm.run(mm.pipeline(text, **names), progress=False, **options)


def test_event_time_and_window_are_among_the_sources_fields() -> None:
    result = run(events=streams.stream(*EVENTS))
    for node, column, factor in (("double", "prediction", 2), ("m", "value", 2.5)):
        frame = result[node]
        assert list(frame["k"]) == ["a", "b", "c"] and list(frame["id"]) == ["0", "1", "2"]
        assert [float(value) for value in frame[column]] == [factor, 2 * factor, 3 * factor]
        assert list(frame["event_time"]) == at(1, 11, 12)
        assert list(frame["window_start"]) == at(0, 10, 10)
        assert list(frame["window_end"]) == at(10, 20, 20)
    assert result.failed.empty
    assert mm.inspect(result, "m", where="window_end > '1970-01-01 00:00:15+00:00'").shape[0] == 2


def test_a_recording_is_used_again_and_the_nodes_below_it_are_not_computed() -> None:
    events = streams.stream(*EVENTS)
    said = "3 elements, to the end of the source"
    first = run(events=events)
    assert first.why["events"].endswith(f"; recorded now: {said}")
    again = run(events=events)
    assert again.why["events"] == (f"read from the cache; recorded earlier in this kernel: {said}")
    assert all(again.nodes["cached"])
    longer = run(f"{TEXT}\nlast = m | plus", events=events, plus=plus)
    assert [name for name in longer if not longer.nodes["cached"][name]] == ["last"]
    assert list(longer["last"]["value"]) == [3.5, 6.0, 8.5]
    fresh = run(events=events, fresh=True)
    assert fresh.why["events"] == f"fresh=True; recorded now: {said}"


def plus(x: float) -> float:
    return float(x) + 1


def test_other_windows_are_another_identity() -> None:
    run(events=streams.stream(*EVENTS))
    windows = SlidingWindows(10, 5)
    events = streams.stream(*EVENTS, windows=windows)
    result = run('m = source(events, id="k")["x"] | [double, triple] | mean()', events=events)
    assert len(result["m"]) == 6 and not result.nodes["cached"]["double"]
    row = result["m"].set_index("id").loc["a@5000000"]
    assert (row["value"], row["window_end"]) == (2.5, at(5)[0])


def test_a_recording_is_removed_with_its_transform() -> None:
    events = beam.Create([1.0, 2.0])
    run("events | double", events=events)
    assert recorded.find(events, None) is not None
    before = len(recorded._made)
    del events
    mm.pipeline("x | double", x=[1])
    gc.collect()
    recorded.keep(beam.Create([1]), recorded._made[0][1])
    assert len(recorded._made) <= before


def test_a_transform_without_times_is_as_a_list_is() -> None:
    assert role_of(beam.Create([1])) == "transform"
    result = run("events | double", events=beam.Create([1.0, 2.0]))
    assert list(result["double"].columns) == ["id", "prediction", "model", "key"]
    same = run("events | double", events=beam.Create([1.0, 2.0]))
    assert same.why["double"] == "read from the cache"


def test_a_source_without_end_is_recorded_for_the_time_allowed(short: None) -> None:
    started = time.monotonic()
    result = run("events | double", events=PeriodicImpulse(fire_interval=0.1))
    assert time.monotonic() - started < 8
    assert result.why["events"].endswith("until recording_duration (1 s) was over")
    assert len(result["double"]) > 3
    assert result["double"]["event_time"].is_monotonic_increasing


def test_a_size_limit_ends_a_recording() -> None:
    before = interactive_beam.options.recording_size_limit
    interactive_beam.options.recording_size_limit = 100
    try:
        result = run("events | double", events=PeriodicImpulse(fire_interval=0.05))
    finally:
        interactive_beam.options.recording_size_limit = before
    assert result.why["events"].endswith("until recording_size_limit (100 bytes) was reached")


def test_a_limit_ends_a_recording_that_suffices_for_the_same_limit() -> None:
    events = PeriodicImpulse(fire_interval=0.01)
    result = run("events | double", events=events, limit=5)
    assert len(result["double"]) == 5
    assert result.why["events"].endswith("recorded now: 5 elements, until limit=5 was reached")
    assert "recorded earlier" in run("events | double", events=events, limit=3).why["events"]
    more = run("events | double", events=events, limit=6)
    assert "recorded now: 6" in more.why["events"] and len(more["double"]) == 6


def test_ctrl_c_stops_the_run_and_keeps_what_was_recorded() -> None:
    events = PeriodicImpulse(fire_interval=0.05)

    def interrupt() -> None:
        jobs = streams_jobs()
        while not any(len(job.rows) > 3 for job in jobs.values()):
            threading.Event().wait(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    # A shell that starts pytest in the background makes it ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt, match="elements of 'events' are recorded") as caught:
            run("events | double", events=events)
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)
    assert isinstance(caught.value, RunError) and "continue with these" in str(caught.value)
    result = run("events | double", events=events)
    assert len(result["double"]) > 3
    assert result.why["events"].endswith("until you stopped it")


def streams_jobs() -> dict[str, Any]:
    from mmnotebook.beam.streaming import recording

    return recording._jobs


def test_a_source_that_fails_says_so() -> None:
    broken = beam.Create([1]) | beam.Map(lambda x: 1 / 0)
    with pytest.raises(RunError, match="source 'events' cannot be read: .*division by zero"):
        run("events | double", events=broken)
    with pytest.raises(RunError, match="source 'events' is a ParDo, which produces no elements"):
        run("events | double", events=beam.Map(str))


def test_ids_that_come_again_fail() -> None:
    events = streams.stream(*EVENTS, (13, {"k": "a", "x": 9.0}), (14, {"x": 9.0}))
    result = run('source(events, id="k")["x"] | double', events=events, max_failed=0.5)
    assert list(result["double"]["id"]) == ["a", "b", "c"]
    assert list(result.failed["node"]) == ["events", "events"]
    messages = " ".join(result.failed["message"])
    assert "duplicate k 'a'; ids must be unique" in messages and "no field 'k'" in messages


def test_a_stream_is_written_into_one_file(tmp_path: Any) -> None:
    path = tmp_path / "out.jsonl"
    run(f'events | write("{path}")', events=streams.stream(*EVENTS))
    assert path.read_text().count("\n") == 3


def test_a_field_of_the_same_name_keeps_its_cells() -> None:
    result = run("events | loud", events=streams.stream((1, {"event_time": "noon"})), loud=upper)
    assert list(result["loud"]["event_time_field"]) == ["noon"]
    assert list(result["loud"]["event_time"]) == at(1)


def upper(row: dict[str, Any]) -> str:
    return str(row["event_time"]).upper()
