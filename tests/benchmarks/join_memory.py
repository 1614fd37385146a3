"""Memory of joins at 1,000,000 rows: the peak above that of the three models alone.

Each graph runs in a process of its own, with all imports done and the models called once before.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

import mmnotebook as mm
from tests.benchmarks import work
from tests.benchmarks.measuring import Report, in_child, peaks_above
from tests.benchmarks.scale import peak_mb

ROWS = 1_000_000
MB = 300
STEPS = {"alone": "", "mean": " | mean()", "vote": " | vote()", "function": " | largest"}


class Adds:
    """A small model; its outputs are labels, which `vote` and `mean` both take."""

    def __init__(self, number: int) -> None:
        self.number = number

    def predict(self, batch: list[np.ndarray]) -> list[int]:
        return [int(row[0] * 10) + self.number for row in batch]


def largest(outputs: dict[str, object]) -> str:
    """Return the name of the first output."""
    return next(iter(outputs))


def run(step: str, count: int) -> None:
    """Compute and store everything."""
    for name, number in (("one", 1), ("two", 2), ("three", 2)):
        if name not in mm.registry:
            mm.register(name, Adds(number), batch_size=4096)
    path = str(work.rows(count))
    names = {"largest": largest} if "largest" in step else {}
    graph = mm.pipeline(f"read({path!r}) | [one, two, three]{step}", **names)
    mm.run(graph, fresh=True, progress=False)


def child(step: str, count: int) -> dict[str, float]:
    """Return the peak memory and the processor time of one process."""
    run(step, 64)
    before, started = peak_mb(), time.process_time()
    run(step, count)
    seconds = time.process_time() - started
    return {"before": before, "peak_mb": peak_mb(), "cpu_seconds": seconds}


def measure(repeat: int) -> Report:
    """Compare the peaks of the models with each of three steps, and of the models alone."""
    for count in (64, ROWS):
        work.rows(count)
    rounds = [
        {name: in_child("tests.benchmarks.join_memory", name, ROWS) for name in STEPS}
        for _ in range(repeat)
    ]
    what = (
        f"MB of a join of three models above the models alone, {ROWS:,} rows, worst of "
        f"{len(STEPS) - 1} steps"
    )
    return peaks_above(what, rounds, "alone", MB)


if __name__ == "__main__":
    print(json.dumps(child(STEPS[sys.argv[1]], int(sys.argv[2]))))
