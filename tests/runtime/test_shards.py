"""Shard files: exact, writable and fast to check; every damage is detected."""

from __future__ import annotations

import errno
import os
import pickle
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from apache_beam.ml.inference.base import PredictionResult
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmnotebook.elements.block import Block
from mmnotebook.elements.elements import Key
from mmnotebook.elements.packing import pack
from mmnotebook.results.records import Failure
from mmnotebook.store import shards
from mmnotebook.store.shards import Damaged

BIG = 50_000
RNG = np.random.default_rng(0)


def again(folder: Path, value: Any) -> Any:
    info = shards.write(folder / "a.shard", value)
    shards.verify(folder / "a.shard", info)
    return shards.read(folder / "a.shard", info)


def arrays() -> list[np.ndarray[Any, Any]]:
    """Draw large arrays of all sorts: noise, compressible, views, read-only, other orders."""
    noise = RNG.standard_normal((BIG, 3)).astype(np.float32)
    fixed = RNG.standard_normal(BIG)
    fixed.flags.writeable = False
    return [
        noise, noise.T, noise[::2], np.asfortranarray(noise), fixed, np.broadcast_to(1.5, (BIG,)),
        np.zeros(BIG, np.int8), np.arange(BIG).astype(">i4"), np.arange(BIG).astype("M8[s]"),
        np.array([f"text {i}" for i in range(BIG)]), np.zeros((0, 3)), np.array(3.0),
        np.zeros(BIG, [("a", "i1"), ("b", "f8")]),
    ]  # fmt: skip


@pytest.mark.parametrize("array", arrays(), ids=lambda a: f"{a.dtype}{a.shape}")
def test_big_arrays_come_back_exact_and_writable(
    array: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    (back,) = again(tmp_path, [array])
    assert back.dtype == array.dtype and back.shape == array.shape
    assert back.tobytes() == array.tobytes()
    assert back.flags.writeable
    back[...] = np.zeros((), back.dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.bool], ids=str)
def test_big_tensors_come_back_exact_and_writable(dtype: torch.dtype, tmp_path: Path) -> None:
    tensor = torch.randn(BIG, 4).to(dtype)
    (back,) = again(tmp_path, [tensor])
    assert back.dtype == dtype and torch.equal(back, tensor)
    back.zero_()


def test_blocks_come_back_equal(tmp_path: Path) -> None:
    rows = [RNG.standard_normal(64).astype(np.float32) for _ in range(2000)]
    values = [PredictionResult(row, torch.ones(2), model_id="m") for row in rows]
    block = Block.of([(Key(str(i), str(i)), value) for i, value in enumerate(values)])
    block.failed.append(Failure("node", "7", "ValueError", "no", "trace"))
    (back,) = again(tmp_path, [block])
    assert back.ids == block.ids and back.failed == block.failed
    for (key, value), row in zip(back.elements(), rows, strict=True):
        assert key.id in back.ids and value.model_id == "m"
        assert np.array_equal(value.example, row) and torch.equal(value.inference, torch.ones(2))


def test_a_frame_can_be_changed_where_it_comes_back(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(BIG), "y": "text"})
    back = again(tmp_path, frame)
    pd.testing.assert_frame_equal(back, frame)
    back.loc[0, "x"] = 5


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
) | st.binary(min_size=0, max_size=200_000)


@given(value=VALUES)
def test_any_plain_value(value: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert again(tmp_path_factory.getbasetemp(), value) == value


@given(
    array=hnp.arrays(hnp.floating_dtypes(), hnp.array_shapes(max_side=4)),
    times=st.integers(1, 2000),
)
def test_any_array_repeated(
    array: np.ndarray[Any, Any], times: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    big = np.stack([array] * times)
    back = again(tmp_path_factory.getbasetemp(), big)
    assert back.dtype == big.dtype and back.shape == big.shape and back.tobytes() == big.tobytes()


def test_noise_stays_raw_and_the_rest_shrinks(tmp_path: Path) -> None:
    noise = RNG.standard_normal(1_000_000).astype(np.float32)
    info = shards.write(tmp_path / "noise.shard", noise)
    assert noise.nbytes < info.bytes < noise.nbytes + 1000
    digits = np.tile(RNG.integers(0, 17, 64).astype(np.float32), 10_000)
    assert shards.write(tmp_path / "digits.shard", digits).bytes < digits.nbytes / 50
    texts = [f"the text of row {i}" for i in range(10_000)]
    assert shards.write(tmp_path / "texts.shard", texts).bytes < len(pickle.dumps(texts)) / 2


def test_a_big_array_is_not_copied_to_be_written() -> None:
    noise = RNG.standard_normal(1_000_000)
    parts = shards.encode([noise, torch.from_numpy(noise)]).parts
    views = [np.frombuffer(part.data, np.float64) for part in parts[1:]]
    assert views and all(np.shares_memory(view, noise) for view in views)


def test_a_file_says_what_it_is_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "a.shard"
    info = shards.write(path, [np.zeros(BIG)], rows=17)
    assert shards.info(path) == info
    assert info.name == "a.shard" and info.rows == 17 and info.bytes == path.stat().st_size
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_names_sort_in_the_order_of_writing() -> None:
    names = [shards.new_name(number) for number in range(100)]
    assert names == sorted(names) and len(set(names)) == 100


def a_shard(folder: Path) -> tuple[Path, shards.ShardInfo]:
    """Return a shard with a pickle and two parts, one raw and one compressed, and their offsets."""
    path = folder / "a.shard"
    return path, shards.write(path, [RNG.standard_normal(5000), np.zeros(BIG), "text" * 100], 3)


def test_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    path, info = a_shard(tmp_path)
    whole = path.read_bytes()
    places = {*range(150), *range(len(whole) - 60, len(whole)), *range(150, len(whole), 997)}
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        for look in (shards.verify, shards.read):
            with pytest.raises(Damaged, match="was altered|was truncated") as caught:
                look(path, info)
            assert caught.value.path == path
    path.write_bytes(whole)
    shards.verify(path, info)


def test_every_cut_is_seen_even_from_the_file_alone(tmp_path: Path) -> None:
    path, info = a_shard(tmp_path)
    whole = path.read_bytes()
    for length in (0, 1, 10, 19, 20, 40, 70, 71, 200, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        for look in (shards.verify, shards.read, lambda path, info: shards.info(path)):
            with pytest.raises(Damaged, match="was truncated"):
                look(path, info)
    path.write_bytes(whole + b"x")
    for look in (shards.verify, shards.read, lambda path, info: shards.info(path)):
        with pytest.raises(Damaged, match="was altered"):
            look(path, info)


def test_another_file_in_its_place_is_noticed(tmp_path: Path) -> None:
    path, info = a_shard(tmp_path)
    other = shards.write(tmp_path / "b.shard", "other")
    with pytest.raises(Damaged, match="was altered"):
        shards.read(path, replace(other, bytes=info.bytes))
    with pytest.raises(Damaged, match="was altered"):
        shards.verify(path, replace(info, checksum=other.checksum))
    path.unlink()
    with pytest.raises(Damaged, match="is missing"):
        shards.read(path, info)
    path.mkdir()
    with pytest.raises(Damaged, match="cannot be read"):
        shards.verify(path, info)


class Evil:
    """An object that creates a file when it is unpickled."""

    traces: list[str] = []  # noqa: RUF012

    def __reduce__(self) -> Any:
        return Evil.traces.append, ("here",)


def test_nothing_is_unpickled_before_the_checksum_is_right(tmp_path: Path) -> None:
    path = tmp_path / "a.shard"
    info = shards.write(path, Evil())
    altered = bytearray(path.read_bytes())
    altered[-1] ^= 1
    path.write_bytes(altered)
    with pytest.raises(Damaged):
        shards.read(path, info)
    assert Evil.traces == []


class Gone:
    pass


def test_values_that_cannot_be_unpickled_here_have_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.shard"
    info = shards.write(path, Gone())
    monkeypatch.delattr(sys.modules[__name__], "Gone")
    with pytest.raises(Damaged, match="cannot be read here.*Gone") as caught:
        shards.read(path, info)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value) and copy.path == path


def test_a_failed_write_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        shards.write(tmp_path / "a.shard", (i for i in range(3)))
    with pytest.raises(OSError) as caught:
        shards.write(tmp_path / "missing" / "a.shard", 1)
    assert caught.value.errno == errno.ENOENT
    (tmp_path / "b.shard").mkdir()
    with pytest.raises(OSError):
        shards.write(tmp_path / "b.shard", 1)
    assert os.listdir(tmp_path) == ["b.shard"]  # noqa: PTH208


def test_columns_share_no_memory_with_one_another_after_reading(tmp_path: Path) -> None:
    one, two = again(tmp_path, [pack(list(RNG.standard_normal((BIG, 2)))) for _ in range(2)])
    before = two.array.copy()
    one.array[...] = 0
    assert np.array_equal(two.array, before)
