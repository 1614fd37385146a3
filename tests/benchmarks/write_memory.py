"""Memory of `write` at 1,000,000 rows: the peak above that of the same run without the step.

Each run is in a process of its own, with all imports done and a small file written before.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

import mmnotebook as mm
from tests.benchmarks import work
from tests.benchmarks.measuring import Report, in_child, peaks_above
from tests.benchmarks.scale import peak_mb

ROWS = 1_000_000
MB = 150
TARGETS = {
    "without": None,
    "parquet": "out.parquet",
    "csv": "out.csv",
    "jsonl": "out.jsonl",
    "folder": "out/",
}


def rows(count: int) -> Path:
    """Return a file of records: a number, a fraction, a number with missing values, a text."""
    path = work.FOLDER / f"records-{count}.parquet"
    if not path.exists():
        numbers = np.arange(count)
        frame = pd.DataFrame(
            {
                "n": numbers,
                "x": np.random.default_rng(0).random(count),
                "m": pd.array(numbers, dtype="Int64"),
                "t": [f"text {number % 1000}" for number in range(count)],
            }
        )
        frame.loc[frame["n"] % 10 == 0, "m"] = pd.NA
        frame.to_parquet(path, row_group_size=4096)
    return path


def same(value: object) -> object:
    """Return the value."""
    return value


def run(target: str | None, count: int) -> None:
    """Compute, store and write everything."""
    step = "" if target is None else f" | write({f'{work.FOLDER}/{target}'!r})"
    graph = mm.pipeline(f"read({str(rows(count))!r}) | same{step}", same=same)
    mm.run(graph, fresh=True, progress=False)


def child(name: str, count: int) -> dict[str, float]:
    """Return the peak memory and the processor time of one process."""
    run(TARGETS[name], 64)
    started = time.process_time()
    run(TARGETS[name], count)
    return {"peak_mb": peak_mb(), "cpu_seconds": time.process_time() - started}


def measure(repeat: int) -> Report:
    """Compare the peak with each kind of file with the peak without a file."""
    for count in (64, ROWS):
        rows(count)
    rounds = [
        {name: in_child("tests.benchmarks.write_memory", name, ROWS) for name in TARGETS}
        for _ in range(repeat)
    ]
    what = f"MB of write above a run without it, {ROWS:,} rows, worst of {len(TARGETS) - 1} targets"
    return peaks_above(what, rounds, "without", MB)


if __name__ == "__main__":
    print(json.dumps(child(sys.argv[1], int(sys.argv[2]))))
