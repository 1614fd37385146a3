"""The latency sketch, the merging of measures, and the tables of nodes and models."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmnotebook.results.metrics import (
    ACCURACY,
    FLOOR_MS,
    bucket,
    bucket_ms,
    merge,
    model_table,
    node_table,
    quantile,
    samples_needed,
)
from tests.unit.analysis_runs import model_measure, node_measure

LATENCIES = st.lists(st.floats(FLOOR_MS, 1e7), min_size=1, max_size=300)
LEVELS = st.one_of(st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99]), st.floats(0, 0.995))


def sketch(latencies: list[float]) -> Counter[int]:
    return Counter(map(bucket, latencies))


@given(LATENCIES, LEVELS)
def test_a_quantile_is_within_one_percent_of_the_exact_one(
    latencies: list[float], q: float
) -> None:
    found = quantile(sketch(latencies), q)
    if len(latencies) < samples_needed(q):
        assert found is None
    else:
        rank = math.floor(q * (len(latencies) - 1) + 1e-9)
        assert found == pytest.approx(sorted(latencies)[rank], rel=ACCURACY + 1e-9)


def test_quantiles_agree_with_numpy() -> None:
    latencies = np.random.default_rng(0).lognormal(1, 0.7, 20_000)
    for q in (0.5, 0.9, 0.95, 0.99, 0.999):
        exact = np.quantile(latencies, q, method="lower")
        assert quantile(sketch(list(latencies)), q) == pytest.approx(exact, rel=ACCURACY)


@given(st.lists(LATENCIES, max_size=4))
def test_merged_sketches_equal_the_sketch_of_all(parts: list[list[float]]) -> None:
    together = [latency for part in parts for latency in part]
    merged = merge(model_measure(part) for part in parts)
    assert merged.buckets == sketch(together)
    assert merged.max_ms == max(together, default=None)
    assert merged.predictions == merged.batches == len(together)


@pytest.mark.parametrize(
    ("q", "needed"), [(0.0, 1), (0.5, 2), (0.9, 10), (0.95, 20), (0.99, 100), (0.999, 1000)]
)
def test_a_percentile_needs_enough_samples(q: float, needed: int) -> None:
    assert samples_needed(q) == needed
    assert quantile(sketch([1.0] * (needed - 1)), q) is None
    assert quantile(sketch([1.0] * needed), q) == pytest.approx(1.0, rel=ACCURACY)


@pytest.mark.parametrize("q", [-0.1, 1.0, 2.0, math.nan])
def test_an_invalid_quantile_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        quantile(sketch([1.0]), q)


@pytest.mark.parametrize("latency", [0.0, -3.0, FLOOR_MS / 2, FLOOR_MS])
def test_shorter_latencies_count_as_the_shortest(latency: float) -> None:
    assert bucket(latency) == bucket(FLOOR_MS) <= bucket(2 * FLOOR_MS)


@given(st.floats(FLOOR_MS, 1e9))
def test_a_bucket_stands_for_what_is_counted_in_it(latency: float) -> None:
    assert bucket_ms(bucket(latency)) == pytest.approx(latency, rel=ACCURACY + 1e-9)


def test_merge_weighs_load_times_by_loads_and_keeps_the_largest_size() -> None:
    one = model_measure([1.0], loads=1, load_ms=10.0, parameter_bytes=100, resident_bytes=7)
    two = model_measure([5.0], loads=3, load_ms=30.0, parameter_bytes=100, failed=2)
    unloaded = model_measure([], loads=0, load_ms=None)
    merged = merge([one, two, unloaded])
    assert (merged.loads, merged.load_ms, merged.failed) == (4, 25.0, 2)
    assert (merged.parameter_bytes, merged.resident_bytes) == (100, 7)
    assert merged.device_bytes is None


def test_merging_nothing_has_unknown_values() -> None:
    merged = merge([])
    assert (merged.predictions, merged.loads, merged.buckets) == (0, 0, {})
    assert merged.max_ms is merged.load_ms is merged.parameter_bytes is None


NODE_COLUMNS = ["kind", "elements_in", "elements_out", "failed", "seconds", "bytes", "cached"]
MODEL_COLUMNS = [
    *("predictions", "batches", "mean_batch", "failed", "p50_ms", "p90_ms", "p95_ms", "p99_ms"),
    *("max_ms", "loads", "load_ms", "parameter_bytes", "resident_bytes", "device_bytes"),
    "not_finite",
    "batch_invariant",
    "repeatable",
]


def test_node_table_has_its_columns_and_misses_what_is_not_known() -> None:
    table = node_table(
        {"rows": node_measure("source", None, 3), "mlp": node_measure("model", 3, 2, 1)}
    )
    assert list(table) == NODE_COLUMNS
    assert table.index.name == "node" and list(table.index) == ["rows", "mlp"]
    assert table.loc["mlp", ["kind", "elements_in", "elements_out", "failed"]].tolist() == [
        *("model", 3, 2, 1)
    ]
    assert table.loc["rows", "elements_in"] is pd.NA
    assert table["seconds"].isna().all() and table["bytes"].isna().all()
    assert not table["cached"].any()


def test_model_table_has_its_columns_and_misses_what_is_not_known() -> None:
    measure = model_measure([float(ms) for ms in range(1, 51)], predictions=3190, failed=10)
    table = model_table({"mlp": measure})
    assert list(table) == MODEL_COLUMNS and table.index.name == "model"
    row = table.loc["mlp"]
    assert row["mean_batch"] == 63.8  # 3,190 predictions in 50 calls
    assert row["p50_ms"] == pytest.approx(25, rel=ACCURACY)
    assert row["p95_ms"] == pytest.approx(47, rel=ACCURACY)
    assert pd.isna(row["p99_ms"]) and row["max_ms"] == 50.0
    assert row[["parameter_bytes", "resident_bytes", "device_bytes"]].isna().all()


def test_a_model_without_calls_has_no_times_rather_than_zeros() -> None:
    row = model_table({"idle": model_measure([], loads=0, load_ms=None)}).loc["idle"]
    assert row[["predictions", "batches", "failed", "loads"]].tolist() == [0, 0, 0, 0]
    assert row[["batch_invariant", "repeatable"]].tolist() == ["not probed"] * 2
    known = {"predictions", "batches", "failed", "loads", "batch_invariant", "repeatable"}
    assert row.drop(list(known)).isna().all()


def test_tables_keep_their_types_without_a_row() -> None:
    for empty, full in (
        (node_table({}), node_table({"rows": node_measure("source", None, 3)})),
        (model_table({}), model_table({"mlp": model_measure([1.0])})),
    ):
        assert len(empty) == 0
        pd.testing.assert_series_equal(empty.dtypes, full.dtypes)
    assert model_table({})["parameter_bytes"].dtype == "Int64"
    assert model_table({})["p50_ms"].dtype == "float64"
