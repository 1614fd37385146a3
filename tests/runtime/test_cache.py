"""The cache behind InteractiveRunner, through Beam's own interface."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
import torch
from apache_beam.runners.interactive.caching.reify import reify_to_cache, unreify_from_cache
from apache_beam.runners.interactive.utils import obfuscate
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_stream import WindowedValueHolder
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils import windowed_value

from mmnotebook.errors import RunError
from mmnotebook.runtime.cache import SHARD, ShardCache
from mmnotebook.runtime.data.elements import Key


@pytest.fixture
def cache(tmp_path: Path) -> ShardCache:
    return ShardCache(tmp_path)


def label(name: str, address: int = 1) -> str:
    return f"{obfuscate(name)[:10]}-{address}-{address}-{address}"


def values(cache: ShardCache, *labels: str) -> list[Any]:
    found, version = cache.read(*labels)
    assert version in (0, -1)
    return [one.value for one in found]


def test_write_read_and_clear(cache: ShardCache) -> None:
    one = label("one")
    assert not cache.exists("full", one)
    assert cache.read("full", one)[1] == -1 and values(cache, "full", one) == []
    assert cache.size("full", one) == 0
    elements = [1, "two", torch.ones(2), None]
    cache.write([windowed_value.create(e, 0, (GlobalWindow(),)) for e in elements], "full", one)
    assert cache.exists("full", one)
    assert values(cache, "full", one)[:2] == [1, "two"]
    assert list(cache.elements("one"))[3] is None
    assert cache.size("full", one) == cache.name_size("one") > 0
    assert cache.clear("full", one) and not cache.clear("full", one)
    assert not cache.exists("full", one) and list(cache.elements("one")) == []


def test_the_name_alone_counts(cache: ShardCache) -> None:
    cache.write([1], "full", label("one", 1))
    assert values(cache, "full", label("one", 2)) == [1]
    assert not cache.exists("full", label("other", 1))


def test_elements_that_look_like_windowed_values_stay_what_they_are(cache: ShardCache) -> None:
    class HasValue:
        value = 3

    element = windowed_value.create({"value": 1}, 0, (GlobalWindow(),))
    cache.write([element], "full", label("one"))
    assert list(cache.elements("one")) == [{"value": 1}]


def test_cleanup_deletes_nothing(cache: ShardCache) -> None:
    cache.write([1], "full", label("one"))
    cache.cleanup()
    assert values(cache, "full", label("one")) == [1]


def test_coders_are_kept_by_label(cache: ShardCache) -> None:
    coder = beam.coders.VarIntCoder()
    cache.save_pcoder(coder, "full", "a")
    assert cache.load_pcoder("full", "a") is coder
    assert cache.load_pcoder("full", "b") is not None


def test_beam_writes_and_reads_through_it(cache: ShardCache) -> None:
    count = 2 * SHARD + 10
    with beam.Pipeline(FnApiRunner()) as pipeline:
        numbers = pipeline | beam.Create(range(count), reshuffle=False)
        reify_to_cache(numbers, label("numbers"), cache)
    stored = list(cache.elements("numbers"))
    assert sorted(stored) == list(range(count))
    shards = [path for path in cache.folder.rglob("*") if path.is_file()]
    assert all(path.suffix == ".shard" for path in shards) and len(shards) >= 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in shards} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in shards} == {0o700}
    with beam.Pipeline(FnApiRunner()) as pipeline:
        back = unreify_from_cache(pipeline, label("numbers"), cache)
        assert_that(back | beam.combiners.Count.Globally(), equal_to([count]))


def test_an_empty_pcollection_exists(cache: ShardCache) -> None:
    with beam.Pipeline(FnApiRunner()) as pipeline:
        nothing = pipeline | beam.Create([])
        reify_to_cache(nothing, label("nothing"), cache)
    assert cache.exists("full", label("nothing")) and list(cache.elements("nothing")) == []


def test_what_cannot_be_stored_is_named(tmp_path: Path) -> None:
    # Given to the sink itself: in a run Beam may see the value first, when it samples sizes.
    cache = ShardCache(tmp_path, names=["letters"])
    sink = cache.sink(("full", label("letters"))).fn
    sink.start_bundle()
    for name, value in (("a", 1), ("b", [2]), ("c", (x for x in "abc"))):
        one = windowed_value.create((Key(name, name), value), 0, (GlobalWindow(),))
        sink.process(WindowedValueHolder(one))
    with pytest.raises(RunError, match="node 'letters': the value for 'c' cannot be stored: Type"):
        sink.finish_bundle()
    assert cache.name_in(f"ReifyBefore_WriteCache_{label('letters')}") == "letters"
    assert cache.name_in("WriteCache_other-1-1-1") is None
