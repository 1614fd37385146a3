"""Metrics as values and tables; latencies as a sketch that merges across workers.

A latency is the time of one call of the model. A call processes one batch.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd
from ddsketch.mapping import LogarithmicMapping

ACCURACY = 0.01
"""The relative accuracy of the latency sketch (ddsketch's `LogarithmicMapping`)."""

FLOOR_MS = 1e-6
"""The smallest latency in the sketch: 1 ns. Shorter latencies are counted as 1 ns."""

PERCENTILES = {"p50_ms": 0.5, "p90_ms": 0.9, "p95_ms": 0.95, "p99_ms": 0.99}

Number = TypeVar("Number", int, float)

_MAPPING = LogarithmicMapping(ACCURACY)
_key: Callable[[float], int] = _MAPPING.key


def bucket(milliseconds: float) -> int:
    """Return the key under which the sketch counts a latency.

    Parameters
    ----------
    milliseconds
        The time of one call of the model. Anything below `FLOOR_MS`, including 0 and negative
        values, counts as `FLOOR_MS`.

    Returns
    -------
    int
        The key. Every latency with this key is within 1 % of `bucket_ms(key)`.
    """
    return _key(milliseconds if milliseconds > FLOOR_MS else FLOOR_MS)


def bucket_ms(key: int) -> float:
    """Return the latency in ms that represents a key, within 1 % of each latency with that key."""
    return float(_MAPPING.value(key))


def samples_needed(q: float) -> int:
    """Return the number of samples that the quantile `q` needs: 1 / (1 - q), rounded up.

    Raises
    ------
    ValueError
        When `q` is below 0, or 1 or more.
    """
    if not 0 <= q < 1:
        raise ValueError(f"a quantile is at least 0 and below 1, not {q!r}")
    return math.ceil(round(1 / (1 - q), 6))


def quantile(buckets: Mapping[int, int], q: float) -> float | None:
    """Return the latency in ms that the share `q` of the calls did not exceed.

    The result is within 1 % of the sample of rank ⌊q (n - 1)⌋, counted from 0: numpy's method
    "lower".

    Parameters
    ----------
    buckets
        Calls by `bucket` key.
    q
        At least 0, and below 1.

    Returns
    -------
    float or None
        None if there are fewer than `samples_needed(q)` calls.
    """
    count = sum(buckets.values())
    if count < samples_needed(q):
        return None
    # 1e-9 is added so that 0.29 * 100 = 28.999999999999996 has rank 29.
    rank = math.floor(q * (count - 1) + 1e-9)
    seen = 0
    for key in sorted(buckets):
        seen += buckets[key]
        if seen > rank:
            return bucket_ms(key)
    raise AssertionError("the counts of a sketch add up to its count")


@dataclass(frozen=True)
class NodeMeasure:
    """Measures of one node in a run.

    Attributes
    ----------
    kind
        The node's step kind.
    elements_in, elements_out
        The number of elements that the node received and returned (without failures); None if
        unknown.
    failed
        The number of elements that failed in the node.
    seconds
        The time that the node took; None if unknown.
    bytes
        The size of the node's stored output; None if unknown.
    cached
        Whether the node's output was read from the cache.
    window_rows, grouped
        For a keyed node: the number of elements per window, and whether the elements were grouped
        by model; None for other kinds of node.
    """

    kind: str
    elements_in: int | None
    elements_out: int | None
    failed: int
    seconds: float | None
    bytes: int | None
    cached: bool = False
    window_rows: int | None = None
    grouped: bool | None = None


@dataclass(frozen=True)
class ModelMeasure:
    """Measures of one model in a run, in one worker or (see `merge`) in all of them.

    Attributes
    ----------
    predictions
        Elements with a prediction.
    batches
        Calls of the model; each is one latency sample.
    failed
        Elements that failed and have no prediction.
    buckets
        The number of calls by `bucket` of the latency.
    max_ms
        The longest call in ms; None without calls.
    loads, load_ms
        How often the model was loaded, and the mean time of a load in ms.
    parameter_bytes, resident_bytes, device_bytes
        Bytes of the model's parameters, of the model's share of the memory of the process, and of
        its share of the memory of an accelerator; None if not measured.
    not_finite
        Predictions with NaN or infinity; None if not counted.
    batch_invariant, repeatable
        Whether an element's output is independent of the other elements of its batch, and
        whether a second call returns the same; None if not probed.
    """

    predictions: int
    batches: int
    failed: int
    buckets: Mapping[int, int]
    max_ms: float | None
    loads: int
    load_ms: float | None
    parameter_bytes: int | None
    resident_bytes: int | None
    device_bytes: int | None
    not_finite: int | None = None
    batch_invariant: bool | None = None
    repeatable: bool | None = None


def merge(measures: Iterable[ModelMeasure]) -> ModelMeasure:
    """Merge the measures of one model from several nodes or workers.

    Counts and sketches are added. The mean load time is weighted by loads. `max_ms` and the sizes
    are the maximum of the parts, since each worker holds the model once. `batch_invariant` and
    `repeatable` are True if they are True in all parts. Missing values are ignored.
    """
    parts = tuple(measures)
    calls: Counter[int] = Counter()
    for part in parts:
        calls.update(part.buckets)
    timed = [(part.loads, part.load_ms) for part in parts if part.load_ms is not None]
    loads = sum(count for count, _ in timed)
    return ModelMeasure(
        predictions=sum(part.predictions for part in parts),
        batches=sum(part.batches for part in parts),
        failed=sum(part.failed for part in parts),
        buckets=dict(calls),
        max_ms=_largest(part.max_ms for part in parts),
        loads=sum(part.loads for part in parts),
        load_ms=sum(count * ms for count, ms in timed) / loads if loads else None,
        parameter_bytes=_largest(part.parameter_bytes for part in parts),
        resident_bytes=_largest(part.resident_bytes for part in parts),
        device_bytes=_largest(part.device_bytes for part in parts),
        not_finite=_sum(part.not_finite for part in parts),
        batch_invariant=_all(part.batch_invariant for part in parts),
        repeatable=_all(part.repeatable for part in parts),
    )


def _largest(values: Iterable[Number | None]) -> Number | None:
    return max((value for value in values if value is not None), default=None)


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _all(values: Iterable[bool | None]) -> bool | None:
    known = [value for value in values if value is not None]
    return all(known) if known else None


NOT_PROBED = "not probed"
_COUNT, _AMOUNT = "Int64", "float64"
NODE_COLUMNS = {
    "kind": "object",
    "elements_in": _COUNT,
    "elements_out": _COUNT,
    "failed": _COUNT,
    "seconds": _AMOUNT,
    "bytes": _COUNT,
    "cached": "bool",
}
MODEL_COLUMNS = {
    "predictions": _COUNT,
    "batches": _COUNT,
    "mean_batch": _AMOUNT,
    "failed": _COUNT,
    **dict.fromkeys([*PERCENTILES, "max_ms"], _AMOUNT),
    "loads": _COUNT,
    "load_ms": _AMOUNT,
    "parameter_bytes": _COUNT,
    "resident_bytes": _COUNT,
    "device_bytes": _COUNT,
    "not_finite": _COUNT,
    "batch_invariant": "object",
    "repeatable": "object",
}


def node_table(measures: Mapping[str, NodeMeasure]) -> pd.DataFrame:
    """Return a table with one row per node, in the order given.

    Returns
    -------
    DataFrame
        Index "node"; columns kind, elements_in, elements_out, failed, seconds, bytes, cached.
        Unknown values are missing: <NA> for counts and bytes, NaN for seconds.
    """
    rows = {name: [getattr(m, column) for column in NODE_COLUMNS] for name, m in measures.items()}
    return _table(rows, NODE_COLUMNS, "node")


def model_table(measures: Mapping[str, ModelMeasure]) -> pd.DataFrame:
    """Return a table with one row per model, in the order given.

    Returns
    -------
    DataFrame
        Index "model". Columns: predictions, batches (calls that returned predictions, including
        retries of a failed batch), mean_batch (predictions per call), failed, p50_ms, p90_ms,
        p95_ms, p99_ms and max_ms (time per call, that is per batch), loads, load_ms (mean time of a
        load), parameter_bytes, resident_bytes, device_bytes, not_finite (predictions with NaN
        or infinity), batch_invariant and repeatable (whether an element's output is independent of
        the rest of its batch, and whether a second call returns the same: True, False or "not
        probed"). Unknown values, such as a percentile of too few calls, are missing.
    """
    return _table({name: model_row(m) for name, m in measures.items()}, MODEL_COLUMNS, "model")


def model_row(measure: ModelMeasure) -> list[Any]:
    """Return the row of a model, in the order of `MODEL_COLUMNS`; None for unknown values."""
    derived: dict[str, Any] = {
        name: quantile(measure.buckets, q) for name, q in PERCENTILES.items()
    }
    if measure.batches:
        derived["mean_batch"] = measure.predictions / measure.batches
    else:
        derived["mean_batch"] = None
    for name in ("batch_invariant", "repeatable"):
        verdict = getattr(measure, name)
        derived[name] = NOT_PROBED if verdict is None else verdict
    return [
        derived[column] if column in derived else getattr(measure, column)
        for column in MODEL_COLUMNS
    ]


def _table(rows: Mapping[str, list[Any]], columns: Mapping[str, str], index: str) -> pd.DataFrame:
    """Return a frame with exactly these columns and types, even if it has no rows."""
    values = list(zip(*rows.values(), strict=True)) if rows else [()] * len(columns)
    labels = pd.Index(list(rows), name=index, dtype="object")
    return pd.DataFrame(
        {
            name: pd.Series(list(column), index=labels, dtype=dtype)
            for (name, dtype), column in zip(columns.items(), values, strict=True)
        }
    )
