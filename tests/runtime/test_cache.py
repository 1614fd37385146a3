"""The cache manager of InteractiveRunner, through Beam's interface and in Beam pipelines."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
import torch
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.interactive import interactive_beam, interactive_environment
from apache_beam.runners.interactive.caching.reify import reify_to_cache, unreify_from_cache
from apache_beam.runners.interactive.caching.streaming_cache import StreamingCache
from apache_beam.runners.interactive.interactive_runner import InteractiveRunner
from apache_beam.runners.interactive.utils import obfuscate
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_stream import TestStream as Stream
from apache_beam.testing.test_stream import WindowedValueHolder
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import (
    FixedWindows,
    GlobalWindow,
    IntervalWindow,
    Sessions,
    SlidingWindows,
    TimestampedValue,
    WindowFn,
)
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import PANE_INFO_UNKNOWN, PaneInfo, WindowedValue, create
from hypothesis import given
from hypothesis import strategies as st

from mmnotebook.beam.dofns.cache_manager import ShardCache
from mmnotebook.elements.block import Block
from mmnotebook.elements.elements import Key
from mmnotebook.errors import RunError
from mmnotebook.store import timed
from mmnotebook.store.store import Store


@pytest.fixture
def cache(tmp_path: Path) -> ShardCache:
    return ShardCache(tmp_path / "cache", {"kept": tmp_path / "kept"})


@pytest.fixture
def env() -> Iterator[Any]:
    """Provide Beam's interactive environment, and empty it afterwards."""
    env = interactive_environment.current_env()
    yield env
    env.evict_cache_manager()
    env.evict_recording_manager(None)
    env._watching_dict_list.clear()


def label(name: str, address: int = 1) -> str:
    return f"{obfuscate(name)[:10]}-{address}-{address}-{address}"


def usual(*values: Any) -> list[WindowedValue]:
    return [WindowedValue(value, MIN_TIMESTAMP, (GlobalWindow(),)) for value in values]


def read(cache: ShardCache, *labels: str) -> list[Any]:
    return list(cache.read(*labels)[0])


def kept(folder: Path) -> list[Any]:
    """Return the elements that the cache stores."""
    return [value for shard in timed.read(folder / "kept") for value in timed.values(shard)]


def files(cache: ShardCache) -> list[Path]:
    return [path for path in cache.folder.rglob("*") if path.is_file()]


def test_write_read_and_clear(cache: ShardCache) -> None:
    for labels in (("full", label("kept")), ("full", label("other"))):
        assert not cache.exists(*labels) and not cache.clear(*labels)
        assert cache.read(*labels)[1] == -1 and read(cache, *labels) == []
        assert cache.size(*labels) == 0
        cache.write(usual(1, "two", None), *labels)
        assert cache.exists(*labels) and cache.size(*labels) > 0
        assert read(cache, *labels) == usual(1, "two", None)
        cache.write([WindowedValueHolder(one) for one in usual(4)], *labels)
        assert read(cache, *labels) == usual(4)
        assert cache.clear(*labels) and not cache.exists(*labels)
        assert read(cache, *labels) == []


def test_persistent_labels_are_found_by_name_alone(cache: ShardCache, tmp_path: Path) -> None:
    cache.write(usual(1), "full", label("kept", 1))
    assert read(cache, "full", label("kept", 2)) == usual(1)
    assert kept(tmp_path) == [1]
    assert cache.size("full", label("kept", 3)) == timed.size(tmp_path / "kept") > 0
    assert cache.name_in(f"ReifyBefore_WriteCache_{label('kept')}") == "kept"
    assert cache.name_in(f"WriteCache_{label('other')}") is None


def test_other_labels_are_found_by_all_parts(cache: ShardCache) -> None:
    cache.write(usual(1), "full", label("x", 1))
    cache.write(usual(2), "full", label("x", 2))
    cache.write(usual(3), "sample", label("x", 1))
    cache.write(usual(4), "full", "a/../b")
    assert read(cache, "full", label("x", 1)) == usual(1)
    assert read(cache, "full", label("x", 2)) == usual(2)
    assert read(cache, "sample", label("x", 1)) == usual(3)
    assert read(cache, "full", "a/../b") == usual(4)
    assert not cache.exists("full", "b") and not cache.exists("full", "")


def test_two_folders_are_two_caches(tmp_path: Path) -> None:
    one, other = ShardCache(tmp_path / "one"), ShardCache(tmp_path / "other")
    one.write(usual(1), "full", "x")
    assert not other.exists("full", "x")


def test_cleanup_leaves_what_is_kept(cache: ShardCache) -> None:
    for name in ("kept", "other"):
        cache.write(usual(1), "full", label(name))
    cache.cleanup()
    assert read(cache, "full", label("kept")) == usual(1)
    assert not cache.exists("full", label("other")) and files(cache) == []


def test_coders_are_kept_by_label(cache: ShardCache) -> None:
    coder = beam.coders.VarIntCoder()
    cache.save_pcoder(coder, "full", "a")
    assert cache.load_pcoder("full", "a") is coder
    assert cache.load_pcoder("full", "b") is not None


class HasValue:
    value = 3


WINDOWS = st.one_of(
    st.just((GlobalWindow(),)),
    st.lists(
        st.builds(
            lambda start, size: IntervalWindow(start, start + size), *[st.integers(0, 50)] * 2
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
)
PANES = st.one_of(
    st.just(PANE_INFO_UNKNOWN),
    st.builds(PaneInfo, st.booleans(), st.booleans(), *[st.integers(0, 3)] * 3),
)
STAMPS = st.one_of(
    st.just(MIN_TIMESTAMP.micros), st.integers(MIN_TIMESTAMP.micros, -MIN_TIMESTAMP.micros)
)
VALUES = st.one_of(st.none(), st.integers(), st.text(), st.tuples(st.integers()), st.binary())


@given(st.lists(st.one_of(VALUES, st.builds(create, VALUES, STAMPS, WINDOWS, PANES)), max_size=30))
def test_every_element_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, elements: list[Any]
) -> None:
    cache = ShardCache(tmp_path_factory.mktemp("cache"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timed, "ELEMENTS", 7)
        cache.write(elements, "full", "x")
    back = read(cache, "full", "x")
    assert back == elements and list(map(type, back)) == list(map(type, elements))


def test_values_that_look_like_windowed_ones_stay_what_they_are(
    cache: ShardCache, tmp_path: Path
) -> None:
    cache.write(usual({"value": 1}), "full", label("kept"))
    cache.write([HasValue(), *usual(HasValue())], "full", "x")
    bare, held = read(cache, "full", "x")
    assert kept(tmp_path) == [{"value": 1}]
    assert isinstance(bare, HasValue) and isinstance(held.value, HasValue)


def test_shards_are_of_many_elements_or_few_big_ones(
    cache: ShardCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write(usual(*range(2 * timed.ELEMENTS + 1)), "full", "many")
    assert len(files(cache)) == 3
    cache.cleanup()
    monkeypatch.setattr(timed, "BYTES", 1 << 20)
    quarter = (1 << 20) // 4
    big = (
        np.ones(quarter, np.uint8),
        torch.ones(quarter // 4),
        b"x" * quarter,
        {"a": "x" * quarter},
    )
    cache.write(usual(*([one] * 2 for one in big), 1), "full", "big")
    assert len(files(cache)) == 3
    assert len(read(cache, "full", "big")) == 5


@pytest.mark.parametrize("name", ["kept", "other"])
def test_beam_writes_and_reads_through_it(cache: ShardCache, name: str) -> None:
    count = 2 * timed.ELEMENTS + 10
    with beam.Pipeline(FnApiRunner()) as pipeline:
        numbers = pipeline | beam.Create(range(count), reshuffle=False)
        reify_to_cache(numbers, label(name), cache)
    assert [one.value for one in read(cache, "full", label(name))] == list(range(count))
    shards = [path for path in cache.folder.parent.rglob("*") if path.is_file()]
    assert all(path.suffix == ".shard" for path in shards) and len(shards) >= 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in shards} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in shards} == {0o700}
    with beam.Pipeline(FnApiRunner()) as pipeline:
        back = unreify_from_cache(pipeline, label(name), cache)
        assert_that(back | beam.combiners.Count.Globally(), equal_to([count]))


def test_workers_in_other_processes_write_too(cache: ShardCache, tmp_path: Path) -> None:
    options = PipelineOptions(direct_num_workers=2, direct_running_mode="multi_processing")
    with beam.Pipeline(FnApiRunner(), options=options) as pipeline:
        numbers = pipeline | beam.Create(range(100))
        for name in ("kept", "other"):
            reify_to_cache(numbers, label(name), cache)
    assert sorted(kept(tmp_path)) == list(range(100))
    assert sorted(one.value for one in read(cache, "full", label("other"))) == list(range(100))


def test_an_empty_pcollection_exists_when_it_is_written(cache: ShardCache) -> None:
    pipeline = beam.Pipeline(FnApiRunner())
    nothing = pipeline | beam.Create([(1, 2)]) | beam.Filter(lambda _: False)
    reify_to_cache(nothing, label("nothing"), cache)
    reify_to_cache(nothing | beam.GroupByKey(), label("groups"), cache)
    assert not cache.exists("full", label("nothing"))
    pipeline.run().wait_until_finish()
    for name in ("nothing", "groups"):
        assert cache.exists("full", label(name)) and read(cache, "full", label(name)) == []


def test_output_of_a_failed_bundle_is_not_there(cache: ShardCache) -> None:
    def fail(number: int) -> None:
        if number > timed.ELEMENTS:
            raise ValueError("no such number")

    pipeline = beam.Pipeline(FnApiRunner())
    numbers = pipeline | beam.Create(range(2 * timed.ELEMENTS), reshuffle=False)
    reify_to_cache(numbers, label("numbers"), cache)
    _ = numbers | beam.Map(fail)
    with pytest.raises(Exception, match="no such number"):
        pipeline.run().wait_until_finish()
    assert files(cache) and not cache.exists("full", label("numbers"))


def test_a_bundle_that_was_tried_again_counts_once(cache: ShardCache) -> None:
    cache.write(usual("former"), "full", label("x"))
    pipeline = beam.Pipeline(FnApiRunner())
    numbers = (
        pipeline | beam.Create([1, 2]) | beam.Map(lambda one: WindowedValueHolder(*usual(one)))
    )
    sink = cache.sink(("full", label("x")))
    _ = numbers | sink
    writer = timed.Writer(Path(sink.draft))
    writer.folder.mkdir(parents=True)
    writer.add("of a bundle that failed", None)
    writer.flush()
    assert read(cache, "full", label("x")) == usual("former")
    pipeline.run().wait_until_finish()
    assert sorted(one.value for one in read(cache, "full", label("x"))) == [1, 2]


WINDOWINGS = [FixedWindows(5), Sessions(2), SlidingWindows(10, 5)]


def windowed_groups(pipeline: beam.Pipeline, windows: WindowFn) -> dict[str, Any]:
    stamped = (
        pipeline | beam.Create(range(12)) | beam.Map(lambda x: TimestampedValue((x % 3, x), x))
    )
    windowed = stamped | beam.WindowInto(windows)
    return {"stamped": stamped, "windowed": windowed, "groups": windowed | beam.GroupByKey()}


def interactive(env: Any, cache: ShardCache | None, watched: dict[str, Any]) -> None:
    pipeline = next(iter(watched.values())).pipeline
    if cache is not None:
        env.set_cache_manager(cache, pipeline)
    env.watch({**watched, "pipeline": pipeline})
    env.track_user_pipelines()


def recorded(env: Any, cache: ShardCache | None, windows: WindowFn) -> dict[str, list[Any]]:
    pipeline = beam.Pipeline(InteractiveRunner(FnApiRunner()))
    watched = windowed_groups(pipeline, windows)
    interactive(env, cache, watched)
    result = pipeline.run()
    found = {name: result.get(one, include_window_info=True) for name, one in watched.items()}
    return {name: sorted(some, key=repr) for name, some in found.items()}


@pytest.mark.parametrize("windows", WINDOWINGS, ids=lambda windows: type(windows).__name__)
def test_windows_are_as_beams_own_cache_keeps_them(
    env: Any, cache: ShardCache, windows: WindowFn
) -> None:
    ours, beams = recorded(env, cache, windows), recorded(env, None, windows)
    if isinstance(windows, SlidingWindows):
        # Beam's cache writes an element in two windows twice, once per window; its groups double.
        assert len(beams["windowed"]) == 2 * len(ours["windowed"]) == 24
        beams["windowed"] = beams["windowed"][::2]
    assert ours == beams
    windows_of_each = {len(one.windows) for one in ours["windowed"]}
    assert windows_of_each == {2 if isinstance(windows, SlidingWindows) else 1}


def test_a_second_run_reads_what_the_first_one_wrote(
    env: Any, cache: ShardCache, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    pipeline = beam.Pipeline(InteractiveRunner(FnApiRunner(), force_compute=False))

    def square(number: int) -> int:
        with calls.open("a") as file:
            file.write(f"{number} ")
        return number * number

    squares = pipeline | beam.Create([1, 2, 3], reshuffle=False) | beam.Map(square)
    interactive(env, cache, {"squares": squares})
    assert interactive_beam.collect(squares, raw_records=True) == [1, 4, 9]
    sums = squares | beam.CombineGlobally(sum)
    assert interactive_beam.collect(sums, raw_records=True) == [14]
    assert calls.read_text() == "1 2 3 "


def stream(pipeline: beam.Pipeline) -> dict[str, Any]:
    events = Stream().advance_watermark_to(0).advance_processing_time(1)
    events = events.add_elements(["to", "be", "to"]).advance_watermark_to(20)
    events = events.advance_processing_time(1).add_elements(["or", "not"])
    for watermark in (30, 40):
        events = events.advance_watermark_to(watermark).advance_processing_time(1)
    words = pipeline | events | beam.WindowInto(FixedWindows(10))
    counts = words | beam.Map(lambda word: (word, 1)) | beam.CombinePerKey(sum)
    return {"words": words, "counts": counts}


def in_window(value: Any, start: int, stamp: float, pane: PaneInfo) -> WindowedValue:
    return WindowedValue(value, stamp, (IntervalWindow(start, start + 10),), pane)


WORDS = [
    in_window(word, start, start, PANE_INFO_UNKNOWN)
    for start, words in ((0, ["to", "be", "to"]), (20, ["or", "not"]))
    for word in words
]
FIRED = PaneInfo(True, False, 1, 0, 0)
COUNTS = [
    in_window(count, start, start + 9.999999, FIRED)
    for start, counts in ((0, [("be", 1), ("to", 2)]), (20, [("not", 1), ("or", 1)]))
    for count in counts
]


def test_recordings_of_streams_are_beams_own_in_our_folder(
    env: Any, cache: ShardCache, tmp_path: Path
) -> None:
    pipeline = beam.Pipeline(InteractiveRunner(), options=StandardOptions(streaming=True))
    watched = stream(pipeline)
    cache.write(usual(1), "full", label("kept"))
    recordable = interactive_beam.options.recordable_sources
    recordable.add(Stream)
    try:
        interactive(env, cache, watched)
        for name, elements in (("words", WORDS), ("counts", COUNTS)):
            found = interactive_beam.collect(
                watched[name], n=len(elements), include_window_info=True
            )
            found["windows"] = found["windows"].map(tuple)
            rows = sorted(found.itertuples(index=False, name=None), key=repr)
            assert rows == sorted(map(as_row, elements), key=repr)
        recorder = env.get_cache_manager(pipeline)
        assert isinstance(recorder, StreamingCache) and recorder.capture_size > 0
        assert all(Path(path).is_relative_to(cache.folder) for path in recorder.capture_paths)
        assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
        env.evict_cache_manager(pipeline)
    finally:
        recordable.discard(Stream)
    assert files(cache) == [] and kept(tmp_path) == [1]


def as_row(element: WindowedValue) -> tuple[Any, ...]:
    values = element.value if isinstance(element.value, tuple) else (element.value,)
    return (*values, element.timestamp.micros, element.windows, element.pane_info)


def test_streams_that_are_not_recorded_are_kept_like_everything_else(
    env: Any, cache: ShardCache
) -> None:
    pipeline = beam.Pipeline(InteractiveRunner(), options=StandardOptions(streaming=True))
    watched = stream(pipeline)
    interactive(env, cache, watched)
    result = pipeline.run()
    assert env.get_cache_manager(pipeline) is cache
    for name, elements in (("words", WORDS), ("counts", COUNTS)):
        found = result.get(watched[name], include_window_info=True)
        assert sorted(found, key=repr) == sorted(elements, key=repr)


def test_cached_pcollections_are_drafts_of_the_store(tmp_path: Path) -> None:
    draft = Store(tmp_path / "store").draft("a" * 32)
    cache = ShardCache(tmp_path / "cache", {"rows": draft.path})
    block = Block.of([(Key(str(i), str(i)), np.full(3, i)) for i in range(5)])
    with beam.Pipeline(FnApiRunner()) as pipeline:
        rows = pipeline | beam.Create([("all", block), ("all", block)]) | beam.GroupByKey()
        reify_to_cache(rows | beam.FlatMap(lambda group: group[1]), label("rows"), cache)
    entry = draft.commit({"node": "rows"})
    assert entry.rows == 10
    stored = [one for shard in entry.shards() for one in timed.values(shard)]
    assert [one.ids for one in stored] == [block.ids] * 2
    assert np.array_equal(stored[1].values.rows()[4], np.full(3, 4))


def failing_writer(cache: ShardCache, name: str, elements: list[Any]) -> Any:
    # Called directly: in a run, Beam may process a value earlier, when it samples sizes.
    sink = cache.sink(("full", label(name)))
    writer = getattr(sink, "fn", None) or sink.write_shards
    writer.start_bundle()
    for one in usual(*elements):
        assert list(writer.process(WindowedValueHolder(one))) == []
    with pytest.raises(RunError) as error:
        list(writer.finish_bundle())
    return error.value


def test_what_cannot_be_stored_is_named(cache: ShardCache) -> None:
    generator = (x for x in "abc")
    pairs = [(Key("a", "a"), 1), (Key("b", "b"), [2]), (Key("c", "c"), generator)]
    error = failing_writer(cache, "kept", pairs)
    assert str(error).startswith("node 'kept': the value for 'c' cannot be stored: TypeError")
    assert error.node == "kept" and error.remedy is not None
    error = failing_writer(cache, "kept", [Block.of(pairs[:1]), Block.of(pairs[1:])])
    assert str(error).startswith("node 'kept': the value for 'c' cannot be stored: TypeError")
    error = failing_writer(cache, "other", [1, generator])
    assert str(error).startswith("a watched PCollection: the value for 1 cannot be stored")
    assert files(cache) == []


def test_a_run_ends_when_an_element_cannot_be_stored(cache: ShardCache) -> None:
    pipeline = beam.Pipeline(FnApiRunner())
    numbers = pipeline | beam.Create([1, 2, 3]) | beam.Map(lambda x: {"lock": threading.Lock()})
    reify_to_cache(numbers, label("kept"), cache)
    with pytest.raises(Exception, match="cannot pickle '_thread.lock' object"):
        pipeline.run().wait_until_finish()
    assert not cache.exists("full", label("kept"))
